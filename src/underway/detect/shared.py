"""Files the app writes inside its own tree: they must outlive a release."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from underway.detect.django import Django, setting_at
from underway.detect.django_paths import folder_path
from underway.detect.draft import Draft
from underway.detect.index import Index, join
from underway.detect.model import Evidence, Notes
from underway.detect.node import NodeProject
from underway.detect.python_app import WebApp
from underway.detect.python_code import PyFile, PythonCode, dotted_name, literal
from underway.detect.starts import Starts

_SQLITE_URL = re.compile(r"sqlite(?:\+\w+)?:///(\.?/?[\w./-]+\.(?:db|sqlite3?|sqlite))")
_SQLITE_START = re.compile(r"sqlite(?:\+\w+)?:///")
_CONNECT = ("sqlite3.connect", "aiosqlite.connect")
_UPLOADS = re.compile(
    r"(UPLOAD|MEDIA)[A-Z_]*(DIR|FOLDER|PATH|ROOT|DEST)$|^(UPLOADS|MEDIA)_?(DIR|ROOT|FOLDER)?$|^DATA_?(DIR|ROOT|FOLDER)$"
)


def django_shared(index: Index, django: Django, draft: Draft, notes: Notes) -> None:
    """MEDIA_ROOT, and the SQLite file where no PostgreSQL is used."""
    if django.media_root:
        add_shared(
            draft, notes, django.media_root, "MEDIA_ROOT: what users upload", setting_at(index, django, "MEDIA_ROOT")
        )
    if django.sqlite and draft.postgres is None:
        add_shared(draft, notes, django.sqlite, "the SQLite database", setting_at(index, django, "DATABASES"))
        notes.claim("database", f"SQLite in {django.sqlite}", setting_at(index, django, "DATABASES"))


def python_shared(index: Index, code: PythonCode, app: WebApp, draft: Draft, notes: Notes) -> None:
    """SQLite addresses, upload folders and Flask's instance folder."""
    databases: list[tuple[str, Evidence]] = []
    for path, file in code.files.items():
        if re.search(r"(^|/)(migrations|alembic|scripts?|tests?)/|(^|/)test_\w+\.py$|_test\.py$", path):
            continue
        if draft.postgres is None and "sqlite" in index.text(path):
            is_flask = app.framework == "flask" and _has(file.imports, "flask_sqlalchemy", code)
            databases += sqlite_files(index, file, app.folder, join(app.folder, "instance" if is_flask else ""))
        for name, value, line in _named_folders(file):
            if _UPLOADS.search(name.upper()) and not name.startswith("_"):
                folder = folder_path(index, file, value, app.folder)
                is_source = name.upper().startswith("DATA") and (
                    folder in index.folders or _gathers(index, code, folder)
                )
                if folder and not is_source and "/" not in folder[len(app.folder) :].strip("/")[60:]:
                    what = "what it keeps" if name.upper().startswith("DATA") else "what users upload"
                    add_shared(draft, notes, folder, f"{name}: {what}", Evidence(path, line))
    aside = re.compile(r"(dev|test|debug)[^/]*$", re.IGNORECASE)
    for target, evidence in databases:
        if not aside.search(target) or all(aside.search(t) for t, _ in databases):
            add_shared(draft, notes, target, "the SQLite database", evidence)
    lost = next((at for file in code.files.values() for at in _in_temporary_folder(file)), None)
    if lost is not None and not databases and draft.postgres is None:
        says = "SQLite in /tmp, unless its settings say otherwise: it is lost when the machine starts anew"
        notes.claim("database", says, lost)
    if app.framework == "flask" and any(_has_instance_folder(index.text(p)) for p in code.files):
        add_shared(draft, notes, join(app.folder, "instance"), "Flask's instance folder", app.evidence)


def _named_folders(file: PyFile) -> Iterator[tuple[str, ast.expr, int]]:
    """`UPLOAD_FOLDER = …` of a module or a class, `config["UPLOAD_FOLDER"] = …`, `config.update(UPLOAD_FOLDER=…)`."""
    for name, (value, line) in file.literals.items():
        yield name, value, line
    for node in file.nodes:
        if isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
                    yield each.targets[0].id, each.value, each.lineno
        elif isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Subscript):
            key = literal(target.slice)
            if key is not None and dotted_name(target.value, {}).endswith("config"):
                yield key, node.value, node.lineno
        elif isinstance(node, ast.Call) and re.search(r"config\.(update|from_mapping)$", dotted_name(node.func, {})):
            yield from ((k.arg, k.value, node.lineno) for k in node.keywords if k.arg)


def _gathers(index: Index, code: PythonCode, folder: str) -> bool:
    """True for a folder that Django's static files are gathered in: each release has its own."""
    roots = [(file, file.literals["STATIC_ROOT"][0]) for file in code.files.values() if "STATIC_ROOT" in file.literals]
    return any(folder_path(index, file, root, "").startswith(f"{folder}/") for file, root in roots)


_MADE_ANEW = re.compile(
    r"(^|/)(static\w*|assets?|node_modules|\.?venv|env|dist|build|cache|\.?\w*_cache|src|app|conf\w*|certs?|templates|"
    r"tests?|migrations|bundles|\.next)(/|$)"
)


def declared_shared(index: Index, starts: Starts, draft: Draft, notes: Notes) -> None:
    """Volumes of the repository's own containers inside the tree, where the repository itself has no files."""
    for path, evidence in starts.volumes[:30]:
        inside = [p for p in index.paths if p.startswith(f"{path}/")] if path in index.folders else []
        is_kept = all(re.search(r"/(\.git(keep|ignore)|\.keep|README\.md)$", p) for p in inside)
        if is_kept and not index.has(path) and not _MADE_ANEW.search(path):
            add_shared(draft, notes, path, "a volume of the repository's own containers", evidence)


_NODE_FILES = re.compile(
    r"""(?:\bstorage|\bfilename|\bdatabase|new\s+(?:\w+\.)?Database\(|\bdbPath|DB_PATH)\s*[:=(]?\s*['"`](?:file:)?"""
    r"""(\.?/?[\w./-]+\.(?:db|sqlite3?))['"`]"""
)
_NODE_UPLOADS = re.compile(
    r"""\b(?:dest|destination|uploadDir|upload_dir)\s*:\s*['"`](\.?/?[\w/-]*uploads?[\w/-]*)/?['"`]"""
)


_SQLITE_CLIENTS = (
    "sqlite3", "better-sqlite3", "sqlite", "@mikro-orm/sqlite", "@mikro-orm/better-sqlite", "@libsql/client", "sql.js",
    "connect-sqlite3", "better-sqlite3-session-store", "sequelize", "knex", "typeorm",
)  # fmt: skip
_SQLITE_FILE = re.compile(r"""['"`](?:file:)?(\.{0,2}/?(?:[\w-][\w.-]*/){0,5}[\w-][\w.-]*\.(?:db|sqlite3?|db3))['"`]""")
_JOINED = re.compile(
    r"""(?:join|resolve)\(\s*(__dirname|import\.meta\.dirname|process\.cwd\(\))\s*,([^()\n]{0,200})$"""
)
_SESSIONS = re.compile(r"connect-sqlite3|SQLiteStore")
_SESSIONS_FILE = re.compile(r"""\bdb\s*:\s*['"`]([\w-][\w.-]*)['"`]""")


def node_shared(index: Index, paths: list[str], project: NodeProject, draft: Draft, notes: Notes) -> None:
    """SQLite files and folders of uploads that sources of a Node server name by a path relative to where it runs."""
    folder = project.folder
    with_sqlite = project.has(*_SQLITE_CLIENTS) and draft.postgres is None
    for path in paths:
        if re.search(r"(^|/)(tests?|__tests__|e2e|scripts?|examples?)/|\.(test|spec)\.", path):
            continue
        text = index.text(path)
        for pattern, what in ((_NODE_FILES, "the SQLite database"), (_NODE_UPLOADS, "what users upload")):
            found = pattern.search(text)
            if found and not found[1].startswith("/") and not (what.startswith("the SQLite") and draft.postgres):
                at = Evidence.at(path, text, found.start())
                add_shared(draft, notes, join(folder, found[1].removeprefix("./")), what, at)
        for kept, start in _folders_of_node(text, path, folder):
            inside = [p for p in index.paths if p.startswith(f"{kept}/")]
            if kept and not index.has(kept) and all(re.search(r"/(\.git(keep|ignore)|\.keep)$", p) for p in inside):
                at = Evidence.at(path, text, start)
                add_shared(draft, notes, kept, "a folder that the app makes and writes to", at)
        for file, start in _sqlite_of_node(text, path, folder) if with_sqlite else ():
            at = Evidence.at(path, text, start)
            if not re.search(r"(^|[/._-])(test|testing)([/._-]|$)", file):
                add_shared(draft, notes, file, "the SQLite database", at)


_KEPT = re.compile(
    r"""\b\w*(?:[dD]ata|[uU]pload|[sS]torage|DATA|UPLOAD|STORAGE)\w*(?:[dD]ir|[fF]older|[pP]ath|DIR|FOLDER|PATH)\w*\s*=\s*[^;\n]{0,160}?"""
    r"""(?:join|resolve)\(\s*(__dirname|import\.meta\.dirname|process\.cwd\(\)|[rR][oO][oO][tT]\w*)\s*,\s*"""
    r"""((?:['"`][\w./-]+['"`]\s*,?\s*){1,4})\)"""
)


def _folders_of_node(text: str, path: str, folder: str) -> Iterator[tuple[str, int]]:
    """Folders for data or uploads that a source makes itself (`const dataDir = path.join(__dirname, "..", "data")`)."""
    for found in _KEPT.finditer(text) if re.search(r"\bmkdir|\bensureDir|\bmkdirp\b", text) else ():
        between = "/".join(re.findall(r"""['"`]([\w./-]+)['"`]""", found[2]))
        if not re.search(r"\.\w{1,8}$", between):
            yield join(path.rpartition("/")[0] if "dirname" in found[1] else folder, between), found.start()


def _sqlite_of_node(text: str, path: str, folder: str) -> Iterator[tuple[str, int]]:
    """Files that a source names by what SQLite's files end with, and where it names them.

    `path.join(__dirname, "..", "x.db")` is beside the source, a bare path is below the folder that the app runs in.
    """
    if _SESSIONS.search(text) and (named := _SESSIONS_FILE.search(text)) and "." in named[1]:
        yield join(folder, named[1]), named.start()
    for found in _SQLITE_FILE.finditer(text):
        line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        if line.lstrip().startswith(("//", "*", "import ")) or "require(" in line or found[1].startswith("/"):
            continue
        joined = _JOINED.search(line)
        if joined is None:
            below = join(folder, found[1])
        else:
            between = "/".join(re.findall(r"""['"`]([\w./-]+)['"`]""", joined[2]))
            start = folder if joined[1].startswith("process") else path.rpartition("/")[0]
            below = join(join(start, between) if between else start, found[1])
        yield below, found.start()


def sqlite_files(index: Index, file: PyFile, folder: str, relative_to: str) -> Iterator[tuple[str, Evidence]]:
    """The SQLite files inside the tree that a source names: in an address, whole or put together, or to connect to.

    A relative path in an address is below `relative_to`; what is joined to a folder of the sources is where that is.
    """
    for node in file.nodes:
        target = ""
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and (found := _SQLITE_URL.fullmatch(node.value))
        ):
            target = "" if found[1].startswith("/") else join(relative_to, found[1])
        elif (
            isinstance(node, ast.BinOp)
            and isinstance(node.op, ast.Add)
            and _SQLITE_START.fullmatch(literal(node.left) or "")
        ):
            target = folder_path(index, file, node.right, folder)
        elif (
            isinstance(node, ast.JoinedStr)
            and len(node.values) > 1
            and _SQLITE_START.fullmatch(literal(node.values[0]) or "")
        ):
            target = folder_path(index, file, ast.JoinedStr(node.values[1:]), folder)
        elif isinstance(node, ast.Call) and dotted_name(node.func, file.imports) in _CONNECT and node.args:
            target = folder_path(index, file, node.args[0], folder)
        if target and not target.endswith("/:memory:") and target != ":memory:":
            yield target, Evidence(file.path, getattr(node, "lineno", 1))


def _in_temporary_folder(file: PyFile) -> Iterator[Evidence]:
    for node in file.nodes:
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and text.startswith("sqlite") and re.match(r"sqlite(?:\+\w+)?:////tmp/", text):
            yield Evidence(file.path, getattr(node, "lineno", 1))


def _has_instance_folder(text: str) -> bool:
    """True for an app that uses Flask's instance folder and does not put it outside the tree."""
    if re.search(r"instance_path\s*=\s*['\"]/", text):
        return False
    return "instance_path" in text or "instance_relative_config" in text


def _has(imports: dict[str, str], module: str, code: PythonCode) -> bool:
    return any(full.startswith(module) for full in imports.values()) or any(
        full.startswith(module) for file in code.files.values() for full in file.imports.values()
    )


def add_shared(draft: Draft, notes: Notes, path: str, why: str, evidence: Evidence) -> None:
    """Share `path` unless it is shared already or would hide the app itself."""
    path = path.strip("/")
    parts = path.split("/")
    if not path or any(p in ("", "..", ".venv", "venv", "env", "node_modules", ".git", "__pycache__") for p in parts):
        return
    for other in list(draft.shared):
        if path == other or path.startswith(other + "/"):
            return
        if other.startswith(path + "/"):
            draft.shared.remove(other)
    if len(draft.shared) < 50:
        draft.shared.append(path)
        notes.claim("shared", f"{path} outlives releases: {why}", evidence, "shared")
