"""Processes beside the web one: Procfile and compose name them, or a task queue's own conventions."""

from __future__ import annotations

import re

from underway.detect.draft import Draft
from underway.detect.index import Index, cwd
from underway.detect.model import Notes
from underway.detect.python_app import WebApp
from underway.detect.python_code import PythonCode
from underway.detect.python_project import PythonProject
from underway.detect.shell import Simple
from underway.detect.starts import Starts
from underway.manifest.model import Process

_WORKER = frozenset(
    {"celery", "rq", "arq", "dramatiq", "huey_consumer", "huey_consumer.py", "taskiq", "procrastinate", "saq"}
)
_NOT = re.compile(
    r"flower|runserver|webpack|npm|yarn|vite|test|migrate|release|dev|watch|docs|mkdocs|shell|init", re.IGNORECASE
)


def python_workers(
    index: Index,
    code: PythonCode,
    starts: Starts,
    project: PythonProject | None,
    app: WebApp,
    draft: Draft,
    notes: Notes,
) -> None:
    """Add workers that run Celery, RQ and the like, or a Procfile line of its own name."""
    known: set[tuple[str, ...]] = set()  # the Procfile and compose often name the same worker
    for start in starts.found:
        is_procfile = start.evidence.path.rpartition("/")[2].lower() == "procfile"
        for command in start.commands:
            name = _process_name(start.name, command, is_procfile)
            if not name or name in draft.processes or len(draft.processes) > 12:
                continue
            if _NOT.search(start.name) or (command.name == "celery" and "flower" in command.words):
                continue
            if tuple(command.words) in known:
                continue
            known.add(tuple(command.words))
            folder = app.folder if command.folder == "" and app.folder else command.folder
            draft.processes[name] = _worker(command, folder)
            notes.claim("worker", f"{name}: {' '.join(command.words)[:120]}", command.evidence, f"processes.{name}")


def _process_name(declared: str, command: Simple, is_procfile: bool) -> str:
    """The worker's name; empty when the command is none."""
    is_task = command.name in _WORKER or (
        command.name in ("python", "python3")
        and len(command.words) > 2
        and command.words[1].endswith("manage.py")
        and re.fullmatch(
            r"rqworker|run_huey|qcluster|process_tasks|db_worker|celery|procrastinate|sendalerts|sendreports|run\w*worker",
            command.words[2],
        )
    )
    name = re.sub(r"[^a-z0-9-]+", "-", declared.lower()).strip("-")[:32].strip("-")
    if not name or not name[0].isalpha() or name in ("web", "release"):
        name = "worker" if is_task else ""
    if is_task:
        return (
            name
            if command.name != "celery" or "beat" not in command.words
            else (name if "beat" in name else f"{name}-beat"[:32])
        )
    if (
        is_procfile
        and command.name in ("python", "python3", "node")
        and re.search(r"work|queue|bot|consumer|clock|schedul|job|cron|listen", name)
    ):
        return name
    return ""


def _worker(command: Simple, folder: str) -> Process:
    words = " ".join(w if re.fullmatch(r"[\w@%+=:,./${}*-]+", w) else f"'{w}'" for w in command.words)
    env = " ".join(f"{k}={v}" for k, v in command.env.items() if re.fullmatch(r"[\w@%+=:,./-]*", v))
    return Process(command=f"{env} {words}".strip(), cwd=cwd(folder))
