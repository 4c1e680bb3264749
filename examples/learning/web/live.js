// What moves by itself: everybody's stars in the footer, and kind words while a child plays.

import { count } from "./dom.js";

export function followStars() {
  const line = document.getElementById("together");
  const stream = new EventSource("/api/stars");
  let wasOpen = false;
  stream.addEventListener("stars", (event) => {
    line.textContent = `★ ${count(Number(event.data), "star", "stars")} collected by all children together`;
    line.hidden = false;
  });
  stream.addEventListener("open", () => {
    if (wasOpen) lookForNewRelease();
    wasOpen = true;
  });
}

async function lookForNewRelease() {
  const { version, release } = await fetch("/api/version").then((response) => response.json()).catch(() => ({}));
  const mine = document.body.dataset;
  if (!version || (version === mine.version && release === mine.release)) return;
  const link = document.createElement("button");
  link.className = "link";
  link.textContent = `Letter Meadow ${version} is here. Load it`;
  link.addEventListener("click", () => location.reload());
  document.getElementById("newer").replaceChildren(link);
}

/** Calls `hear` with every cheer until the returned function is called. Connects again when the server restarts. */
export function followCheers(hear) {
  let socket;
  let timer;
  let isOver = false;
  const connect = () => {
    socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/cheer`);
    socket.addEventListener("message", (event) => hear(JSON.parse(event.data).cheer));
    socket.addEventListener("close", () => {
      if (!isOver) timer = setTimeout(connect, 500 + Math.random() * 1500);
    });
  };
  connect();
  return () => {
    isOver = true;
    clearTimeout(timer);
    socket.close();
  };
}
