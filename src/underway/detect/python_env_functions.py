"""Functions of an app that read the environment variable they are given the name of."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from underway.detect.python_code import PyFile, PythonCode, dotted_name, literal


@dataclass(frozen=True)
class Shape:
    """How a function makes the name it reads of the one it is given: `os.getenv("APP_" + name.upper() + "_FILE")`."""

    before: str = ""
    after: str = ""
    is_upper: bool = False
    is_method: bool = False

    def name(self, given: str) -> str:
        """The variable that is read for `given`; empty for a method that may well mean something else by it."""
        if self.is_method and not self.is_upper and given != given.upper():
            return ""
        return f"{self.before}{given.upper() if self.is_upper else given}{self.after}"

    def within(self, outer: Shape) -> Shape:
        return Shape(outer.before + self.before, self.after + outer.after, self.is_upper or outer.is_upper)


EnvFunctions = dict[str, frozenset[Shape]]
"""Functions that read the variable named by their first argument, by the name they are called by."""


def env_functions(code: PythonCode) -> dict[str, EnvFunctions]:
    """The functions that each file can call by name: its own, those of its objects, and those it imports."""
    own = {path: _own(file) for path, file in code.files.items()}
    out: dict[str, EnvFunctions] = {}
    for path, file in code.files.items():
        seen = _through_stars(code, path, own)
        for local, full in file.imports.items():
            module, _, name = full.rpartition(".")
            if not module or full.startswith(("os.", "typing.", "collections.")):
                continue
            where = code.module_file(module, path)
            for given, shapes in own.get(where, {}).items():
                if given == name or given.startswith(f"{name}."):
                    seen[local + given[len(name) :]] = shapes
        out[path] = seen
    return out


def _through_stars(code: PythonCode, path: str, own: dict[str, EnvFunctions], depth: int = 0) -> EnvFunctions:
    """A file's own functions, over those that `from .base import *` brings."""
    seen: EnvFunctions = {}
    for local, full in code.files[path].imports.items():
        if local.startswith("* ") and depth < 4:
            where = code.module_file(full.removesuffix(".*"), path)
            if where in own and where != path:
                seen |= _through_stars(code, where, own, depth + 1)
    return seen | own[path]


def _own(file: PyFile) -> EnvFunctions:
    found: EnvFunctions = {}
    functions = [(node.name, node, 0) for node in file.body if isinstance(node, ast.FunctionDef) and node.args.args]
    functions += list(_methods(file))
    for _ in range(3):  # one may call another
        before = dict(found)
        for name, node, place in functions:
            if shapes := _shapes(node, node.args.args[place].arg, file, found):
                found[name] = frozenset(replace(each, is_method=True) for each in shapes) if place else shapes
        if found == before:
            break
    for name, (value, _) in file.literals.items():
        if not isinstance(value, ast.Lambda) or not value.args.args:
            continue
        if shapes := _shapes(value, value.args.args[0].arg, file, found):
            found[name] = shapes
    return found


def _methods(file: PyFile) -> Iterator[tuple[str, ast.FunctionDef, int]]:
    """Methods by each name they are called by: `self.get`, `Config.get`, `config.get` with `config = Config()`."""
    for kind in file.classes.values():
        owners = [
            "self",
            "cls",
            kind.name,
            *(target for target, called, _ in file.assigned_calls if called == kind.name),
        ]
        for node in kind.body:
            if isinstance(node, ast.FunctionDef):
                is_static = any(dotted_name(each, {}) == "staticmethod" for each in node.decorator_list)
                place = 0 if is_static else 1
                if len(node.args.args) > place:
                    yield from ((f"{owner}.{node.name}", node, place) for owner in owners)


def _shapes(node: ast.FunctionDef | ast.Lambda, first: str, file: PyFile, known: EnvFunctions) -> frozenset[Shape]:
    """The names that are read of the one in the parameter `first`."""
    out: set[Shape] = set()
    own = node.name if isinstance(node, ast.FunctionDef) else ""
    renamed = _renamed(node, first)
    for each in ast.walk(node):
        argument: ast.expr | None = None
        further = frozenset({Shape()})
        if isinstance(each, ast.Call):
            called = dotted_name(each.func, file.imports)
            given = [*each.args[:1], *(k.value for k in each.keywords if isinstance(k.value, ast.Name))]
            named = next((one for one in given if _shape(one, first, renamed) is not None), None)
            if called in ("os.getenv", "os.environ.get"):
                argument = named
            elif called in known and called.rpartition(".")[2] != own:
                argument, further = named, known[called]
        elif isinstance(each, ast.Subscript) and dotted_name(each.value, file.imports) == "os.environ":
            argument = each.slice
        if (shape := _shape(argument, first, renamed)) is not None:
            out |= {shape.within(outer) for outer in further}
    return frozenset(out)


def _renamed(node: ast.FunctionDef | ast.Lambda, first: str) -> dict[str, Shape]:
    """Local names that are made of the parameter: `key = f"APP_{name}"`."""
    out: dict[str, Shape] = {}
    if isinstance(node, ast.FunctionDef):
        for each in node.body:
            if not isinstance(each, ast.Assign) or not isinstance(target := each.targets[0], ast.Name):
                continue
            if (shape := _shape(each.value, first, out)) is not None:
                out[target.id] = shape
    return out


def _shape(node: ast.expr | None, name: str, renamed: dict[str, Shape]) -> Shape | None:
    if isinstance(node, ast.Name):
        return Shape() if node.id == name else renamed.get(node.id)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "upper":
        inner = _shape(node.func.value, name, renamed)
        return None if inner is None else replace(inner, is_upper=True)
    parts: list[ast.expr] = []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = _sum(node)
    elif isinstance(node, ast.JoinedStr):
        parts = [each.value if isinstance(each, ast.FormattedValue) else each for each in node.values]
    if not 1 < len(parts) <= 3 and not (len(parts) == 1 and isinstance(node, ast.JoinedStr)):
        return None
    places = [place for place, each in enumerate(parts) if not isinstance(each, ast.Constant)]
    if len(places) != 1 or (inner := _shape(parts[places[0]], name, renamed)) is None:
        return None
    before = "".join(literal(each) or "" for each in parts[: places[0]])
    after = "".join(literal(each) or "" for each in parts[places[0] + 1 :])
    return inner.within(Shape(before, after))


def _sum(node: ast.BinOp) -> list[ast.expr]:
    """`a + b + c` as its parts; of more than three the first is left whole."""
    left = node.left
    if isinstance(left, ast.BinOp) and isinstance(left.op, ast.Add):
        return [left.left, left.right, node.right]
    return [left, node.right]
