"""Whether a test in a settings file holds where nothing but what a deploy gives is set."""

from __future__ import annotations

import ast

from underway.detect.python_code import PyFile, dotted_name, literal

_DEEPEST = 8
_GIVEN = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PORT", "HOME", "PATH", "USER")
"""Names that may be set, so a test of them stays open."""
_FALSE = frozenset({"false", "0", "no", "off", "none", "", "n", "f"})
_KEEPING = ("bool", "str", "int", "strtobool", "lower", "strip", "upper")


def holds(test: ast.expr, file: PyFile, depth: int = 0) -> bool | None:
    """True or false where the test can be followed to constants and defaults; None where it cannot.

    DEBUG is off: every deploy sees to that. A variable of the environment that has a default has its default.
    """
    if depth > _DEEPEST:
        return None
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = holds(test.operand, file, depth + 1)
        return None if inner is None else not inner
    if isinstance(test, ast.BoolOp):
        each = [holds(value, file, depth + 1) for value in test.values]
        decisive = isinstance(test.op, ast.Or)
        if decisive in each:
            return decisive
        return None if None in each else not decisive
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return _compared(test, file, depth)
    known, value = _value(test, file, depth)
    return value.lower() not in _FALSE if known else None


def _compared(test: ast.Compare, file: PyFile, depth: int) -> bool | None:
    operator, right = test.ops[0], test.comparators[0]
    if isinstance(operator, ast.In | ast.NotIn):
        name = literal(test.left)
        within = dotted_name(right, file.imports)
        if name is None or within not in ("os.environ", "sys.argv") or name in _GIVEN:
            return None
        return isinstance(operator, ast.NotIn)
    if not isinstance(operator, ast.Eq | ast.NotEq | ast.Is | ast.IsNot):
        return None
    (left_known, left), (right_known, other) = _value(test.left, file, depth), _value(right, file, depth)
    if not left_known or not right_known:
        return None
    return (left == other) is isinstance(operator, ast.Eq | ast.Is)


def _value(node: ast.expr, file: PyFile, depth: int) -> tuple[bool, str]:
    """Whether the value is known, and the value as text; None is empty."""
    if depth > _DEEPEST:
        return False, ""
    if isinstance(node, ast.Constant):
        return True, "" if node.value is None else str(node.value)
    if isinstance(node, ast.Name | ast.Attribute):
        name = node.id if isinstance(node, ast.Name) else node.attr
        if name in ("DEBUG", "TESTING", "TEST"):
            return True, "False"
        if isinstance(node, ast.Name) and name in file.literals:
            return _value(file.literals[name][0], file, depth + 1)
        return False, ""
    if isinstance(node, ast.Compare | ast.BoolOp | ast.UnaryOp):
        known = holds(node, file, depth + 1)
        return known is not None, str(known)
    if not isinstance(node, ast.Call):
        return False, ""
    called = dotted_name(node.func, file.imports)
    short = called.rpartition(".")[2]
    if short in _KEEPING and called.rpartition(".")[0] not in file.imports:
        inner = node.func.value if isinstance(node.func, ast.Attribute) and not node.args else None
        inner = node.args[0] if inner is None and node.args and literal(node.args[0]) is None else inner
        if inner is not None:
            is_known, text = _value(inner, file, depth + 1)
            return is_known, text.lower() if short == "lower" else text.upper() if short == "upper" else text
    return _read(node, called, depth, file)


def _read(node: ast.Call, called: str, depth: int, file: PyFile) -> tuple[bool, str]:
    """What reading the environment gives where the variable is not set."""
    name = literal(node.args[0]) if node.args else None
    if name is None or not name.isupper() or name in _GIVEN:
        return False, ""
    default = next((k.value for k in node.keywords if k.arg == "default"), None)
    if default is None and len(node.args) > 1:
        default = node.args[1]
    if default is None:
        return called in ("os.getenv", "os.environ.get"), ""
    return _value(default, file, depth + 1)
