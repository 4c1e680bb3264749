"""Apps that bring their own server and are started as a script: Streamlit, Gradio, Dash, Chainlit, and a Procfile's
web line that nothing else explains."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from underway.detect.index import Index, folder_of
from underway.detect.model import Evidence
from underway.detect.python_project import PythonProject
from underway.detect.starts import Starts

_PLACES = ("streamlit_app.py", "app.py", "main.py", "home.py", "index.py", "run.py", "demo.py", "webapp.py")
_NO_APP = re.compile(r"(^|/)(pages|tests?|scripts?|tools?|notebooks)/|(^|/)(test_\w+|\w+_test|conftest|setup)\.py$")


@dataclass(frozen=True)
class ScriptApp:
    """`command` is the whole shell line. `server` is the package that serves, empty when it is not known."""

    framework: str
    command: str
    folder: str
    path: str
    evidence: Evidence
    server: str = ""
    health: str = ""


def find_script_app(index: Index, starts: Starts, projects: list[PythonProject]) -> ScriptApp | None:
    """The first of: a Streamlit, Chainlit, Gradio or Dash app, then a declared web command of another kind."""
    for find in (_streamlit, _chainlit, _gradio, _dash):
        found = find(index, starts, projects)
        if found is not None:
            return found
    return _declared(index, starts, projects)


def _named_by(index: Index, starts: Starts, program: str, verb: str) -> tuple[str, Evidence] | None:
    """The script that a Procfile, compose file or Dockerfile runs with `program verb SCRIPT`."""
    for start in starts.found:
        for command in start.commands:
            words = command.words
            if command.name == program and verb in words[1:2]:
                script = next((w for w in words[2:] if w.endswith(".py")), "")
                path = f"{command.folder}/{script}".strip("/").replace("/./", "/").removeprefix("./")
                if script and index.has(path):
                    return path, command.evidence
    return None


def _importing(index: Index, module: str, call: str) -> tuple[str, Evidence] | None:
    """The script that imports `module` and matches `call`, the likeliest first."""
    found: list[tuple[tuple[int, int, str], str, int]] = []
    imports = re.compile(rf"^[ \t]*(?:import {module}\b|from {module}\b)", re.MULTILINE)
    for path in index.ending(".py")[:3000]:
        if _NO_APP.search(path):
            continue
        text = index.text(path)
        at = imports.search(text)
        if at and re.search(call, text):
            name = path.rpartition("/")[2].lower()
            rank = _PLACES.index(name) if name in _PLACES else len(_PLACES)
            found.append(((path.count("/"), rank, path), path, text.count("\n", 0, at.start()) + 1))
    if not found:
        return None
    _, path, line = min(found)
    return path, Evidence(path, line)


def _folder(path: str, projects: list[PythonProject]) -> str:
    """Where to run: beside the dependencies, since such apps open their files from there."""
    holding = [p.folder for p in projects if not p.folder or path.startswith(p.folder + "/")]
    return max(holding, key=len, default=folder_of(path))


def _inner(path: str, folder: str) -> str:
    return shlex.quote(path[len(folder) + 1 if folder else 0 :])


def _has(projects: list[PythonProject], name: str) -> bool:
    return any(p.has(name) for p in projects)


def _streamlit(index: Index, starts: Starts, projects: list[PythonProject]) -> ScriptApp | None:
    found = _named_by(index, starts, "streamlit", "run")
    if found is None and _has(projects, "streamlit"):
        found = _importing(index, "streamlit", r"\bst\.|streamlit\.")
    if found is None:
        return None
    path, evidence = found
    folder = _folder(path, projects)
    command = (
        f"streamlit run {_inner(path, folder)} --server.address 127.0.0.1 --server.port $PORT --server.headless true "
        "--server.fileWatcherType none --browser.gatherUsageStats false"
    )
    return ScriptApp("streamlit", command, folder, path, evidence, "streamlit", "/_stcore/health")


def _chainlit(index: Index, starts: Starts, projects: list[PythonProject]) -> ScriptApp | None:
    found = _named_by(index, starts, "chainlit", "run")
    if found is None and _has(projects, "chainlit"):
        found = _importing(index, "chainlit", r"\bcl\.|chainlit\.")
    if found is None:
        return None
    path, evidence = found
    folder = _folder(path, projects)
    command = f"chainlit run {_inner(path, folder)} --headless --host 127.0.0.1 --port $PORT"
    return ScriptApp("chainlit", command, folder, path, evidence, "chainlit")


def _gradio(index: Index, starts: Starts, projects: list[PythonProject]) -> ScriptApp | None:
    if not _has(projects, "gradio"):
        return None
    found = _importing(index, "gradio", r"\.launch\(")
    if found is None or re.search(r"launch\([^)]*server_port\s*=\s*\d", index.text(found[0])):
        return None
    path, evidence = found
    folder = _folder(path, projects)
    settings = "GRADIO_SERVER_NAME=127.0.0.1 GRADIO_SERVER_PORT=$PORT GRADIO_ANALYTICS_ENABLED=False"
    command = f"{settings} python {_inner(path, folder)}"
    return ScriptApp("gradio", command, folder, path, evidence)


def _dash(index: Index, starts: Starts, projects: list[PythonProject]) -> ScriptApp | None:
    """A Dash app is a Flask app in its `server` (dash.plotly.com/deployment)."""
    if not _has(projects, "dash"):
        return None
    found = _importing(index, "dash", r"(?m:^\w+\s*=\s*(?:dash\.)?Dash\()")
    if found is None:
        return None
    path, evidence = found
    text = index.text(path)
    named = re.search(r"^(\w+)\s*=\s*\w+\.server\s*$", text, re.MULTILINE)
    made = re.search(r"^(\w+)\s*=\s*(?:dash\.)?Dash\(", text, re.MULTILINE)
    if made is None:
        return None
    folder = _folder(path, projects)
    module = path[len(folder) + 1 if folder else 0 :].removesuffix(".py").replace("/", ".")
    target = f"{module}:{named[1] if named else made[1] + '.server'}"
    command = f"gunicorn {target} --bind 127.0.0.1:$PORT --workers 2 --threads 4"
    return ScriptApp("dash", command, folder, path, evidence, "gunicorn")


def _declared(index: Index, starts: Starts, projects: list[PythonProject]) -> ScriptApp | None:
    """A Procfile's web line that runs a Python program which reads PORT, or is given it."""
    for start in starts.found:
        is_procfile = start.evidence.path.rpartition("/")[2].lower() == "procfile"
        if not is_procfile or start.name != "web" or not projects:
            continue
        for command in start.commands:
            script = next((w for w in command.words[1:] if w.endswith(".py")), "")
            path = f"{command.folder}/{script}".strip("/")
            if not re.fullmatch(r"python[0-9.]*", command.name) or not index.has(path):
                continue
            if "$PORT" in start.line or re.search(r"""['"]PORT['"]""", index.text(path)):
                folder = start.folder
                return ScriptApp("python", start.line, folder, path, start.evidence)
    return None
