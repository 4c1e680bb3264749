"""A Django project: its settings, its server module, its migrations and its static files."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from underway.detect.django_paths import folder_path
from underway.detect.index import Index, by_depth, folder_of, join
from underway.detect.model import Evidence
from underway.detect.python_code import PyFile, PythonCode, literal, source_of
from underway.detect.settings_truth import holds
from underway.detect.starts import Starts


@dataclass
class Django:
    """`folder` holds manage.py. `settings` is the module in use, `files` its sources with those it builds on.

    `names_settings` when the module has to be named because manage.py would take another. `static_root` and
    `media_root` are inside the tree, empty when unknown or absent. `static_root_if` is the condition under which
    alone STATIC_ROOT is set, when it is about anything that a deploy does not settle. `has_sockets` when asgi.py
    routes WebSockets (channels.readthedocs.io: ProtocolTypeRouter), which wsgi.py cannot serve; `sockets` is the
    object that does it where asgi.py does not, as Channels 2 had it.
    """

    folder: str
    settings: str
    evidence: Evidence
    files: list[str] = field(default_factory=list)
    names_settings: bool = False
    wsgi: str = ""
    asgi: str = ""
    static_url: str = "/static/"
    static_root: str = ""
    has_static_root: bool = False
    static_root_if: str = ""
    media_root: str = ""
    sqlite: str = ""
    uses_postgres_engine: bool = False
    has_fixed_database: bool = False
    has_hosts: bool = False
    hosts_literal: tuple[str, ...] | None = None
    compresses_offline: bool = False
    has_sockets: bool = False
    sockets: str = ""


_POSTGRES_ENGINE = re.compile(
    r"django\.db\.backends\.postgres|backends\.postgis|django\.contrib\.gis\.db\.backends\.postgis"
)
_SETTINGS = re.compile(r"""DJANGO_SETTINGS_MODULE['"]?\s*[,=\]]+\s*=?\s*['"]?([\w.]+)""")


def find_django(index: Index, code: PythonCode, starts: Starts) -> Django | None:
    """The Django project nearest to the root; None when there is none."""
    for path in index.named("manage.py")[:5]:
        text = index.text(path)
        found = _SETTINGS.search(text)
        folder = folder_of(path)
        if found is None and "django" not in text and not _has_wsgi(index, folder):
            continue
        is_named = found is not None and ("." in found[1] or text[found.start(1) - 1] in "'\"")
        own = found[1] if found is not None and is_named else ""  # else a variable or a call gives it
        settings, evidence = _settings_in_use(index, starts, folder, own, _at(path, text, found))
        django = Django(folder, settings, evidence, names_settings=bool(settings and settings != own))
        django.files = _sources(index, code, folder, settings)
        django.wsgi = _server_module(index, django, "wsgi")
        django.asgi = _server_module(index, django, "asgi")
        served = index.text(join(folder, django.asgi.replace(".", "/") + ".py")) if django.asgi else ""
        django.has_sockets = "ProtocolTypeRouter" in served
        if django.has_sockets and _imports_before_setup(index, folder, served):
            django.sockets = f"{django.asgi}:application"
        for name in django.files:
            file = code.files.get(name)
            if file is not None:
                _read_settings(index, django, file)
        return django
    return None


def _imports_before_setup(index: Index, folder: str, text: str) -> bool:
    """True for an asgi.py that imports the project's routes before Django is set up, which only `runserver` did first
    (channels.readthedocs.io, "Deploying": get_asgi_application() comes before what imports models)."""
    for line in text.split("\n"):
        if re.search(r"(?<!import )\bget_asgi_application\(\)|\bdjango\.setup\(\)", line):
            return False
        found = re.match(r"(?:from|import)[ \t]+(\.*\w*)", line)
        name = found[1].split(".")[0] if found else ""
        if found and (found[1].startswith(".") or (name and join(folder, name) in index.folders)):
            return True
    return False


def _has_wsgi(index: Index, folder: str) -> bool:
    """True where a server module of Django's lies below: manage.py may leave all to a module of the project."""
    inside = f"{folder}/" if folder else ""
    return any("get_wsgi_application" in index.text(p) for p in index.named("wsgi.py")[:5] if p.startswith(inside))


def _at(path: str, text: str, found: re.Match[str] | None) -> Evidence:
    return Evidence.at(path, text, found.start() if found else 0)


def _settings_in_use(index: Index, starts: Starts, folder: str, own: str, own_at: Evidence) -> tuple[str, Evidence]:
    """What the container or Procfile names, then what wsgi.py names, then a production module beside the others."""
    declared = starts.environment.get("DJANGO_SETTINGS_MODULE")
    if declared is not None and _module_path(index, folder, declared[0]) and not _is_for_development(declared[0]):
        return declared
    for start in starts.found:
        for command in start.commands:
            named = command.env.get("DJANGO_SETTINGS_MODULE", "")
            named = named or next((w.partition("=")[2] for w in command.words if w.startswith("--settings=")), "")
            if named and _module_path(index, folder, named):
                return named, command.evidence
    for path in index.named("wsgi.py", "asgi.py"):
        found = _SETTINGS.search(index.text(path))
        if found is None or not _module_path(index, folder, found[1]):
            continue
        if not _is_for_development(found[1]) and not _is_bare(index, folder, found[1]):
            return found[1], _at(path, index.text(path), found)
        own, own_at = (own, own_at) if own else (found[1], _at(path, index.text(path), found))
    if (not own or _is_bare(index, folder, own)) and (of_example := _settings_of_example(index, folder)):
        return of_example
    package = own.rpartition(".")[0] if _is_for_development(own) else own
    for name in ("production", "prod", "deploy", "live"):
        for module in (f"{package}.{name}", f"{package}.settings_{name}"):
            if path := _module_path(index, folder, module):
                return module, Evidence(path)
    return (own, own_at) if own and not _is_bare(index, folder, own) else _settings_found(index, folder, own_at)


def _settings_of_example(index: Index, folder: str) -> tuple[str, Evidence] | None:
    """What the example of the environment names, where nothing else does and no settings beside it hold more."""
    for path in index.named(".env.example", ".env.sample", ".env.template", "env.example"):
        found = re.search(r"^DJANGO_SETTINGS_MODULE=['\"]?([\w.]+)", index.text(path), re.MULTILINE)
        module = _module_path(index, folder, found[1]) if found else ""
        if not found or not module:
            continue
        beside = [join(folder_of(module), f"{name}.py") for name in ("production", "prod")]
        if not any("=" in index.text(each) for each in beside):
            return found[1], Evidence.at(path, index.text(path), found.start())
    return None


def _is_bare(index: Index, folder: str, module: str) -> bool:
    """True for a package of settings that holds none itself: a variable says which of its modules is meant."""
    path = _module_path(index, folder, module)
    said = re.search(r"^[ \t]*(?:from|import)\s|=", index.text(path), re.MULTILINE)
    return path.endswith("/__init__.py") and said is None


def _settings_found(index: Index, folder: str, otherwise: Evidence) -> tuple[str, Evidence]:
    """The settings of a project that names none: manage.py leaves it to a variable, which nobody has set here yet."""
    inside = f"{folder}/" if folder else ""
    for name in ("production.py", "prod.py", "settings.py", "__init__.py", "base.py", "common.py"):
        for path in by_depth(index.named(name)):
            is_settings = "settings" in path or "config" in path
            if path.startswith(inside) and is_settings and _holds_settings(index, path):
                module = path[len(inside) :].removesuffix(".py").removesuffix("/__init__").replace("/", ".")
                return module, Evidence(path)
    return "", otherwise


def _holds_settings(index: Index, path: str) -> bool:
    """True for a source with Django's settings, or with what is over those of a base beside it."""
    text = index.text(path)
    if re.search(r"^ROOT_URLCONF\b", text, re.MULTILINE):
        return True
    over = re.search(r"^from (?:\.|[\w.]+\.)(base|common|defaults|settings) import \*", text, re.MULTILINE)
    base = join(folder_of(path), f"{over[1]}.py") if over else ""
    return bool(base) and base != path and "ROOT_URLCONF" in index.text(base)


def _is_for_development(module: str) -> bool:
    return bool(re.search(r"(^|[._])(dev|development|local|test|testing|ci|docker_dev)$", module))


def _module_path(index: Index, folder: str, module: str) -> str:
    tail = module.replace(".", "/")
    for end in (".py", "/__init__.py"):
        for base in (folder, join(folder, "src")):
            if module and index.has(join(base, tail + end)):
                return join(base, tail + end)
    return ""


def _sources(index: Index, code: PythonCode, folder: str, settings: str) -> list[str]:
    """The settings file and every settings file it imports from."""
    waiting = [_module_path(index, folder, settings)]
    found: list[str] = []
    while waiting and len(found) < 12:
        path = waiting.pop(0)
        if not path or path in found:
            continue
        found.append(path)
        file = code.files.get(path)
        for full in file.imports.values() if file else ():
            for module in (full, full.rpartition(".")[0]):
                target = _module_path(index, folder, module) or _absolute_path(index, module)
                if target and target not in found and re.search(r"settings|config|base|common|conf|env", target):
                    waiting.append(target)
    return found


def _absolute_path(index: Index, module: str) -> str:
    """For relative imports, which are resolved to paths from the root."""
    tail = module.replace(".", "/")
    return next((tail + end for end in (".py", "/__init__.py") if tail and index.has(tail + end)), "")


def _server_module(index: Index, django: Django, name: str) -> str:
    package = django.settings.partition(".")[0]
    inside = f"{django.folder}/" if django.folder else ""
    candidates = [p for p in index.named(f"{name}.py") if p.startswith(inside)]
    candidates += [p for p in index.named("__init__.py") if p.startswith(inside) and p.endswith(f"/{name}/__init__.py")]
    candidates.sort(key=lambda p: (f"/{package}/" not in f"/{p}", p.count("/")))
    for path in candidates:
        if "application" in index.text(path):
            inner = path[len(django.folder) + 1 if django.folder else 0 :]
            return inner.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return ""


def _read_settings(index: Index, django: Django, file: PyFile) -> None:
    url = literal(file.literals["STATIC_URL"][0]) if "STATIC_URL" in file.literals else None
    if url is not None and re.fullmatch(r"/?[\w./-]{1,200}/", url, re.ASCII):
        django.static_url = "/" + url.lstrip("/")
    if "STATIC_ROOT" in file.literals and not django.has_static_root:
        django.has_static_root = not _is_none(file.literals["STATIC_ROOT"][0])
        django.static_root = folder_path(index, file, file.literals["STATIC_ROOT"][0], django.folder)
        django.static_root_if = _condition_of(file.body, "STATIC_ROOT", file) or ""
    if "MEDIA_ROOT" in file.literals and not django.media_root:
        django.media_root = folder_path(index, file, file.literals["MEDIA_ROOT"][0], django.folder)
    hosts = file.literals.get("ALLOWED_HOSTS")
    if hosts is not None and not django.has_hosts:  # the settings in use come first, what they build on after them
        django.has_hosts = True
        texts = [literal(e) for e in hosts[0].elts] if isinstance(hosts[0], ast.List | ast.Tuple) else [None]
        if all(t is not None for t in texts):
            django.hosts_literal = tuple(t for t in texts if t is not None)
    databases = assigned(file, "DATABASES")
    if any(_POSTGRES_ENGINE.search(source_of(each)) for each in databases):
        django.uses_postgres_engine = True
        django.has_fixed_database = not any(
            isinstance(n, ast.Call | ast.Subscript | ast.Name) for each in databases for n in ast.walk(each)
        )
    routed = literal(file.literals["ASGI_APPLICATION"][0]) if "ASGI_APPLICATION" in file.literals else None
    if routed and not django.has_sockets and not django.sockets:
        module, _, name = routed.rpartition(".")
        path = _module_path(index, django.folder, module)
        if name.isidentifier() and "ProtocolTypeRouter" in index.text(path):
            django.sockets, django.has_sockets = f"{module}:{name}", True
    offline = file.literals.get("COMPRESS_OFFLINE")
    if offline is not None and literal(offline[0]) == "True":
        django.compresses_offline = True
    for node in file.nodes:
        if isinstance(node, ast.Dict) and not django.sqlite:
            named = {literal(key): value for key, value in zip(node.keys, node.values, strict=True) if key is not None}
            engine = literal(named.get("ENGINE")) or ""
            if "sqlite3" in engine and (value := named.get("NAME")) is not None:
                django.sqlite = folder_path(index, file, value, django.folder)


def assigned(file: PyFile, name: str) -> list[ast.expr]:
    """Every value that `name` is given in the file, whatever the branch."""
    return [
        node.value
        for node in file.nodes
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets)
    ]


def setting_at(index: Index, django: Django, name: str) -> Evidence:
    """Where the settings in use set `name`."""
    for path in django.files:
        found = re.search(rf"^[ \t]*{name}\b", index.text(path), re.MULTILINE)
        if found:
            return Evidence.at(path, index.text(path), found.start())
    return django.evidence


_FAR_STORAGE = re.compile(r"s3|aws|gcs|google|azure|cloud|spaces|boto|bucket|minio|\bcos\b|oss", re.IGNORECASE)


def _condition_of(body: list[ast.stmt], name: str, file: PyFile) -> str | None:
    """The test of the branch that alone assigns `name`; empty when it is assigned always, None when never.

    A test that can be followed to the defaults it reads is decided; what stands in for somebody else's storage is
    taken where that storage is a choice.
    """
    found: str | None = None
    for node in body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return ""
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            return ""
        if isinstance(node, ast.If):
            inner, other = _condition_of(node.body, name, file), _condition_of(node.orelse, name, file)
            if inner == "" and other == "":
                return ""
            test = source_of(node.test)
            decided = holds(node.test, file)
            if decided is not None:
                taken, passed = (inner, other) if decided else (other, inner)
                left = None if passed is None else f"not {test}" if decided else test
                found = taken if taken is not None else found if found is not None else left
            elif inner is not None:
                found = test if inner == "" else f"{test} and {inner}"
            elif other is not None:
                found = "" if other == "" and _FAR_STORAGE.search(test) else f"not {test}"
        elif isinstance(node, ast.Try | ast.With):
            found = found if found is not None else _condition_of(node.body, name, file)
        if found == "":
            return ""
    return found


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def migration_folders(index: Index, under: str) -> list[str]:
    """Folders of Django migrations of the project itself."""
    found = {
        folder_of(p)
        for p in index.paths
        if p.endswith(".py") and re.search(r"(^|/)migrations/\d{4}_\w+\.py$", p) and not re.search(r"(^|/)tests?/", p)
    }
    return by_depth(f for f in found if not under or f.startswith(under + "/"))
