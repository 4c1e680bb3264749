"use strict";
// node origin.cjs FOLDER [HOST:PORT …]: pages built into FOLDER call their API where they themselves came from. Addresses
// of same-origin.invalid (what a build was given in place of one host's) and of each HOST:PORT (a developer's machine)
// become location.origin in scripts, and paths in pages and JSON.
const fs = require("node:fs");
const path = require("node:path");
const [folder, ...hosts] = process.argv.slice(2);
const PAGE = "same-origin\\.invalid(?::\\d+)?";
const any = [PAGE, ...hosts.map((host) => host.replace(/[.]/g, "\\.") + "(?!\\d)")].join("|");
const ADDRESS = new RegExp(`(http|ws)s?://(?:${any})`, "g");
const QUOTED = new RegExp(`(\\\\|\\b(?:href|src|action)=)?(["'\`])(http|ws)s?://(?:${any})`, "g");
const BARE = new RegExp(`(["'\`])${PAGE}`, "g");

function inScript(text) {
  const joined = (value, quote) => (quote === "`" ? `\`\${${value}}` : ` ${value}+${quote}`);
  const origin = (scheme) => (scheme === "ws" ? 'location.origin.replace("http","ws")' : "location.origin");
  return text
    .replace(QUOTED, (_, lead, quote, scheme) => (lead ? lead + quote : joined(origin(scheme), quote)))
    .replace(BARE, (_, quote) => joined("location.host", quote))
    .replace(ADDRESS, "");
}

let changed = 0;
function walk(at) {
  for (const entry of fs.readdirSync(at, { withFileTypes: true })) {
    const file = path.join(at, entry.name);
    if (entry.isDirectory() && entry.name !== "node_modules") walk(file);
    if (!entry.isFile() || !/\.(?:[cm]?js|html?|json)$/.test(entry.name)) continue;
    const text = fs.readFileSync(file, "utf8");
    const told = /js$/.test(entry.name) ? inScript(text) : text.replace(ADDRESS, "");
    if (told === text) continue;
    fs.writeFileSync(file, told);
    for (const end of [".gz", ".br", ".zst"]) fs.rmSync(file + end, { force: true }); // they hold the old text
    changed += 1;
  }
}
walk(folder);
console.log(`${changed} file${changed === 1 ? "" : "s"} in ${folder}: the page's own address for its API`);
