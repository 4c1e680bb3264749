"""Processes beside the web one: Procfile and compose name them, or a task queue's own conventions."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from underway.detect.draft import Draft
from underway.detect.index import Index, cwd, join
from underway.detect.model import Evidence, Notes
from underway.detect.python_app import WebApp
from underway.detect.python_code import PythonCode
from underway.detect.python_project import PythonProject
from underway.detect.shell import Simple, line_of
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
            draft.processes[name] = _worker(command, _folder(index, command, app))
            notes.claim("worker", f"{name}: {' '.join(command.words)[:120]}", command.evidence, f"processes.{name}")
    if not known:
        _unnamed(code, project, app, draft, notes)
    _scheduled_within(code, project, draft, notes)


_TARGET = re.compile(r"(?:^| )(?:-A|--app|-m)[ =](\w+)")


def _folder(index: Index, command: Simple, app: WebApp) -> str:
    """Where a worker starts: where its file says, unless only the app's own folder has the package that it names
    (a container's working directory is not always a folder of the repository)."""
    stated = app.folder if command.folder == "" and app.folder else command.folder
    target = _TARGET.search(" ".join(command.words))
    if target is None:
        return stated

    def has_it(folder: str) -> bool:
        path = join(folder, target[1])
        return index.has(f"{path}.py") or path in index.folders

    return next((folder for folder in (stated, app.folder, app.base) if has_it(folder)), stated)


def _unnamed(code: PythonCode, project: PythonProject | None, app: WebApp, draft: Draft, notes: Notes) -> None:
    """A queue's worker that nothing starts: arq's settings class, or a Celery object with a broker that is given."""
    if draft.redis is None or project is None:
        return
    for path, file in code.files.items():
        inside = app.base
        if inside and not path.startswith(f"{inside}/"):
            continue
        module = (
            path[len(inside) + 1 if inside else 0 :].removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        )
        if project.has("arq") and "WorkerSettings" in file.classes:
            line = file.classes["WorkerSettings"].lineno
            draft.processes["worker"] = Process(command=f"arq {shlex.quote(module)}.WorkerSettings", cwd=cwd(app.base))
            notes.claim("worker", "arq's settings, which nothing starts", Evidence(path, line), "processes.worker")
            return
        queue = next((c for c in file.calls if c.name in ("rq.Queue", "rq.queue.Queue")), None)
        if project.has("rq") and queue is not None and draft.redis is not None:
            name = queue.args[0] if queue.args and re.fullmatch(r"[\w-]{1,60}", queue.args[0]) else "default"
            command = f"rq worker {name} --url $REDIS_URL"
            draft.processes["worker"] = Process(command=command, cwd=cwd(app.base))
            notes.claim("worker", "RQ's jobs, which nothing runs", Evidence(path, queue.line), "processes.worker")
            return
        made = next((at for at in file.assigned_calls if at[1] in ("celery.Celery", "Celery")), None)
        if project.has("celery") and made is not None:
            target = f"{module}.{made[0]}" if made[0] not in ("app", "celery") else module
            draft.processes["worker"] = Process(
                command=f"celery -A {shlex.quote(target)} worker -l info", cwd=cwd(app.base)
            )
            notes.claim("worker", "Celery's tasks, which nothing runs", Evidence(path, made[2]), "processes.worker")
            return


def _scheduled_within(code: PythonCode, project: PythonProject | None, draft: Draft, notes: Notes) -> None:
    """A schedule that starts with the app runs once in every process of it: keep to one."""
    web = draft.processes.get("web")
    if web is None or project is None or not project.has("apscheduler", "flask-apscheduler", "django-apscheduler"):
        return
    for path, file in code.files.items():
        for call in file.calls:
            if call.name.rpartition(".")[2] in ("BackgroundScheduler", "AsyncIOScheduler", "APScheduler"):
                command = re.sub(r"--workers \d+ --threads \d+", "--workers 1 --threads 8", web.command)
                draft.processes["web"] = replace(web, command=command, instances=1)
                says = "APScheduler starts with the app: one process, since each would run every job"
                notes.claim("worker", says, Evidence(path, call.line), "processes.web")
                return


_MANAGED = re.compile(
    r"rqworker|rqscheduler|run_huey|qcluster|process_tasks|db_worker|celery|procrastinate|send\w+|run\w*worker|"
    r"run_?scheduler|runapscheduler|smtpd|consume\w*"
)
"""Commands of Django projects that run until they are stopped."""


def _process_name(declared: str, command: Simple, is_procfile: bool) -> str:
    """The worker's name; empty when the command is none."""
    words = command.words[1:] if command.name in ("python", "python3") else command.words
    is_task = command.name in _WORKER or (
        len(words) > 1 and words[0].endswith("manage.py") and bool(_MANAGED.fullmatch(words[1]))
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
    said = command.words
    if said[0].rpartition("/")[2] == "manage.py":  # its mode and first line may not be what this machine needs
        said = ("python", said[0].removeprefix("./"), *said[1:])
    env = " ".join(f"{k}={v}" for k, v in command.env.items() if re.fullmatch(r"[\w@%+=:,./-]*", v))
    return Process(command=f"{env} {line_of(said)}".strip(), cwd=cwd(folder))
