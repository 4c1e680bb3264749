"""Functions of an app that read the environment variable they are given the name of."""

from __future__ import annotations

import ast

from underway.detect.python_code import PyFile, PythonCode, dotted_name, literal

EnvFunctions = dict[str, frozenset[str]]
"""Functions that read the variable named by their first argument, with what each of their reads puts behind it."""


def env_functions(code: PythonCode) -> dict[str, EnvFunctions]:
    """The functions that each file can call by name: its own, and those it imports."""
    own = {path: _own(file) for path, file in code.files.items()}
    out: dict[str, EnvFunctions] = {}
    for path, file in code.files.items():
        seen = dict(own[path])
        for local, full in file.imports.items():
            module, _, name = full.rpartition(".")
            if not module or full.startswith(("os.", "typing.", "collections.")):
                continue
            where = code.module_file(module, path)
            if where in own and name in own[where]:
                seen[local] = own[where][name]
        out[path] = seen
    return out


def _own(file: PyFile) -> EnvFunctions:
    found: EnvFunctions = {}
    functions = [node for node in file.body if isinstance(node, ast.FunctionDef) and node.args.args]
    for _ in range(3):  # one may call another
        before = dict(found)
        for node in functions:
            ends = _ends(node, file, found)
            if ends:
                found[node.name] = ends
        if found == before:
            break
    return found


def _ends(node: ast.FunctionDef, file: PyFile, known: EnvFunctions) -> frozenset[str]:
    """What is put behind the first parameter where it names a variable: `os.getenv(name + "_FILE")`."""
    first = node.args.args[0].arg
    out: set[str] = set()
    for each in ast.walk(node):
        argument: ast.expr | None = None
        further: frozenset[str] = frozenset({""})
        if isinstance(each, ast.Call):
            called = dotted_name(each.func, file.imports)
            given = [*each.args[:1], *(k.value for k in each.keywords if isinstance(k.value, ast.Name))]
            named = next((one for one in given if _end(one, first) is not None), None)
            if called in ("os.getenv", "os.environ.get"):
                argument = named
            elif called in known and called != node.name:
                argument, further = named, known[called]
        elif isinstance(each, ast.Subscript) and dotted_name(each.value, file.imports) == "os.environ":
            argument = each.slice
        end = _end(argument, first)
        if end is not None:
            out |= {end + more for more in further}
    return frozenset(out)


def _end(node: ast.expr | None, name: str) -> str | None:
    if isinstance(node, ast.Name) and node.id == name:
        return ""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return literal(node.right) if isinstance(node.left, ast.Name) and node.left.id == name else None
    if isinstance(node, ast.JoinedStr) and len(node.values) == 2 and isinstance(node.values[0], ast.FormattedValue):
        value = node.values[0].value
        return literal(node.values[1]) if isinstance(value, ast.Name) and value.id == name else None
    return None
