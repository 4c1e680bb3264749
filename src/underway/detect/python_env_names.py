"""What the names in a Python source stand for: other names of the environment, and texts kept in constants."""

from __future__ import annotations

import ast

from underway.detect.python_code import PyFile, PythonCode, dotted_name, literal

_IS_IT = ("os.environ", "os.getenv", "os.environ.get", "os.environb")
_COPIES = ("dict", "os.environ.copy", "copy.copy", "ChainMap", "collections.ChainMap", "types.MappingProxyType")
_DEEPEST = 4


def name_the_environment(code: PythonCode) -> None:
    """Let every local name of the environment be resolved to it: `env = os.environ`, `get = os.environ.get`,
    `config = {**dotenv_values(".env"), **os.environ}`, and those names where other files import them."""
    for file in code.files.values():
        for name, (value, _) in file.literals.items():
            if meant := _meant(value, file):
                file.imports[name] = meant
    for path, file in code.files.items():
        for local, full in list(file.imports.items()):
            module, _, name = full.rpartition(".")
            if not module or full.startswith(("os.", "* ")) or local.startswith("* "):
                continue
            source = code.files.get(code.module_file(module, path))
            if source is not None and source is not file and (meant := source.imports.get(name, "")) in _IS_IT:
                file.imports[local] = meant


def origin(code: PythonCode, full: str, near: str) -> str:
    """What a dotted name is where it is defined: `app.config.Config` that `app/config.py` itself imports."""
    module, _, name = full.rpartition(".")
    source = code.files.get(code.module_file(module, near)) if module else None
    return source.imports.get(name, full) if source is not None else full


def _meant(node: ast.expr, file: PyFile) -> str:
    full = dotted_name(node, file.imports)
    if full in _IS_IT:
        return full
    if isinstance(node, ast.Call):
        called = dotted_name(node.func, file.imports)
        if called.rpartition(".")[2] == "dotenv_values" or (
            called in _COPIES and (called.startswith("os.") or any(_meant(each, file) for each in node.args))
        ):
            return "os.environ"
    if isinstance(node, ast.Dict):
        spread = [value for key, value in zip(node.keys, node.values, strict=True) if key is None]
        return "os.environ" if any(_meant(each, file) for each in spread) else ""
    return ""


def text_of(node: ast.expr | None, file: PyFile, code: PythonCode, depth: int = 0) -> str | None:
    """A text that is written out, or put together of constants: `PREFIX + "_URL"`, `f"{PREFIX}_URL"`, `names.URL`."""
    if node is None or depth > _DEEPEST or isinstance(node, ast.List | ast.Tuple):
        return None
    if (text := literal(node)) is not None:
        return text
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _joined([node.left, node.right], file, code, depth)
    if isinstance(node, ast.JoinedStr):
        parts = [each.value if isinstance(each, ast.FormattedValue) else each for each in node.values[:20]]
        return _joined(parts, file, code, depth)
    if not isinstance(node, ast.Name | ast.Attribute):
        return None
    owner, _, name = dotted_name(node, file.imports).rpartition(".")
    if isinstance(node, ast.Name) and node.id in file.literals:
        return text_of(file.literals[node.id][0], file, code, depth + 1)
    if not owner or not name:
        return None
    if owner in file.classes:
        return _of_class(file.classes[owner], name)
    source = code.files.get(code.module_file(owner, file.path))
    if source is not None and source is not file and name in source.literals:
        return text_of(source.literals[name][0], source, code, depth + 1)
    return None


def _joined(parts: list[ast.expr], file: PyFile, code: PythonCode, depth: int) -> str | None:
    texts = [text_of(each, file, code, depth + 1) for each in parts]
    return "".join(text for text in texts if text is not None) if all(text is not None for text in texts) else None


def _of_class(node: ast.ClassDef, name: str) -> str | None:
    for each in node.body:
        if isinstance(each, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in each.targets):
            return literal(each.value)
    return None
