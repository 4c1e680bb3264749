"""How to ask an app whether it is well: what its own files ask, then what its routes are called."""

from __future__ import annotations

import ast
import re

from underway.detect.index import Index
from underway.detect.model import Evidence
from underway.detect.python_app import WebApp
from underway.detect.python_code import PyFile, PythonCode, dotted_name, literal
from underway.detect.starts import Starts

_URL = re.compile(r"https?://[^/\s\"'|)]+(/[^\s\"'|);,&]*)?")
_HEALTHY = re.compile(
    r"/(?:[\w.{}-]+/){0,5}_*(health|healthz|health[_-]?check|status|up|ready|readyz|readiness|live|livez|liveness|ping|heartbeat|ht)_*/?",
    re.IGNORECASE | re.ASCII,
)
_RANK = ("ready", "readyz", "readiness", "healthz", "health", "health-check", "health_check", "healthcheck", "up", "ht")


def declared_health(starts: Starts) -> tuple[str, Evidence] | None:
    """The path that a compose healthcheck or a Dockerfile's HEALTHCHECK asks."""
    for line, evidence in starts.healthchecks:
        found = _URL.search(line)
        if found and not re.search(r"pg_isready|redis-cli|mysqladmin", line):
            path = found[1] or "/"
            if re.fullmatch(r"/[\w./~%?=&-]{0,500}", path, re.ASCII) and not path.startswith("//"):
                return path, evidence
    return None


def python_health(code: PythonCode, app: WebApp) -> tuple[str, Evidence] | None:
    """A route of the app named like a health check, with the prefixes of the routers it is included in."""
    found = [
        (path, evidence) for path, evidence in python_routes(code, app) if _HEALTHY.fullmatch(path) and "{" not in path
    ]
    found += [(p, e) for p, e in _django_routes(code) if _HEALTHY.fullmatch(p) and "<" not in p]
    return min(found, key=lambda pair: _rank(pair[0]), default=None)


_LIMITS = re.compile(
    r"@throttle_classes\(|\bthrottle_classes\s*=\s*[\[(]\s*\w|DEFAULT_THROTTLE_CLASSES['\"]\s*:\s*[\[(]\s*['\"]"
)
"""How Django REST framework limits requests: 429 to what is over it (its guide, "Throttling")."""


def limits_requests(code: PythonCode, route: Evidence) -> Evidence | None:
    """Where the views beside `route`, or the settings, limit how often a route is asked."""
    beside = route.path.rpartition("/")[0]
    for path in code.index.ending(".py"):
        folder, _, name = path.rpartition("/")
        if (folder == beside and name.startswith("view")) or "settings" in path:
            text = code.index.text(path)
            if found := _LIMITS.search(text):
                return Evidence.at(path, text, found.start())
    return None


def _rank(path: str) -> tuple[int, int, str]:
    word = path.strip("/").rpartition("/")[2].strip("_").lower()
    return (_RANK.index(word) if word in _RANK else len(_RANK), path.count("/"), path)


def python_routes(code: PythonCode, app: WebApp) -> list[tuple[str, Evidence]]:
    """Every path that a GET reaches, with the prefixes of the routers it is included in, and its decorator."""
    prefixes = _prefixes(code, app)
    out = []
    for file in code.files.values():
        for owner, _, path, line in file.decorated:
            for prefix in prefixes.get((file.path, owner), ()):
                whole = f"{prefix}{path}" if path.startswith("/") or not path else f"{prefix}/{path}"
                out.append((whole or "/", Evidence(file.path, line)))
    return out


def _prefixes(code: PythonCode, app: WebApp) -> dict[tuple[str, str], list[str]]:
    """By file and variable: the paths under which a router is reachable from an app object."""
    edges: dict[tuple[str, str], list[tuple[tuple[str, str], str]]] = {}
    own: dict[tuple[str, str], str] = {}
    roots: set[tuple[str, str]] = set()
    looped: set[tuple[str, str]] = set()
    of_loops: list[tuple[str, str]] = []
    for file in code.files.values():
        roots |= {(file.path, each.name) for each in file.apps}
        for node in file.nodes:
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.value, ast.Call)
                and isinstance(node.targets[0], ast.Name)
            ):
                called = dotted_name(node.value.func, file.imports).rpartition(".")[2]
                name = node.targets[0].id
                if called in ("APIRouter", "Blueprint", "Router"):
                    own[(file.path, name)] = _prefix(code, file, node.value, "prefix", "url_prefix")
                elif called in ("FastAPI", "Flask", "Quart", "Starlette"):
                    roots.add((file.path, name))
            if isinstance(node, ast.For) and isinstance(node.target, ast.Name):
                looped |= {(file.path, node.target.id)}
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
                continue
            if node.func.attr in ("include_router", "register_blueprint"):
                parent = _variable(code, file, node.func.value)
                child = _variable(code, file, node.args[0])
                if parent and child in looped and len(node.args) + len(node.keywords) == 1:
                    of_loops.append(parent)
                elif parent and child:
                    prefix = _prefix(code, file, node, "prefix", "url_prefix")
                    edges.setdefault(parent, []).append((child, prefix))
    if of_loops:  # `for each in blueprints: app.register_blueprint(each)`: those that nothing else registers
        known = {child for children in edges.values() for child, _ in children}
        edges.setdefault(of_loops[0], []).extend((one, "") for one in own if one not in known)
    out: dict[tuple[str, str], list[str]] = {}
    waiting = [(root, "", 0) for root in sorted(roots)]
    while waiting and len(out) < 2000:
        at, prefix, depth = waiting.pop()
        if "?" in prefix or prefix in out.get(at, ()):
            continue
        out.setdefault(at, []).append(prefix)
        if depth < 6:
            waiting += [(child, prefix + more + own.get(child, ""), depth + 1) for child, more in edges.get(at, ())]
    return out


def _prefix(code: PythonCode, file: PyFile, call: ast.Call, *names: str) -> str:
    """The text of a prefix argument; `?` when it cannot be known."""
    node = next((k.value for k in call.keywords if k.arg in names), None)
    if node is None:
        return ""
    text = _text_of(code, file, node)
    return "?" if text is None else text.rstrip("/")


def _text_of(code: PythonCode, file: PyFile, node: ast.expr) -> str | None:
    """A text constant, a module's constant, or the default of a settings field of that name."""
    if (text := literal(node)) is not None:
        return text
    if isinstance(node, ast.JoinedStr):
        parts = [_text_of(code, file, v.value if isinstance(v, ast.FormattedValue) else v) for v in node.values]
        return None if any(p is None for p in parts) else "".join(p for p in parts if p)
    if isinstance(node, ast.Name) and node.id in file.literals:
        return literal(file.literals[node.id][0])
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    for other in code.files.values():
        for each in other.classes.values():
            for field in each.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.target.id == name:
                    return literal(field.value)
        if name in other.literals and (text := literal(other.literals[name][0])) is not None:
            return text
    return None


def _variable(code: PythonCode, file: PyFile, node: ast.expr) -> tuple[str, str] | None:
    """The file and name of the variable that an expression names."""
    if isinstance(node, ast.Name):
        full = file.imports.get(node.id, "")
        if not full:
            return (file.path, node.id)
        return _imported(code, file.path, full)
    if isinstance(node, ast.Attribute):
        return _imported(code, file.path, dotted_name(node, file.imports))
    return None


def _imported(code: PythonCode, near: str, full: str, depth: int = 0) -> tuple[str, str] | None:
    module, _, name = full.rpartition(".")
    source = code.module_file(module, near) if module else ""
    if not source:
        return None
    file = code.files.get(source)
    if file is not None and name in file.imports and "." in file.imports[name] and depth < 4:
        return _imported(code, source, file.imports[name], depth + 1)
    return (source, name)


def _django_routes(code: PythonCode) -> list[tuple[str, Evidence]]:
    """Every `path("healthz/", …)` that the outermost urls.py leads to, with the prefixes of what includes it."""
    files = sorted((p for p in code.files if p.endswith("urls.py")), key=lambda p: (p.count("/"), p))
    roots = [path for path in files if _is_root(path, code)] or files[:1]
    out: list[tuple[str, Evidence]] = []
    for path in roots[:3]:
        _routes_of_file(code, path, "/", out, 0)
    return out


_MOST_ROUTES = 2_000


def _routes_of_file(code: PythonCode, path: str, prefix: str, out: list[tuple[str, Evidence]], depth: int) -> None:
    """The routes of the module's `urlpatterns`, but for those that only DEBUG adds."""
    if depth > 6:
        return
    file = code.files[path]
    for node in file.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and target.id == "urlpatterns" for target in targets):
            _routes_of(code, file, node.value, prefix, out, depth)


def _routes_of(
    code: PythonCode, file: PyFile, node: ast.expr, prefix: str, out: list[tuple[str, Evidence]], depth: int
) -> None:
    if depth > 12 or len(out) > _MOST_ROUTES:
        return
    if isinstance(node, ast.List | ast.Tuple):
        for each in node.elts:
            _routes_of(code, file, each, prefix, out, depth + 1)
    elif isinstance(node, ast.BinOp):
        for each in (node.left, node.right):
            _routes_of(code, file, each, prefix, out, depth + 1)
    elif isinstance(node, ast.Name) and node.id in file.literals:
        _routes_of(code, file, file.literals[node.id][0], prefix, out, depth + 1)
    elif isinstance(node, ast.Call) and len(node.args) > 1:
        route = literal(node.args[0])
        if dotted_name(node.func, {}).rpartition(".")[2] not in ("path", "re_path", "url") or route is None:
            return
        whole, leads_to = prefix + route.lstrip("^").rstrip("$"), node.args[1]
        if not (isinstance(leads_to, ast.Call) and dotted_name(leads_to.func, {}).rpartition(".")[2] == "include"):
            out.append((whole, Evidence(file.path, node.lineno)))
        elif leads_to.args:
            _included(code, file, leads_to.args[0], whole, out, depth)


def _included(
    code: PythonCode, file: PyFile, what: ast.expr, prefix: str, out: list[tuple[str, Evidence]], depth: int
) -> None:
    """`include("shop.urls")`, `include(shop.urls)`, `include([…])`, and each of them with the name of its app."""
    if isinstance(what, ast.Tuple) and what.elts:
        what = what.elts[0]
    module = literal(what) or (dotted_name(what, file.imports) if isinstance(what, ast.Attribute) else "")
    target = code.module_file(module, file.path) if module else ""
    if target and target != file.path and target in code.files:
        _routes_of_file(code, target, prefix, out, depth + 1)
    elif not module:
        _routes_of(code, file, what, prefix, out, depth + 1)


def _is_root(path: str, code: PythonCode) -> bool:
    module = path.removesuffix(".py").replace("/", ".")
    for file in code.files.values():
        value = file.literals.get("ROOT_URLCONF")
        if value is not None and (text := literal(value[0])) is not None and module.endswith(text):
            return True
    return False


def text_health(index: Index, paths: list[str]) -> tuple[str, Evidence] | None:
    """A health route in JavaScript: `app.get('/health', …)` on the app itself."""
    found: list[tuple[str, Evidence]] = []
    route = re.compile(r"""\b(?:app|server|fastify)\.(?:get|all|route)\(\s*['"`](/[\w./-]*)['"`]""")
    for path in paths[:300]:
        text = index.text(path)
        if "get(" not in text and "route(" not in text:
            continue
        for each in route.finditer(text):
            if _HEALTHY.fullmatch(each[1]):
                found.append((each[1], Evidence.at(path, text, each.start())))
    return min(found, key=lambda pair: _rank(pair[0]), default=None)
