"""Flask-SocketIO: one process that holds every client, since a client's polls must all reach the same one."""

from __future__ import annotations

import re
from dataclasses import replace

from underway.detect.draft import Draft
from underway.detect.model import Evidence, Notes
from underway.detect.python_code import PythonCode
from underway.detect.python_project import PythonProject

_LAST_WITH_EVENTLET = 25
"""Gunicorn 26 has no worker for eventlet any more (docs.gunicorn.org, "Changelog")."""


def hold_sockets(code: PythonCode, project: PythonProject, draft: Draft, notes: Notes) -> None:
    """Give Gunicorn the workers that Flask-SocketIO asks for (flask-socketio.readthedocs.io/en/latest/deployment)."""
    web = draft.processes.get("web")
    made = next(
        ((path, call) for path, file in code.files.items() for call in file.calls if call.name.endswith("SocketIO")),
        None,
    )
    if web is None or made is None or not web.command.startswith("gunicorn "):
        return
    path, call = made
    mode = call.keywords.get("async_mode", "")
    pinned = re.match(r"(\d+)", project.pins.get("gunicorn", ""))
    has_eventlet = pinned is not None and int(pinned[1]) <= _LAST_WITH_EVENTLET
    if mode in ("", "None", "eventlet") and project.brings("eventlet") and has_eventlet:
        workers = "--worker-class eventlet --workers 1"
    elif mode in ("", "None", "gevent") and project.brings("gevent-websocket"):
        workers = "--worker-class geventwebsocket.gunicorn.workers.GeventWebSocketWorker --workers 1"
    elif mode in ("", "None", "gevent") and project.brings("gevent") and not project.brings("eventlet"):
        workers = "--worker-class gevent --workers 1"
    else:
        workers = "--workers 1 --threads 100"
    command = re.sub(r"--workers \d+ --threads \d+", workers, web.command)
    draft.processes["web"] = replace(web, command=command, instances=1)
    says = "Flask-SocketIO keeps its clients in one process: a second one would not know them"
    notes.claim("server", says, Evidence(path, call.line), "processes.web")
