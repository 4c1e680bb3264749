"use strict";
// Loaded before a Node server (node --require) or one of bun's (bun --preload): what it listens on is 127.0.0.1, so that
// only the proxy reaches it, and $PORT where the program insists on a number, UNDERWAY_FIXED_PORT ("first": whatever it
// listens on first).
// What connects to the usual port of PostgreSQL or Redis on this machine, since it cannot be told another, comes to the
// app's own where UNDERWAY_POSTGRES_PORT or UNDERWAY_REDIS_PORT names it.
// A client that demands TLS of that PostgreSQL is told yes and goes on in the clear: both are on this machine.
// The forms of listen() and connect() are those of https://nodejs.org/api/net.html.
const { Server, Socket } = require("node:net");
const { syncBuiltinESMExports } = require("node:module");
const tls = require("node:tls");
const { PORT, UNDERWAY_FIXED_PORT: fixed } = process.env;
const listen = Server.prototype.listen;
let isGiven = false;

function port(asked) {
  const isMeant = fixed === "first" ? !isGiven && !["0", PORT].includes(String(asked)) : String(asked) === fixed;
  isGiven ||= String(asked) === PORT || isMeant;
  return PORT && isMeant ? Number(PORT) : asked;
}

function isHere(host) {
  return typeof host === "string" && /^(localhost|127\.[\d.]+|::1)$/.test(host);
}

function host(asked) {
  return isHere(asked) ? asked : "127.0.0.1";
}

Server.prototype.listen = function (...words) {
  const [first, second] = words;
  if (typeof first === "number" || (typeof first === "string" && /^\d+$/.test(first))) {
    words[0] = port(first);
    if (typeof second === "string") words[1] = host(second);
    else if (second === undefined || second === null) words.splice(1, 1, host());
    else words.splice(1, 0, host());
  } else if (first !== null && typeof first === "object" && first.port !== undefined && first.fd === undefined) {
    words[0] = { ...first, port: port(first.port), host: host(first.host) };
  }
  return listen.apply(this, words);
};

if (globalThis.Bun) { // whose servers, also those of node:http, are made by Bun.serve (bun.com/docs/api/http)
  const serve = Bun.serve;
  Bun.serve = (options) => {
    if (options.unix) return serve.call(Bun, options);
    const asked = options.port ?? process.env.BUN_PORT ?? process.env.PORT ?? process.env.NODE_PORT ?? 3000;
    return serve.call(Bun, { ...options, port: port(asked), hostname: host(options.hostname) });
  };
}

const own = { 5432: process.env.UNDERWAY_POSTGRES_PORT, 6379: process.env.UNDERWAY_REDIS_PORT };
const connect = Socket.prototype.connect;

function moved(options) {
  const to = (options.host === undefined || isHere(options.host)) && own[options.port];
  return to ? { ...options, host: "127.0.0.1", port: Number(to) } : options;
}

// SSLRequest, whose answer "S" is followed by TLS: https://www.postgresql.org/docs/current/protocol-message-formats.html
const ASKS_FOR_TLS = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const agreed = new WeakSet();

function agree(socket) {
  const { write } = socket;
  socket.write = function (said, ...rest) {
    delete socket.write;
    if (!(said instanceof Uint8Array) || !ASKS_FOR_TLS.equals(said)) return write.call(socket, said, ...rest);
    agreed.add(socket);
    process.nextTick(() => socket.emit("data", Buffer.from("S")));
    return true;
  };
}

if (own[5432]) {
  const secure = tls.connect;
  tls.connect = function (...words) {
    const socket = words.find((word) => agreed.has(word?.socket))?.socket;
    if (!socket) return secure.apply(this, words);
    const then = words.find((word) => typeof word === "function");
    if (then) socket.once("secureConnect", then);
    process.nextTick(() => socket.emit("secureConnect"));
    return socket;
  };
  syncBuiltinESMExports(); // for those who import the function by its name
}

if (own[5432] || own[6379]) {
  Socket.prototype.connect = function (...words) {
    const [first, second] = words;
    const named = { port: first, host: typeof second === "string" ? second : undefined };
    const meant = Array.isArray(first) ? first[0] : typeof first === "object" ? first : named;
    const isAsked = own[5432] && [own[5432], "5432"].includes(String(meant?.port));
    const isDatabase = isAsked && isHere(meant.host ?? "localhost");
    if (Array.isArray(first)) first[0] = moved(first[0]); // how net.connect() hands over what it was given
    else if (first !== null && typeof first === "object") words[0] = moved(first);
    else {
      const { host: at, port: to } = moved(named);
      if (to !== first) words.splice(0, typeof second === "string" ? 2 : 1, to, at);
    }
    const connected = connect.apply(this, words); // it takes back a write() of the socket's own
    if (isDatabase) agree(this);
    return connected;
  };
}
