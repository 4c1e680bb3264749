"use strict";
// Run before SvelteKit builds (node kit_env.cjs src): what the sources import from $env/static/private would be written
// into the build, and no secret is part of a build. The same names are taken from $env/dynamic/private, when the server
// starts (svelte.dev/docs/kit/$env-dynamic-private).
const { readdirSync, readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const IMPORT = /import\s*\{([^}]*)\}\s*from\s*(['"])\$env\/static\/private\2;?/g;

let count = 0;

function dynamic(_, names) {
  const kept = names.replace(/\/\/[^\n]*/g, "").replace(/\b(\w+)\s+as\s+(\w+)/g, "$1: $2");
  count += 1;
  return `import { env as underwayEnv${count} } from "$env/dynamic/private"; const {${kept}} = underwayEnv${count};`;
}

for (const found of readdirSync(process.argv[2], { recursive: true, withFileTypes: true })) {
  if (!found.isFile() || !/\.(svelte|[cm]?[jt]s)$/.test(found.name)) continue;
  const path = join(found.parentPath ?? found.path, found.name);
  const text = readFileSync(path, "utf8");
  const changed = text.replace(IMPORT, dynamic);
  if (changed !== text) writeFileSync(path, changed);
}
