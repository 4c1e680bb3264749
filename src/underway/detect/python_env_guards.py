"""Variables without which a source ends: `KEY = os.getenv("KEY")`, then `if not KEY: raise …`."""

from __future__ import annotations

import ast

from underway.detect.python_code import PyFile, dotted_name

_ENDS = ("exit", "sys.exit", "quit", "os._exit")


def guarded(file: PyFile) -> frozenset[str]:
    """The names at the top of a source that must hold something for it to go on."""
    found = set()
    for node in file.body:
        name = _missing_in(node.test) if isinstance(node, ast.If) else ""
        if isinstance(node, ast.If) and name:
            branch = node.orelse if name.startswith("!") else node.body
            found |= {name.lstrip("!")} if _gives_up(branch, file) else set()
    return frozenset(found)


def _missing_in(test: ast.expr) -> str:
    """`X` when the branch is taken without it (`not X`, `X is None`), `!X` when the other one is; else empty."""
    if isinstance(test, ast.Name):
        return f"!{test.id}"
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) and isinstance(test.operand, ast.Name):
        return test.operand.id
    if isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and len(test.ops) == 1:
        is_none = isinstance(test.comparators[0], ast.Constant) and test.comparators[0].value is None
        if is_none and isinstance(test.ops[0], ast.Is | ast.Eq):
            return test.left.id
        if is_none and isinstance(test.ops[0], ast.IsNot | ast.NotEq):
            return f"!{test.left.id}"
    return ""


def _gives_up(branch: list[ast.stmt], file: PyFile) -> bool:
    return any(
        isinstance(each, ast.Raise)
        or (
            isinstance(each, ast.Expr)
            and isinstance(each.value, ast.Call)
            and dotted_name(each.value.func, file.imports) in _ENDS
        )
        for each in branch
    )
