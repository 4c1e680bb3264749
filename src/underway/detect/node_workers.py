"""Processes beside a Node server: what the Procfile and compose name, or the script that takes jobs from a queue."""

from __future__ import annotations

import re

from underway.detect.draft import Draft
from underway.detect.index import Index, cwd, join
from underway.detect.model import Evidence, Notes
from underway.detect.node import NodeProject, running
from underway.detect.node_scripts import followed, in_earnest
from underway.detect.shell import Simple, line_of
from underway.detect.starts import Starts
from underway.manifest.model import Process

_QUEUES = (
    "bull", "bullmq", "bee-queue", "agenda", "pg-boss", "graphile-worker", "kue", "@nestjs/bull", "@nestjs/bullmq",
    "node-resque", "croner", "node-cron", "cron",
)  # fmt: skip
_TAKES_JOBS = re.compile(r"work(?:er)?s?|queues?|consumers?|clock|schedul\w*|jobs?|crons?|processors?", re.IGNORECASE)
_NOT = re.compile(r"dev|watch|test|debug|lint|build|seed|migrat|dash|board|monitor|docker|clean|flush", re.IGNORECASE)
_SCRIPT = re.compile(
    r"(?:start|serve|run)?[:-]?(?:workers?|queues?|jobs?)(?:[:-](?:start|run|process|prod|production))?"
)
_PLAIN = re.compile(r"(?:NODE_ENV=\w+\s+)?(?:node|bun|node_modules/\.bin/[\w-]+)(?:\s+[\w@./=:-]+)+")
_MOST = 8


def node_workers(index: Index, project: NodeProject, starts: Starts, draft: Draft, notes: Notes) -> None:
    """Add what a Procfile or compose file names as a worker; without one, the script of that name."""
    web = draft.processes["web"]
    known = {_program(web.command)}
    for start in starts.found:
        name = re.sub(r"[^a-z0-9-]+", "-", start.name.lower()).strip("-")[:32].strip("-")
        if start.name == "release" or re.search(r"migrat|seed|test", start.name) or not name[:1].isalpha():
            continue
        for command in start.commands:
            line = _line(index, project, command)
            if not line or _program(line) in known or len(draft.processes) > _MOST:
                continue
            if name in draft.processes or not (_TAKES_JOBS.search(name) or _TAKES_JOBS.search(_program(line))):
                continue
            known.add(_program(line))
            draft.processes[name] = Process(command=line, cwd=cwd(project.folder))
            notes.claim("worker", f"{name}: {line[:120]}", command.evidence, f"processes.{name}")
    if len(draft.processes) > 1 or not project.has(*_QUEUES):
        return
    for script, said in project.scripts.items():
        if not _SCRIPT.fullmatch(script):
            continue
        whole = followed(project, said)
        line = whole if _PLAIN.fullmatch(whole) else ""
        if line and _program(line) not in known and _is_there(index, project, line):
            name = re.sub(r"[^a-z]+", "-", script.lower()).strip("-")
            starts_it = line if not line.startswith("NODE_ENV") else running(project, script)
            draft.processes[name] = Process(command=starts_it, cwd=cwd(project.folder))
            at = index.line(project.path, f'"{script}"')
            notes.claim("worker", f"{name}: the script {script}", at, f"processes.{name}")
            return


def _line(index: Index, project: NodeProject, command: Simple) -> str:
    """How a declared process starts here; empty for what is no program of this project's."""
    said = followed(project, line_of(command.words))
    line = said if _PLAIN.fullmatch(said) and "watch" not in said else in_earnest(index, project, said)
    return line if line and _is_there(index, project, line) else ""


def _program(line: str) -> str:
    """The file that a line runs: what tells two processes apart."""
    files = [word for word in line.split() if re.search(r"\.[cm]?[jt]s$|^(?:\./)?(?:dist|build)/", word)]
    return re.sub(r"^\./|\.[cm]?[jt]s$", "", files[-1]) if files else line


def _is_there(index: Index, project: NodeProject, line: str) -> bool:
    """True where the file is one of the tree, or is made by the build."""
    name = _program(line)
    path = join(project.folder, name)
    made = re.match(r"(dist|build|out|lib)/", name)
    return bool(made) or any(index.has(path + end) for end in (".js", ".cjs", ".mjs", ".ts", ".mts", "/index.js"))


def declared_migration(index: Index, project: NodeProject, starts: Starts) -> tuple[str, Evidence] | None:
    """The line by which a Procfile's release phase, or a compose service of that name, migrates the database."""
    for start in starts.found:
        if start.name != "release" and not re.search(r"migrat", start.name):
            continue
        for command in start.commands:
            whole = followed(project, line_of(_inside(word) for word in command.words))
            is_ours = re.match(r"(?:npm|yarn|pnpm|npx|node|node_modules/\.bin/\S+)(?: |$)", whole)
            if not is_ours or not re.search(r"migrat", whole) or DESTROYS.search(whole):
                continue
            if whole.startswith("node ") and not _is_there(index, project, whole):
                continue
            return whole, command.evidence
    return None


DESTROYS = re.compile(r"reset|drop|--force|fresh|seed|revert|rollback|undo|down\b|\bdev\b|create|generate|make")


def _inside(word: str) -> str:
    """A path of a container's own as one of the tree."""
    found = re.fullmatch(r"/(?:usr/src/app|app|code|srv|home/node/app|opt/app)(?:/([\w./-]*))?", word)
    return (found[1] or ".") if found else word
