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
    """`path("healthz/", …)` of the outermost urls.py, and of those it includes."""
    out: list[tuple[str, Evidence]] = []
    files = sorted((p for p in code.files if p.endswith("urls.py")), key=lambda p: (p.count("/"), p))
    included: dict[str, str] = {}
    for path in files[:40]:
        for call in code.files[path].calls:
            if (
                call.name.rpartition(".")[2] in ("path", "re_path", "url")
                and len(call.args) > 1
                and call.args[0] is not None
            ):
                route = call.args[0].lstrip("^").rstrip("$")
                prefix = included.get(path, "" if path == files[0] or _is_root(path, code) else "?")
                if "?" not in prefix:
                    out.append((f"/{prefix}{route}", Evidence(path, call.line)))
        for node in code.files[path].nodes:
            if isinstance(node, ast.Call) and len(node.args) > 1 and isinstance(node.args[1], ast.Call):
                inner = node.args[1]
                module = literal(inner.args[0]) if inner.args else None
                lead = literal(node.args[0])
                if dotted_name(inner.func, {}) == "include" and module is not None and lead is not None:
                    target = code.module_file(module, path)
                    if target and target != path and "?" not in included.get(path, ""):
                        included.setdefault(target, included.get(path, "") + lead.lstrip("^"))
    return out


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
