"""Which Python object serves the traffic, from where, under which server."""

from __future__ import annotations

import ast
import re
import shlex
from dataclasses import dataclass

from underway.detect.index import Index, folder_of, join
from underway.detect.model import Evidence
from underway.detect.python_code import ASGI, AppObject, PyFile, PythonCode, dotted_name, local_imports, made_inside
from underway.detect.python_project import PythonProject
from underway.detect.shell import Simple, option
from underway.detect.starts import Start, Starts

_SERVERS = ("uvicorn", "gunicorn", "hypercorn", "daphne", "granian", "waitress-serve")
_ASGI_SERVERS = ("uvicorn", "hypercorn", "daphne")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_NO_APP = re.compile(
    r"(^|/)(scripts?|tools?|migrations|alembic|notebooks|demo|management|tests?)/"
    r"|(^|/)(env|conftest|gunicorn[\w.]*|test_\w+|\w+_test)\.py$"
)
_TARGET = re.compile(r"""[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(\(.*\))?""")


@dataclass(frozen=True)
class WebApp:
    """`target` is `module:attribute`. `folder` is where it runs, `base` the folder its module is imported from.

    `workers` is what the repository asks for, 0 when it says nothing.
    """

    framework: str
    target: str
    folder: str
    base: str
    path: str
    evidence: Evidence
    is_factory: bool = False
    is_async: bool = False
    workers: int = 0
    is_declared: bool = False

    @property
    def is_asgi(self) -> bool:
        return self.framework in ASGI

    @property
    def module(self) -> str:
        return self.target.partition(":")[0]


def find_web_app(
    index: Index, code: PythonCode, starts: Starts, projects: list[PythonProject]
) -> tuple[WebApp | None, list[AppObject]]:
    """The app, and the other app objects that were seen. Evidence of the repository's own comes first."""
    objects = app_objects(code)
    declared = _declared(index, code, starts, objects)
    if declared is not None:
        return declared, [o for o in objects if o.path != declared.path]
    for chosen in objects:
        base, module = import_base(index, code, chosen.path)
        if not _MODULE.fullmatch(module):
            continue
        folder = _run_folder(base, projects)
        app = WebApp(
            framework=chosen.framework,
            target=f"{module}:{chosen.name}",
            folder=folder,
            base=base,
            path=chosen.path,
            evidence=Evidence(chosen.path, chosen.line),
            is_factory=chosen.is_factory,
            is_async=chosen.is_async,
        )
        return app, [o for o in objects if o.path != chosen.path and not o.is_factory]
    return None, []


def app_objects(code: PythonCode) -> list[AppObject]:
    """Every object that a server could serve, the likeliest first."""
    found: list[AppObject] = []
    for file in code.files.values():
        found += file.apps
        for target, called, line in file.assigned_calls:
            framework = _framework_of_call(code, file.path, called)
            if framework and re.search(r"app|api|server|asgi|wsgi", target, re.IGNORECASE):
                found.append(AppObject(file.path, target, framework, line))
    with_variable = {o.path for o in found}
    for file in code.files.values():
        if file.path not in with_variable:
            found += [f for f in file.factories if _makes_the_app(f)]
    return sorted(found, key=_likeliness)


def _makes_the_app(one: AppObject) -> bool:
    """`create_app()` wherever it is, and `create()` of a module that is called so."""
    is_its_module = re.search(r"(^|/)(app|application|server|factory)\.py$", one.path)
    return bool(re.search(r"app|server", one.name, re.IGNORECASE) or (is_its_module and _MAKES.match(one.name)))


_MAKES = re.compile(r"(?:create|make|build|get|init|factory)(?:_|$)")


def _likeliness(one: AppObject) -> tuple[bool, bool, bool, int, int, str]:
    name = one.path.rpartition("/")[2]
    usual = (
        "asgi.py",
        "wsgi.py",
        "main.py",
        "app.py",
        "server.py",
        "application.py",
        "run.py",
        "api.py",
        "__init__.py",
    )
    aside = bool(_NO_APP.search(one.path))
    return (
        aside,
        one.is_factory,
        one.framework in ("django", "django-asgi", "pyramid"),
        one.path.count("/") - (name == "__init__.py"),
        usual.index(name) if name in usual else len(usual),
        one.path,
    )


_DEEPEST = 2


def _framework_of_call(code: PythonCode, path: str, called: str, depth: int = 0) -> str:
    """The framework of what `called` returns, when it is a function of the tree that makes an app, or asks one to."""
    module, _, name = called.rpartition(".")
    source = code.module_file(module, path) if module else path
    if source not in code.files and module and not code.index.has(source):
        return ""
    file = code.files.get(source)
    if file is None or not name:
        return ""
    if name in file.imports and file.imports[name] != called and "." in file.imports[name]:
        return _framework_of_call(code, source, file.imports[name], depth) if name not in _functions(file) else ""
    function = _functions(file).get(name)
    if function is None:
        return ""
    made = made_inside(function, file.imports)
    if made or depth > _DEEPEST:
        return made
    local = local_imports(function, file.imports)
    asked = [dotted_name(each.func, local) for each in ast.walk(function) if isinstance(each, ast.Call)]
    if any(each.rpartition(".")[2] == "Celery" for each in asked):
        return ""  # a worker's app, which holds the web app for its tasks
    others = [one for one in dict.fromkeys(asked[:16]) if one and one != called]
    found = (_framework_of_call(code, source, one, depth + 1) for one in others)
    return next((framework for framework in found if framework), "")


def _functions(file: PyFile) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    return {n.name: n for n in file.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}


def import_base(index: Index, code: PythonCode, path: str) -> tuple[str, str]:
    """The folder a file is imported from, and its module name there.

    Its own absolute imports decide: the ancestor that holds what they name. Without any, the folder above the
    outermost package.
    """
    folder = folder_of(path)
    ancestors = [folder]
    while ancestors[-1]:
        ancestors.append(folder_of(ancestors[-1]))
    file = code.files.get(path)
    named = {tuple(full.split(".")[:2]) for full in file.imports.values()} if file else set()
    inside = [n for n in file.nodes if isinstance(n, ast.ImportFrom) and not n.level and n.module] if file else []
    named |= {tuple(f"{each.module}.{each.names[0].name}".split(".")[:2]) for each in inside}
    score: dict[str, int] = {}
    for each in ancestors:
        score[each] = sum(1 for names in named if _holds(index, each, *names))
    package = folder
    while index.has(join(package, "__init__.py")) and package:
        package = folder_of(package)
    best = max(ancestors, key=lambda a: (score[a], a == package, -ancestors.index(a)))
    if not score[best]:
        best = package
    module = path.removesuffix(".py")[len(best) + 1 if best else 0 :].replace("/", ".").removesuffix(".__init__")
    return best, module


def _holds(index: Index, folder: str, name: str, inner: str = "") -> bool:
    """True when `folder` has the module or package `name`; as the other packages of that name (`fastapi.FastAPI`), a
    folder without `__init__.py` counts by what is imported from it only."""
    if index.has(join(folder, f"{name}.py")):
        return True
    package = join(folder, name)
    if not name or package not in index.folders:
        return False
    return index.has(join(package, "__init__.py")) or not inner or any(
        index.has(join(package, f"{inner}{end}")) or join(package, inner) in index.folders for end in (".py", "")
    )  # fmt: skip


def _run_folder(base: str, projects: list[PythonProject]) -> str:
    """Where to run: beside the project's files, unless the module's folder is no part of a project."""
    for project in sorted(projects, key=lambda p: -len(p.folder)):
        inside = base == project.folder or not project.folder or base.startswith(project.folder + "/")
        if inside and base[len(project.folder) :].strip("/") in ("", "src"):
            return project.folder
    return base


def web_starts(starts: Starts) -> list[Start]:
    """The declared processes that may be the web one, by name first, and those of the root before an example's."""
    usual = re.compile(r"web|app|api|backend|server|django|site|www", re.IGNORECASE)
    from_procfile = [s for s in starts.found if s.evidence.path.rpartition("/")[2].lower() == "procfile"]
    if any(s.name == "web" for s in from_procfile):
        return [s for s in from_procfile if s.name == "web"] + [s for s in starts.found if s not in from_procfile]
    return sorted(starts.found, key=lambda s: (not usual.search(s.name), s.evidence.path.count("/")))


def _declared(index: Index, code: PythonCode, starts: Starts, objects: list[AppObject]) -> WebApp | None:
    for start in web_starts(starts):
        for command in start.commands:
            app = _served(index, code, start, command, objects)
            if app is not None:
                return app
    return None


def _served(index: Index, code: PythonCode, start: Start, command: Simple, objects: list[AppObject]) -> WebApp | None:
    words = command.words
    if command.name == "fastapi" and len(words) > 1 and words[1] in ("run", "dev"):
        return _fastapi_run(index, code, command, objects)
    if command.name == "flask" and "run" in words:
        named = option(words, "--app", "-A") or command.env.get("FLASK_APP", "") or start.env.get("FLASK_APP", "")
        words = ("gunicorn", named if ":" in named else f"{named.removesuffix('.py')}:app") if named else ()
    elif re.fullmatch(r"python[0-9.]*", command.name):
        words = _run_by_python(index, command, objects)
    elif command.name not in _SERVERS:
        return None
    aside = re.compile(r"[\d.]+:|localhost:|unix:|python:|file:")
    target = next((w for w in words[1:] if _TARGET.fullmatch(w) and not aside.match(w)), "")
    if not target:
        target = next((w for w in reversed(words[1:]) if re.fullmatch(r"[A-Za-z_]\w*(\.\w+)+", w)), "")
        target = f"{target}:application" if target else ""
    if not target:
        return None
    module, _, attribute = target.partition(":")
    inner = option(words, "--app-dir", "--chdir", "--pythonpath")
    found = _file_of(index, module, [join(command.folder, inner), command.folder, *_near(objects)])
    if found is None:
        return None
    base, path = found
    folder = command.folder if base == command.folder or base.startswith(command.folder + "/") else base
    if not command.folder and base not in ("", "src"):
        folder = base
    plain = re.sub(r"\(.*", "", attribute)
    known = next((o for o in objects if o.path == path and o.name == plain), None)
    framework = known.framework if known else _likely_framework(code, path, objects)
    if framework not in ASGI and ("uvicorn" in option(words, "-k", "--worker-class") or command.name in _ASGI_SERVERS):
        framework = "django-asgi" if framework == "django" else "starlette"
    workers = option(words, "--workers", "-w") or option(words, "--web-concurrency")
    return WebApp(
        framework=framework,
        target=target,
        folder=folder,
        base=base,
        path=path,
        evidence=command.evidence,
        is_factory="--factory" in words or bool(known and known.is_factory and "(" not in attribute),
        workers=int(workers) if workers.isascii() and workers.isdigit() and len(workers) < 3 else 0,
        is_declared=True,
    )


def _run_by_python(index: Index, command: Simple, objects: list[AppObject]) -> tuple[str, ...]:
    """What a server would be told for `python -m shop.app` or `python shop/app.py`, where that file has the app."""
    words = [word for word in command.words[1:] if word not in ("-u", "-O", "-B")]
    named = words[1] if words[:1] == ["-m"] and len(words) > 1 else ""
    path = join(command.folder, named.replace(".", "/") + ".py" if named else "".join(words[:1]))
    if named and not index.has(path):
        path = join(command.folder, named.replace(".", "/") + "/__main__.py")
    own = [one for one in objects if one.path == path and not one.is_factory and not one.framework.startswith("django")]
    if len({one.name for one in own}) != 1:
        return ()
    module = path[len(command.folder) + 1 if command.folder else 0 :].removesuffix(".py").replace("/", ".")
    return ("gunicorn", f"{module}:{own[0].name}") if _MODULE.fullmatch(module) else ()


def _near(objects: list[AppObject]) -> list[str]:
    return [folder_of(folder_of(o.path)) for o in objects[:10]]


def _likely_framework(code: PythonCode, path: str, objects: list[AppObject]) -> str:
    file = code.files.get(path)
    if file is not None:
        for one in objects:
            name = one.path.removesuffix(".py").removesuffix("/__init__").rpartition("/")[2]
            if any(name in full.split(".") for full in file.imports.values()):
                return one.framework
    return objects[0].framework if objects else ""


def _file_of(index: Index, module: str, bases: list[str]) -> tuple[str, str] | None:
    tail = module.replace(".", "/")
    for base in bases:
        for end in (".py", "/__init__.py"):
            if index.has(join(base, tail + end)):
                return base, join(base, tail + end)
    last = tail.rpartition("/")[2]
    for path in index.named(f"{last}.py"):
        if path.endswith(f"/{tail}.py"):
            return path[: -len(tail) - 4], path
    return None


def _fastapi_run(index: Index, code: PythonCode, command: Simple, objects: list[AppObject]) -> WebApp | None:
    named = next((w for w in command.words[2:] if w.endswith(".py")), "")
    candidates = (
        [join(command.folder, named)] if named else [join(command.folder, n) for n in ("main.py", "app/main.py")]
    )
    path = next((p for p in candidates if index.has(p)), "")
    if not path and named:
        path = next((p for p in index.named(named.rpartition("/")[2]) if p.endswith(f"/{named}")), "")
    chosen = next((o for o in objects if o.path == path), None)
    if chosen is None:
        return None
    base, module = import_base(index, code, path)
    workers = option(command.words, "--workers")
    return WebApp(
        framework=chosen.framework,
        target=f"{module}:{chosen.name}",
        folder=command.folder if base == command.folder else base,
        base=base,
        path=path,
        evidence=command.evidence,
        workers=int(workers) if workers.isascii() and workers.isdigit() and len(workers) < 3 else 0,
        is_declared=True,
    )


def web_command(app: WebApp, *, threads: int = 4, workers: int = 2, with_granian: bool = False) -> tuple[str, str]:
    """The shell line that serves `app` on loopback, and the package it needs."""
    inner = shlex.quote(app.base[len(app.folder) :].strip("/")) if app.base != app.folder else ""
    target = shlex.quote(app.target)
    if app.is_asgi and with_granian:
        words = f"granian {target} --interface asgi --host 127.0.0.1 --port $PORT"
        words += " --factory" if app.is_factory else ""
        return words + (f" --working-dir {inner}" if inner else ""), "granian"
    if app.is_asgi:
        words = f"uvicorn {target} --host 127.0.0.1 --port $PORT"
        words += " --factory" if app.is_factory else ""
        words += f" --app-dir {inner}" if inner else ""
        return words, "uvicorn"
    if app.framework == "aiohttp":
        target = shlex.quote(f"{app.target}()") if app.is_factory and not app.is_async else target
        return f"gunicorn {target} --bind 127.0.0.1:$PORT --worker-class aiohttp.GunicornWebWorker", "gunicorn"
    if app.is_factory and "(" not in target:
        target = shlex.quote(f"{app.target}()")
    words = f"gunicorn {target} --bind 127.0.0.1:$PORT --workers {workers} --threads {threads}"
    words += f" --pythonpath {inner}" if inner else ""
    return words, "gunicorn"
