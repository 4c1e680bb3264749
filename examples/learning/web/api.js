// Talks to the server. Every write carries the session's own token, so that no other page can write for us.

let csrf = "";

export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function send(method, path, body) {
  const headers = {};
  if (body !== undefined) headers["content-type"] = "application/json";
  if (method !== "GET") headers["x-csrf-token"] = csrf;
  let response;
  try {
    response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Refused(0, "offline", "The meadow is out of reach. Is there a connection?");
  }
  if (response.status === 204) return null;
  const said = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new Refused(response.status, said.error?.code ?? "broken", said.error?.message ?? "Something is broken. Please try again.");
  }
  if (said.csrf) csrf = said.csrf;
  return said;
}

export const get = (path) => send("GET", path);

export async function write(method, path, body) {
  try {
    return await send(method, path, body);
  } catch (problem) {
    if (problem.code !== "csrf") throw problem;
    await get("/api/me"); // another tab logged in again: take the new token and try once more
    return send(method, path, body);
  }
}
