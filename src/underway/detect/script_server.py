"""Python scripts that open their port themselves: Tornado, CherryPy, Bottle, waitress, http.server and the like."""

from __future__ import annotations

import re
import shlex

from underway.detect.import_path import with_parent
from underway.detect.index import Index, folder_of, join
from underway.detect.model import Evidence
from underway.detect.python_project import PythonProject
from underway.detect.script_app import ScriptApp, importing, project_folder
from underway.detect.starts import Starts
from underway.manifest.build import LISTEN_SCRIPT

_SERVES = (
    ("nicegui", r"\bui\.run\("),
    ("gradio", r"\blaunch\([^)]*server_port\s*="),
    ("dash", r"\.run(?:_server)?\("),
    ("flet", r"\b(?:ft|flet)\.(?:app|run)\("),
    ("pywebio", r"\bstart_server\("),
    ("asgineer", r"\basgineer\.run\("),
    ("tornado", r"\.listen\(|\.bind\(\s*\w"),
    ("cherrypy", r"\bquickstart\(|engine\.start\("),
    ("aiohttp", r"\brun_app\(|TCPSite\("),
    ("bottle", r"\brun\("),
    ("waitress", r"\bserve\("),
    ("uvicorn", r"\buvicorn\.run\(|\.serve\("),
    ("hypercorn", r"\bserve\("),
    ("gevent", r"WSGIServer\("),
    ("eventlet", r"wsgi\.server\("),
    ("werkzeug", r"\brun_simple\("),
    ("websockets", r"\bserve\("),
    ("wsgiref", r"\bmake_server\("),
    ("http", r"\bHTTPServer\(|ThreadingHTTPServer\("),
    ("socketserver", r"TCPServer\("),
)
"""A module, and the call by which a script that imports it begins to listen."""
_SERVES_AFAR = r"\b\w*(?:demo|interface|blocks|app|ui|gradio)\w*\.launch\("


def script_server(index: Index, starts: Starts, projects: list[PythonProject]) -> ScriptApp | None:
    """The script that serves: one that the repository's own files start, else the likeliest."""
    found = [
        (*one, m) for one in _started(index, starts) for m, call in _SERVES if _begins(index.text(one[0]), m, call)
    ]
    found += [(*one, m) for m, call in _SERVES if (one := importing(index, m, call, is_run=True)) is not None]
    if not found and any(p.has("gradio") for p in projects):  # the page is made in another module
        launches = importing(index, r"\w+", _SERVES_AFAR, is_run=True)
        found = [(*launches, "gradio")] if launches is not None else []
    if not found:
        return None
    path, evidence, module = found[0]
    folder = project_folder(path, projects)
    inner = path[len(folder) + 1 if folder else 0 :]
    program = shlex.quote(inner)
    top = inner.partition("/")[0]
    if re.fullmatch(r"(\w+/)+\w+\.py", inner) and re.search(
        rf"^[ \t]*(?:from|import) {top}\b", index.text(path), re.MULTILINE
    ):
        program = f"-m {inner.removesuffix('.py').replace('/', '.')}"
    if inner.endswith("/__main__.py"):
        program = f"-m {shlex.quote(inner.removesuffix('/__main__.py').removeprefix('src/').replace('/', '.'))}"
    command = f"python {LISTEN_SCRIPT} {program}"
    if not program.startswith("-m "):
        command = with_parent(index, folder_of(path), folder, command)
    if module == "flet":  # it opens a window otherwise
        command = f"FLET_FORCE_WEB_SERVER=true {command}"
    kept = (".nicegui",) if module == "nicegui" and "storage" in index.text(path) else ()
    if module == "cherrypy":  # it asks whether its port is free before it takes it
        fixed = re.search(r"socket_port['\"]?\s*[:=]\s*(\d{2,5})", index.text(path))
        command = f"UNDERWAY_FIXED_PORT={fixed[1] if fixed else 8080} {command}"
    label = {"http": "python", "wsgiref": "python", "socketserver": "python"}.get(module, module)
    return ScriptApp(label, command, folder, path, evidence, kept=kept, opens_port=True)


def _begins(text: str, module: str, call: str) -> bool:
    return bool(re.search(rf"^[ \t]*(?:import|from) {module}\b", text, re.MULTILINE) and re.search(call, text))


def _started(index: Index, starts: Starts) -> list[tuple[str, Evidence]]:
    """Scripts that a Procfile, compose file or Dockerfile runs."""
    out = []
    for start in starts.found:
        for command in start.commands:
            script = next((w for w in command.words[1:2] if w.endswith(".py")), "")
            if script and index.has(path := join(command.folder, script)):
                out.append((path, command.evidence))
    return out
