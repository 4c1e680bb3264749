"""What Python sources say when they are parsed, never run: app objects, factories, routes, settings, environment."""

from __future__ import annotations

import ast
import json
import re
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from underway.detect.index import Index, folder_of
from underway.detect.model import Evidence
from underway.detect.python_syntax import syntax_tree

FRAMEWORKS = {
    "fastapi.FastAPI": "fastapi",
    "fastapi.applications.FastAPI": "fastapi",
    "starlette.applications.Starlette": "starlette",
    "litestar.Litestar": "litestar",
    "litestar.app.Litestar": "litestar",
    "quart.Quart": "quart",
    "sanic.Sanic": "sanic",
    "blacksheep.Application": "blacksheep",
    "falcon.asgi.App": "falcon",
    "flask.Flask": "flask",
    "flask.app.Flask": "flask",
    "bottle.Bottle": "bottle",
    "falcon.App": "falcon-wsgi",
    "pyramid.config.Configurator": "pyramid",
    "aiohttp.web.Application": "aiohttp",
    "django.core.wsgi.get_wsgi_application": "django",
    "django.core.asgi.get_asgi_application": "django-asgi",
}
ASGI = frozenset({"fastapi", "starlette", "litestar", "quart", "sanic", "blacksheep", "falcon", "django-asgi"})

_WORTH = re.compile(
    r"Celery\(|Scheduler|Dynaconf|Validator\(|from_prefixed_env|streamlit|gradio|chainlit|Dash\(|aiohttp|FastAPI|Starlette|Litestar|Quart|Sanic|Flask|Bottle|falcon|Configurator|Blueprint|APIRouter|include_router|"
    r"MEDIA_ROOT|STATIC_ROOT|DATABASES|UPLOAD|sqlite|environ|getenv|BaseSettings|config\(|env\(|env\.|urlpatterns|ALLOWED_HOSTS|create_async_engine|wsgi|asgi|Settings|"
    r"create_all|create_tables|CREATE TABLE|drop_all|(?:create|make|get|build|init)_\w{0,20}app\w{0,10}\(|SocketIO|"
    r"SQLAlchemy\(|nicegui|bottle|tornado|http\.server|wsgiref|waitress|cherrypy|asgineer|websockets|pywebio|\bflet\b"
)
_MOST_PARSED = 600_000
"""Characters of Python parsed in one tree: about half a second's work. The likeliest files come first."""
_MOST_NODES = 60_000
_MOST_READ = 4_000_000
_LARGEST = 100_000
_ONE_AT_A_TIME = threading.Lock()
"""CPython before 3.11.8 and 3.12.2 counts the depth of all threads' trees in one place and fails with a SystemError
(python/cpython#106905); `warnings.catch_warnings` too is for one thread only. The lock costs nothing: parsing holds
the interpreter anyway."""
_LIKELY = re.compile(
    r"(main|app|wsgi|asgi|server|settings|config|__init__|__main__|urls|manage|application|base|production|prod|api|"
    r"routes|run|index|start|autoapp)\.py"
)


@dataclass(frozen=True)
class AppObject:
    """A variable (or function that returns one, `is_factory`) that a server can serve."""

    path: str
    name: str
    framework: str
    line: int
    is_factory: bool = False
    is_async: bool = False


@dataclass(frozen=True)
class EnvRead:
    """One place that reads an environment variable.

    `default` is its literal as text, None when there is none or it is not a literal; `is_required` when reading
    fails without the variable. `is_list` and `is_number` tell how the value is understood, `separator` by what it is
    split (empty: as JSON), `compared` what it is compared with. `made_up` when the default is made at each start
    (`secrets.token_urlsafe()`). `part` is the part of a database's address that it stands for in Django's DATABASES.
    `choices` are all the values it may have, where its type lists them.
    """

    name: str
    evidence: Evidence
    is_required: bool
    default: str | None = None
    is_list: bool = False
    is_number: bool = False
    is_conditional: bool = False
    separator: str = ","
    made_up: bool = False
    compared: str = ""
    part: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """A call worth remembering: its qualified name, literal arguments, and the variable it was assigned to."""

    name: str
    line: int
    args: tuple[str, ...]
    keywords: dict[str, str]
    target: str = ""


@dataclass
class PyFile:
    path: str
    imports: dict[str, str] = field(default_factory=dict)
    apps: list[AppObject] = field(default_factory=list)
    factories: list[AppObject] = field(default_factory=list)
    assigned_calls: list[tuple[str, str, int]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    decorated: list[tuple[str, str, str, int]] = field(default_factory=list)
    literals: dict[str, tuple[ast.expr, int]] = field(default_factory=dict)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    body: list[ast.stmt] = field(default_factory=list)
    nodes: list[ast.AST] = field(default_factory=list)
    above: list[int] = field(default_factory=list)
    """`nodes` is the whole syntax tree, parents first; `above[n]` is where the parent of `nodes[n]` is."""


class PythonCode:
    """All Python of a tree that is worth parsing, parsed once: `worth` says by its words which sources are."""

    def __init__(
        self,
        index: Index,
        *,
        ends: tuple[str, ...] = (".py",),
        worth: re.Pattern[str] | None = None,
        most_parsed: int = _MOST_PARSED,
    ) -> None:
        self.index = index
        self.files: dict[str, PyFile] = {}
        more = most_parsed // _MOST_PARSED
        left, unread, nodes_left = most_parsed, _MOST_READ * more, _MOST_NODES * more
        for path in sorted((p for p in index.ending(*ends) if "/migrations/" not in p), key=_interest)[: 3000 * more]:
            text = index.text(path)
            unread -= len(text)
            if unread < 0:
                break
            if (
                not text
                or len(text) > _LARGEST
                or not ((worth or _WORTH).search(text) or _LIKELY.fullmatch(path.rpartition("/")[2]))
            ):
                continue
            left -= len(text)
            if left < 0 or nodes_left < 0:
                break
            parsed = parse(path, text)
            if parsed is not None:
                self.files[path] = parsed
                nodes_left -= len(parsed.nodes)

    @cached_property
    def functions(self) -> dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]]:
        """Functions and methods by name, wherever they are; those of tests aside."""
        out: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] = {}
        for path, file in self.files.items():
            if re.search(r"(^|/)tests?/|(^|/)(test_\w+|\w+_test|conftest)\.py$", path):
                continue
            for node in file.nodes:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    out.setdefault(node.name, []).append(node)
        return out

    def module_file(self, dotted: str, near: str = "") -> str:
        """The file of a module, looked for next to `near` and upwards, then anywhere."""
        tail = dotted.replace(".", "/")
        folder = folder_of(near)
        while True:
            for end in (".py", "/__init__.py"):
                path = f"{folder}/{tail}{end}" if folder else f"{tail}{end}"
                if self.index.has(path):
                    return path
            if not folder:
                return ""
            folder = folder_of(folder)


def _interest(path: str) -> tuple[int, int, str]:
    likely = _LIKELY.fullmatch(path.rpartition("/")[2])
    in_settings = "/settings/" in path or "/config/" in path or "/core/" in path
    return (0 if likely or in_settings else 1, path.count("/"), path)


def parse(path: str, text: str) -> PyFile | None:
    """The facts of one source; None when it does not parse."""
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a strange escape in someone's source is not ours to report
        module = syntax_tree(text)
    if module is None:
        return None
    out = PyFile(path, body=module.body)
    out.nodes, out.above = _flat(module)
    for node in module.body:
        _top_level(node, out, 0)
    for each in out.nodes:
        if isinstance(each, ast.Call):
            out.calls.append(_call(each, out.imports))
        elif isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in each.decorator_list:
                _decorator(decorator, out)
    return out


def _flat(module: ast.Module) -> tuple[list[ast.AST], list[int]]:
    """Every node with the place of its parent, parents first; without the Load and Store marks."""
    nodes: list[ast.AST] = [module]
    above = [0]
    for place, node in enumerate(nodes):  # grows while it is walked
        for name in node._fields:
            if name == "ctx" or name == "op":
                continue
            value = getattr(node, name, None)
            if isinstance(value, list):
                for each in value:
                    if isinstance(each, ast.AST):
                        nodes.append(each)
                        above.append(place)
            elif isinstance(value, ast.AST):
                nodes.append(value)
                above.append(place)
    return nodes, above


def _top_level(node: ast.stmt, out: PyFile, depth: int) -> None:
    if isinstance(node, ast.Import):
        for name in node.names:
            out.imports[name.asname or name.name.split(".")[0]] = name.name if name.asname else name.name.split(".")[0]
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(out.path, node)
        for name in node.names:
            local = name.asname or (name.name if name.name != "*" else f"* {base}")
            out.imports[local] = f"{base}.{name.name}" if base else name.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and node.value is not None:
                out.literals[target.id] = (node.value, node.lineno)
                if isinstance(node.value, ast.Call):
                    called = dotted_name(node.value.func, out.imports)
                    if called in FRAMEWORKS:
                        out.apps.append(AppObject(out.path, target.id, FRAMEWORKS[called], node.lineno))
                    else:
                        out.assigned_calls.append((target.id, called, node.lineno))
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        framework = made_inside(node, out.imports)
        if framework and not _needs_arguments(node):
            is_async = isinstance(node, ast.AsyncFunctionDef)
            made = AppObject(out.path, node.name, framework, node.lineno, is_factory=True, is_async=is_async)
            out.factories.append(made)
    elif isinstance(node, ast.ClassDef):
        out.classes[node.name] = node
        made_of = (dotted_name(base, out.imports) for base in node.bases)
        if framework := next((name for name in made_of if name in FRAMEWORKS), ""):
            out.imports[node.name] = framework  # `class Shop(Flask)`: what it makes is a Flask app
    elif isinstance(node, ast.If | ast.Try | ast.With) and depth < 5:
        inner = [*node.body]
        if isinstance(node, ast.If | ast.Try):
            inner += node.orelse
        if isinstance(node, ast.Try):
            inner += [one for handler in node.handlers for one in handler.body] + node.finalbody
        if isinstance(node, ast.If) and is_main_guard(node.test):
            return
        for each_inner in inner:
            _top_level(each_inner, out, depth + 1)


def is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _absolute(path: str, node: ast.ImportFrom) -> str:
    """The module an import names, with leading dots resolved against the file's folder."""
    if not node.level:
        return node.module or ""
    folder = folder_of(path).split("/") if folder_of(path) else []
    kept = folder[: len(folder) - (node.level - 1)] if node.level > 1 else folder
    return ".".join([*kept, *([node.module] if node.module else [])])


def _needs_arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    count = len(node.args.posonlyargs) + len(node.args.args)
    return count > len(node.args.defaults) or any(d is None for d in node.args.kw_defaults)


def local_imports(node: ast.AST, imports: dict[str, str]) -> dict[str, str]:
    """What names mean inside a function, which may import for itself."""
    local = dict(imports)
    for each in ast.walk(node):
        if isinstance(each, ast.ImportFrom) and not each.level:
            local.update({n.asname or n.name: f"{each.module}.{n.name}" for n in each.names})
    return local


def made_inside(node: ast.FunctionDef | ast.AsyncFunctionDef, imports: dict[str, str]) -> str:
    """The framework of the app that a function returns, by what it says it returns and by what it makes."""
    local = local_imports(node, imports)
    said = dotted_name(node.returns, local) if node.returns is not None else ""
    if said in FRAMEWORKS:
        return FRAMEWORKS[said]
    for each in ast.walk(node):
        if isinstance(each, ast.Call):
            called = dotted_name(each.func, local)
            if called in FRAMEWORKS:
                return FRAMEWORKS[called]
    return ""


def dotted_name(node: ast.expr, imports: dict[str, str]) -> str:
    """`os.environ.get` for an expression of names and attributes, the first name resolved through imports."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
        if len(parts) > 20:
            return ""
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([imports.get(node.id, node.id), *reversed(parts)])


def literal(node: ast.expr | None) -> str | None:
    """A constant as text; None for anything that is computed. A list of texts is as JSON writes it."""
    if isinstance(node, ast.List | ast.Tuple):
        texts = [each.value if isinstance(each, ast.Constant) else None for each in node.elts[:50]]
        return json.dumps(texts) if texts and all(isinstance(t, str) for t in texts) else None
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | bool):
        if isinstance(node.value, int) and node.value.bit_length() > 200:
            return None
        return str(node.value)
    return None


def _call(node: ast.Call, imports: dict[str, str]) -> Call:
    args = tuple(literal(a) or dotted_name(a, imports) for a in node.args[:4])
    keywords = {k.arg: literal(k.value) or dotted_name(k.value, imports) for k in node.keywords[:20] if k.arg}
    return Call(dotted_name(node.func, imports), node.lineno, args, keywords)


_VERBS = frozenset({"get", "head", "route", "api_route", "websocket"})


def _decorator(node: ast.expr, out: PyFile) -> None:
    if not isinstance(node, ast.Call):
        return
    name = dotted_name(node.func, {})
    owner, _, verb = name.rpartition(".")
    if verb not in _VERBS and name not in _VERBS:
        return
    path = (
        literal(node.args[0]) if node.args else next((literal(k.value) for k in node.keywords if k.arg == "path"), None)
    )
    methods = next((source_of(k.value) for k in node.keywords if k.arg in ("methods", "http_method")), "GET")
    if path is not None and "GET" in methods.upper():
        out.decorated.append((owner, verb or name, path, node.lineno))


def source_of(node: ast.AST) -> str:
    """The source of an expression; empty when it is nested too deeply to be of interest."""
    try:
        return ast.unparse(node)
    except RecursionError:
        return ""


def constants(file: PyFile) -> Iterator[str]:
    """Every text constant of a file."""
    for each in file.nodes:
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value
