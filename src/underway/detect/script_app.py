"""Apps that bring their own server and are started as a script: Streamlit, Gradio, Dash, Chainlit, and a Procfile's
web line that nothing else explains."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from underway.detect.index import Index, folder_of, join
from underway.detect.model import Evidence
from underway.detect.python_project import PythonProject
from underway.detect.shell import Simple
from underway.detect.starts import Start, Starts

_PLACES = ("streamlit_app.py", "app.py", "main.py", "home.py", "index.py", "run.py", "demo.py", "webapp.py")
_NO_APP = re.compile(r"(^|/)(pages|tests?|scripts?|tools?|notebooks)/|(^|/)(test_\w+|\w+_test|conftest|setup)\.py$")


@dataclass(frozen=True)
class ScriptApp:
    """`command` is the whole shell line. `server` is the package that serves, empty when it is not known; `kept` are
    folders that it is told to keep its files in; `opens_port` when the script itself says where it listens."""

    framework: str
    command: str
    folder: str
    path: str
    evidence: Evidence
    server: str = ""
    health: str = ""
    kept: tuple[str, ...] = ()
    opens_port: bool = False


def find_script_app(index: Index, starts: Starts, projects: list[PythonProject]) -> ScriptApp | None:
    """The first of: an app of a framework with its own way to start, then a declared web command of another kind."""
    for find in (_run_by_its_own, _gradio, _dash, _fasthtml, _robyn, _paste):
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


def importing(index: Index, module: str, call: str, *, is_run: bool = False) -> tuple[str, Evidence] | None:
    """The script that imports `module` and matches `call`, the likeliest first.

    With `is_run` only one that does something when it is run: a module that only defines functions begins nothing.
    """
    found: dict[tuple[int, int, str], Evidence] = {}
    imports = re.compile(rf"^[ \t]*(?:import {module}\b|from {module}\b)", re.MULTILINE)
    for path in index.ending(".py")[:3000]:
        if _NO_APP.search(path):
            continue
        text = index.text(path)
        at = imports.search(text)
        if at and re.search(call, text) and (not is_run or _runs(text, call)):
            name = path.rpartition("/")[2].lower()
            rank = _PLACES.index(name) if name in _PLACES else len(_PLACES)
            found[path.count("/"), rank, path] = Evidence.at(path, text, at.start())
    if not found:
        return None
    best = found[min(found)]
    return best.path, best


def _runs(text: str, call: str) -> bool:
    """True for a script with a part for running it, and for one that calls at its top, also in a `try` or a `with`."""
    if re.search(rf"^if __name__\s*(?:==|in\b)|^(?=\S).*(?:{call})", text, re.MULTILINE):
        return True
    for found in re.finditer(rf"^[ \t]+(?=\S).*(?:{call})", text, re.MULTILINE):
        above = re.findall(r"^[A-Za-z@].*", text[: found.start()], re.MULTILINE)
        if above and re.match(r"(?:try|with|if|else|elif|finally)\b.*:\s*(?:#.*)?$", above[-1]):
            return True
    return False


def project_folder(path: str, projects: list[PythonProject]) -> str:
    """Where to run: beside the dependencies, since such apps open their files from there."""
    holding = [p.folder for p in projects if not p.folder or path.startswith(p.folder + "/")]
    return max(holding, key=len, default=folder_of(path))


def _inner(path: str, folder: str) -> str:
    return shlex.quote(path[len(folder) + 1 if folder else 0 :])


def _has(projects: list[PythonProject], name: str) -> bool:
    return any(p.has(name) for p in projects)


@dataclass(frozen=True)
class _Runner:
    """A framework whose own program runs a script: `NAME VERB SCRIPT WORDS`, for a script that imports it and matches
    `call`."""

    name: str
    verb: str
    call: str
    words: str
    health: str = ""


_RUNNERS = (
    _Runner(
        "streamlit",
        "run",
        r"\bst\.|streamlit\.",
        "--server.address 127.0.0.1 --server.port $PORT --server.headless true --server.fileWatcherType none "
        "--browser.gatherUsageStats false",
        "/_stcore/health",
    ),
    _Runner("chainlit", "run", r"\bcl\.|chainlit\.", "--headless --host 127.0.0.1 --port $PORT"),
    _Runner(
        "panel",
        "serve",
        r"\.servable\(",
        "--address 127.0.0.1 --port $PORT --allow-websocket-origin='*' --use-xheaders",
    ),
)


def _run_by_its_own(index: Index, starts: Starts, projects: list[PythonProject]) -> ScriptApp | None:
    for runner in _RUNNERS:
        found = _named_by(index, starts, runner.name, runner.verb)
        if found is None and _has(projects, runner.name):
            found = importing(index, runner.name, runner.call)
        if found is not None:
            path, evidence = found
            folder = project_folder(path, projects)
            command = f"{runner.name} {runner.verb} {_inner(path, folder)} {runner.words}"
            return ScriptApp(runner.name, command, folder, path, evidence, runner.name, runner.health)
    return None


def _gradio(index: Index, starts: Starts, projects: list[PythonProject]) -> ScriptApp | None:
    if not _has(projects, "gradio"):
        return None
    found = importing(index, "gradio", r"\.launch\(")
    if found is None or re.search(r"launch\([^)]*server_port\s*=\s*\d", index.text(found[0])):
        return None
    path, evidence = found
    folder = project_folder(path, projects)
    settings = "GRADIO_SERVER_NAME=127.0.0.1 GRADIO_SERVER_PORT=$PORT GRADIO_ANALYTICS_ENABLED=False"
    command = f"{settings} python {_inner(path, folder)}"
    return ScriptApp("gradio", command, folder, path, evidence)


def _dash(index: Index, starts: Starts, projects: list[PythonProject]) -> ScriptApp | None:
    """A Dash app is a Flask app in its `server` (dash.plotly.com/deployment)."""
    if not _has(projects, "dash"):
        return None
    found = importing(index, "dash", r"(?m:^\w+\s*=\s*(?:dash\.)?Dash\()")
    if found is None:
        return None
    path, evidence = found
    text = index.text(path)
    named = re.search(r"^(\w+)\s*=\s*\w+\.server\s*$", text, re.MULTILINE)
    made = re.search(r"^(\w+)\s*=\s*(?:dash\.)?Dash\(", text, re.MULTILINE)
    if made is None:
        return None
    folder = project_folder(path, projects)
    module = path[len(folder) + 1 if folder else 0 :].removesuffix(".py").replace("/", ".")
    target = shlex.quote(f"{module}:{named[1] if named else made[1] + '.server'}")
    command = f"gunicorn {target} --bind 127.0.0.1:$PORT --workers 2 --threads 4"
    return ScriptApp("dash", command, folder, path, evidence, "gunicorn")


def _fasthtml(index: Index, starts: Starts, projects: list[PythonProject]) -> ScriptApp | None:
    """A FastHTML app is an ASGI app; its own serve() is for development."""
    if not _has(projects, "python-fasthtml"):
        return None
    made = r"(?m:^(\w+)(?:\s*,[^=\n]*)?\s*=\s*(?:fast_app|FastHTML\w*)\()"
    found = importing(index, "fasthtml", made)
    named = re.search(made, index.text(found[0])) if found else None
    if found is None or named is None:
        return None
    path, evidence = found
    folder = project_folder(path, projects)
    module = path[len(folder) + 1 if folder else 0 :].removesuffix(".py").replace("/", ".")
    command = f"uvicorn {shlex.quote(module)}:{named[1]} --host 127.0.0.1 --port $PORT"
    return ScriptApp("fasthtml", command, folder, path, evidence, "uvicorn")


def _robyn(index: Index, starts: Starts, projects: list[PythonProject]) -> ScriptApp | None:
    """Its runtime opens the port; it reads where from the environment (robyn.tech, "Deployments")."""
    found = importing(index, "robyn", r"\bRobyn\(") if _has(projects, "robyn") else None
    if found is None:
        return None
    path, evidence = found
    folder = project_folder(path, projects)
    command = f"ROBYN_HOST=127.0.0.1 ROBYN_PORT=$PORT python {_inner(path, folder)}"
    return ScriptApp("robyn", command, folder, path, evidence)


def _paste(index: Index, starts: Starts, projects: list[PythonProject]) -> ScriptApp | None:
    """A WSGI app that a PasteDeploy file describes, as Pyramid's templates have it."""
    for path in index.named("production.ini")[:3]:
        if re.search(r"^\[(?:app|composite|pipeline):main\]", text := index.text(path), re.MULTILINE):
            at = text.find(":main]")
            folder = folder_of(path)
            command = "gunicorn --paste production.ini --bind 127.0.0.1:$PORT --workers 2 --threads 4"
            evidence = Evidence.at(path, text, at)
            return ScriptApp("pyramid", command, folder, path, evidence, "gunicorn")
    return None


def declared_program(index: Index, starts: Starts, projects: list[PythonProject]) -> ScriptApp | None:
    """A program that the project itself installs, or a module of it, which a container starts with `--port`."""
    programs = {name: project for project in projects for name in _programs(index, project)}
    for start in starts.found:
        for command in start.commands:
            is_module = command.words[1:2] == ("-m",) and len(command.words) > 2
            module = command.words[2].partition(".")[0] if is_module else ""
            project = programs.get(command.name) or next(
                (p for p in projects if module and join(p.folder, module) in index.folders), None
            )
            line = _with_port(command.words, start.env)
            if (script := _started_script(index, start, command, projects)) is not None:
                return script
            if project is not None and line:
                return ScriptApp("python", line, project.folder, project.evidence.path, command.evidence)
    return None


_OWN_APP = re.compile(
    r"\b(?:Flask|FastAPI|Starlette|Litestar|Quart|Sanic|Bottle)\(|\bimport\b[^\n]*\b(?:app|application)\b"
)
_OUTSIDE = re.compile(r"/(?!(?:app|code|src|dev|etc|usr|bin|proc|run|sys|tmp|var|opt|root|home|lib)\b)[a-z][\w-]{1,40}")
"""A folder at the root of a container, a volume: here it is one beside the sources."""
_READS_PORT = re.compile(r"""(?:getenv|environ(?:\.get)?)\s*[\[(]\s*['"]PORT['"]""")


def _started_script(index: Index, start: Start, command: Simple, projects: list[PythonProject]) -> ScriptApp | None:
    """`python X.py` of a container where X makes the app by itself, with arguments, and something reads PORT."""
    script = next((w for w in command.words[1:2] if w.endswith(".py")), "")
    path = join(command.folder, script)
    if not projects or not re.fullmatch(r"python[0-9.]*", command.name) or not script or not index.has(path):
        return None
    own = index.text(path)
    if _OWN_APP.search(own) or not any(_READS_PORT.search(index.text(p)) for p in index.ending(".py")[:2000]):
        return None
    kept = tuple(word[1:] for word in command.words[2:] if _OUTSIDE.fullmatch(word))
    words = [word[1:] if word[1:] in kept else word.removeprefix("./") for word in command.words[1:]]
    line = " ".join(["python", *map(shlex.quote, words)])
    return ScriptApp("python", line, command.folder, path, command.evidence, kept=kept)


def _programs(index: Index, project: PythonProject) -> set[str]:
    """Names of `[project.scripts]` and `[tool.poetry.scripts]`."""
    text = index.text(join(project.folder, "pyproject.toml"))
    tables = re.findall(r"^\[(?:project|tool\.poetry)\.scripts\]\s*\n((?:[^\[\n].*\n?|\n)*)", text, re.MULTILINE)
    return {name for table in tables for name in re.findall(r"^\s*[\"']?([\w.-]+)[\"']?\s*=", table, re.MULTILINE)}


def _with_port(words: tuple[str, ...], env: dict[str, str]) -> str:
    """The shell line with $PORT for its `--port` and loopback for its `--host`; empty when it has no port."""
    out: list[str] = []
    has_port = False
    waiting = ""
    for word in words:
        name, equals, _ = word.partition("=")
        asked = waiting or (name if equals else "")
        if asked in ("--port", "-p", "--host", "--bind-host", "--address"):
            given = "$PORT" if asked in ("--port", "-p") else "127.0.0.1"
            has_port = has_port or given == "$PORT"
            out.append(given if waiting else f"{name}={given}")
            waiting = ""
            continue
        waiting = word if word in ("--port", "-p", "--host", "--bind-host", "--address") else ""
        filled = re.sub(r"\$\{?(\w+)\}?", lambda found: env.get(found[1], ""), word)
        out.append(filled if waiting else shlex.quote(filled))
    return " ".join(out) if has_port else ""


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
