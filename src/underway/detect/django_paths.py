"""Folders as Django's settings spell them."""

from __future__ import annotations

import ast
import re

from underway.detect.index import Index, folder_of, join
from underway.detect.python_code import PyFile, dotted_name, literal, source_of


def folder_path(index: Index, file: PyFile, node: ast.expr, root: str, depth: int = 0) -> str:
    """The path in the tree that an expression such as `BASE_DIR / "static"` names; empty when it is computed.

    A variable called BASE_DIR, ROOT_DIR or the like is where its own expression leads: each `.parent` or `dirname`
    of `__file__` is one folder up. What cannot be followed is taken for `root`.
    """
    if depth > 8:
        return ""
    if (text := literal(node)) is not None:
        return "" if text.startswith("/") or "://" in text else join(root, text)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        left = (
            folder_path(index, file, node.left, root, depth + 1)
            if not _is_base(node.left)
            else _base(index, file, node.left, root, depth)
        )
        right = literal(node.right)
        return join(left, right) if right is not None and not right.startswith("/") else ""
    if isinstance(node, ast.Call):
        name = dotted_name(node.func, file.imports)
        short = name.rpartition(".")[2]
        if (default := _default_of(node, short)) is not None:
            return folder_path(index, file, default, root, depth + 1)
        if short in ("str", "abspath", "Path", "realpath", "root", "path", "resolve") and node.args:
            if short in ("root", "path"):
                text = literal(node.args[0])
                return join(root, text) if text is not None else ""
            return folder_path(index, file, node.args[0], root, depth + 1)
        if short == "join" and node.args:
            parts = [literal(a) for a in node.args[1:]]
            if all(p is not None and not p.startswith("/") for p in parts):
                base = _base(index, file, node.args[0], root, depth) if _is_base(node.args[0]) else ""
                if base or _is_base(node.args[0]):
                    return join(base, "/".join(p for p in parts if p is not None))
        if isinstance(node.func, ast.Attribute) and short in ("joinpath", "__truediv__") and node.args:
            part = literal(node.args[0])
            return join(_base(index, file, node.func.value, root, depth), part) if part else ""
        if isinstance(node.func, ast.Call) and node.args:  # environ.Path: root("static")
            part = literal(node.args[0])
            return join(root, part) if part else ""
    if (
        isinstance(node, ast.Name)
        and node.id in file.literals
        and (not _is_base(node) or isinstance(file.literals[node.id][0], ast.BinOp))
    ):
        return folder_path(index, file, file.literals[node.id][0], root, depth + 1)
    if isinstance(node, ast.Attribute) and not _is_base(node.value) and (given := _field_default(file, node.attr)):
        return folder_path(index, file, given, root, depth + 1)
    if isinstance(node, ast.FormattedValue):
        return folder_path(index, file, node.value, root, depth + 1)
    if isinstance(node, ast.JoinedStr) and len(node.values) == 1:
        return folder_path(index, file, node.values[0], root, depth + 1)
    if isinstance(node, ast.JoinedStr):
        first = node.values[0] if node.values else None
        if isinstance(first, ast.FormattedValue) and _is_base(first.value):
            root = _base(index, file, first.value, root, depth)
        texts = [v.value if isinstance(v, ast.Constant) else None for v in node.values]
        tail = "".join(str(t) for t in texts[1:] if t is not None)
        return join(root, tail.lstrip("/")) if texts and texts[0] is None and tail.startswith("/") else ""
    return ""


def _field_default(file: PyFile, name: str) -> ast.expr | None:
    """What a field of a class of settings in the same file is unless set (`MEDIA_ROOT: str = "media"`)."""
    for each in file.classes.values():
        for line in each.body:
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.target.id == name:
                return line.value
    return None


def _default_of(node: ast.Call, short: str) -> ast.expr | None:
    """What `env.str("MEDIA_ROOT", default)` and its like say where the variable is not set."""
    name = literal(node.args[0]) if node.args else None
    if short == "get" and (given := next((k.value for k in node.keywords if k.arg == "fallback"), None)) is not None:
        return given  # configparser
    if name is None or not re.fullmatch(r"[A-Z][A-Z0-9_]+", name):
        return None
    given = next((k.value for k in node.keywords if k.arg == "default"), None)
    is_second = short in ("str", "path", "get", "getenv", "config", "env") and len(node.args) > 1
    return given if given is not None else node.args[1] if is_second else None


def _is_base(node: ast.expr) -> bool:
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return bool(re.search(r"DIR|ROOT|PATH|BASE|HERE", name, re.IGNORECASE)) or (
        isinstance(node, ast.Call | ast.Attribute) and "__file__" in source_of(node)
    )


def _base(index: Index, file: PyFile, node: ast.expr, root: str, depth: int = 0) -> str:
    """The folder that BASE_DIR is, or one that a Flask app tells of itself."""
    if isinstance(node, ast.Attribute) and node.attr in ("root_path", "instance_path"):
        return _package_of_app(index, file) if node.attr == "root_path" else join(root, "instance")
    if isinstance(node, ast.Name) and node.id in file.literals:
        node = file.literals[node.id][0]
    elif isinstance(node, ast.Name):
        node = _from_file(file, node.id) or node
    source = source_of(node)
    if "__file__" not in source:
        is_joined = isinstance(node, ast.Call) and depth < 8 and bool(re.search(r"\bjoin(?:path)?\(|env", source))
        is_joined |= isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and depth < 8
        return (folder_path(index, file, node, root, depth + 1) if is_joined else "") or root
    ups = len(re.findall(r"\.parent\b(?!s)|dirname\(", source))
    parents = re.search(r"\.parents\[(\d)\]", source)
    ups += int(parents[1]) + 1 if parents else 0
    ups += source.count("os.pardir") + source.count("'..'")
    folder = file.path
    for _ in range(ups):
        folder = folder_of(folder)
    return folder if ups else root


def _from_file(file: PyFile, name: str) -> ast.expr | None:
    """What a class or a function calls `name`, where that is a place beside the source."""
    for each in file.nodes:
        if isinstance(each, ast.Assign) and isinstance(target := each.targets[0], ast.Name) and target.id == name:
            return each.value if "__file__" in source_of(each.value) else None
    return None


def _package_of_app(index: Index, file: PyFile) -> str:
    """The folder of `Flask(__name__)`: the file's own, or the nearest package above it."""
    folder = folder_of(file.path)
    at = folder
    while "Flask(" not in index.text(join(at, "__init__.py")) and at:
        at = folder_of(at)
    return at if at or "Flask(" in index.text("__init__.py") else folder
