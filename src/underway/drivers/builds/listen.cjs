"use strict";
// Loaded before a Node server (node --require): what it listens on is 127.0.0.1, so that only the proxy reaches it, and
// $PORT where the program insists on a number, UNDERWAY_FIXED_PORT ("first": whatever it listens on first).
// The forms of listen() are those of https://nodejs.org/api/net.html#serverlisten.
const { Server } = require("node:net");
const { PORT, UNDERWAY_FIXED_PORT: fixed } = process.env;
const listen = Server.prototype.listen;
let isGiven = false;

function port(asked) {
  const isMeant = fixed === "first" ? !isGiven && !["0", PORT].includes(String(asked)) : String(asked) === fixed;
  isGiven ||= String(asked) === PORT || isMeant;
  return PORT && isMeant ? Number(PORT) : asked;
}

function host(asked) {
  return typeof asked === "string" && /^(localhost|127\.[\d.]+|::1)$/.test(asked) ? asked : "127.0.0.1";
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
