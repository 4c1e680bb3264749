"""Lines of package.json's scripts: what they stand for, and how a developer's runner would be started in earnest."""

from __future__ import annotations

import json
import re
import shlex

from underway.detect.index import Index, join
from underway.detect.node import NodeProject

_TSC = r"(?:npx )?tsc(?: (?:-p|--project) [\w./-]+| --build| -b)?"
_MADE_ONCE = re.compile(rf"^(?:(?:npm|pnpm|yarn|bun) (?:run )?build|{_TSC})\s*&&\s*(?=node\s)")


def followed(project: NodeProject, line: str) -> str:
    """The script that `npm run NAME` stands for, without the build in front of it: that is made once."""
    for _ in range(5):
        found = re.fullmatch(r"(?:npm|pnpm|yarn|bun) (?:run )?([\w:.-]+)(?:(?: --)? (-[^&|;]*))?", line)
        if not found or found[1] not in project.scripts:
            break
        line = f"{project.scripts[found[1]]} {found[2] or ''}".strip()
    line = _MADE_ONCE.sub("", line)
    return _without_manager(line)


def _without_manager(line: str) -> str:
    """`yarn drizzle-kit migrate` as what it runs: where the app runs there may be no yarn."""
    found = re.fullmatch(
        r"(?:yarn(?: run)?|npx|bunx|pnpm(?: exec)?|npm exec(?: --)?) ([a-z][\w-]*)((?: [^&|;<>]*)?)", line
    )
    return line if found is None or found[1] in _VERBS else f"node_modules/.bin/{found[1]}{found[2]}"


_VERBS = frozenset(
    {"install", "add", "run", "start", "test", "build", "dlx", "exec", "workspace", "workspaces", "node"}
)

_SOURCE = re.compile(r"(?:\./)?[\w@./-]+\.[cm]?[jt]sx?")
_WITH_VALUE = frozenset(
    {"--watch", "-w", "--ext", "-e", "--ignore", "-i", "--delay", "--config", "--signal", "--env-file"}
)
_RUNS_SOURCES = ("tsx", "ts-node", "babel-node", "@babel/node", "swc-node", "sucrase-node", "esno", "bun", "node")


def in_earnest(index: Index, project: NodeProject, line: str) -> str:
    """What a line with a developer's runner starts, without the watching: `nodemon a.js` → `node a.js`,
    `tsx watch a.ts` → `tsx a.ts`. Empty where it names no program."""
    line = followed(project, line)
    try:
        words = shlex.split(line)
    except ValueError:
        return ""
    while words and (words[0] in ("cross-env", "npx", "exec", "env-cmd", "dotenv", "--") or _ASSIGNED.match(words[0])):
        words = words[1:]
    if not words or any(set(word) & set(";&|<>`$") for word in words):
        return ""
    tool, words = words[0].removeprefix("node_modules/.bin/"), words[1:]
    if tool == "nodemon":
        return _nodemon(index, project, words)
    if tool in ("ts-node-dev", "tsnd"):
        return _of_sources(
            "ts-node", [w for w in words if not re.match(r"--(respawn|clear|cls|exit-child|poll|inspect)", w)]
        )
    if tool in _RUNS_SOURCES:
        words = [w for w in words if w not in ("watch", "run") and not re.match(r"--(watch|hot|inspect|ignore)", w)]
        return _of_sources(tool, words)
    return ""


_ASSIGNED = re.compile(r"[A-Za-z_]\w*=")


def _nodemon(index: Index, project: NodeProject, words: list[str]) -> str:
    """`nodemon [--watch src] [--exec "ts-node -r x"] app.js`; without words, what nodemon.json says to run."""
    runs, rest, at = "", [], 0
    while at < len(words):
        word = words[at]
        if word in ("--exec", "-x") and at + 1 < len(words):
            runs, at = words[at + 1], at + 2
        elif word in _WITH_VALUE:
            at += 2
        elif re.match(r"--(exec)=", word):
            runs, at = word.partition("=")[2], at + 1
        elif word.startswith(("--inspect", "-L", "-q", "-V", "--legacy", "--quiet", "--verbose", "--exitcrash")):
            at += 1
        else:
            rest.append(word)
            at += 1
    if not runs and not rest:
        try:
            told = json.loads(index.text(join(project.folder, "nodemon.json")) or "{}")
        except (ValueError, RecursionError):
            told = {}
        runs = str(told.get("exec", "")) if isinstance(told, dict) else ""
        if not runs and project.main and index.has(join(project.folder, project.main)):
            return f"node {shlex.quote(project.main.removeprefix('./'))}"
        return in_earnest(index, project, runs) if runs and "nodemon" not in runs else ""
    if runs:
        whole = " ".join([runs, *map(shlex.quote, rest)])
        return in_earnest(index, project, whole) if "nodemon" not in whole else ""
    return _of_sources("ts-node" if rest[-1].endswith((".ts", ".mts")) else "node", rest)


def _of_sources(tool: str, words: list[str]) -> str:
    if not any(_SOURCE.fullmatch(word) for word in words):
        return ""
    line = " ".join(word if re.fullmatch(r"[\w@%+=:,./-]+", word) else shlex.quote(word) for word in words)
    name = "babel-node" if tool == "@babel/node" else tool
    return f"{name} {line}" if name in ("node", "bun") else f"node_modules/.bin/{name} {line}"
