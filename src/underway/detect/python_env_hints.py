"""What Python sources tell of a setting beside reading it: its possible values, who hands it over, what it is compared
with."""

from __future__ import annotations

import ast

from underway.detect.python_code import PyFile, PythonCode, dotted_name, literal


def compared_with_postgres(code: PythonCode) -> dict[str, str]:
    """Variables whose value, kept under any name, is somewhere compared with a name of PostgreSQL, and with which."""
    out: dict[str, str] = {}
    for file in code.files.values():
        for node in file.nodes:
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq):
                word = literal(node.comparators[0]) or ""
                if word not in ("postgres", "postgresql"):
                    continue
                name = dotted_name(node.left, {}).rpartition(".")[2]
                out.setdefault(name.upper(), word)
                for each in file.nodes:
                    if isinstance(each, ast.Assign) and dotted_name(each.targets[0], {}) == name:
                        read = next((literal(a) for a in ast.walk(each.value) if isinstance(a, ast.Constant)), None)
                        out.setdefault(read or "", word)
    out.pop("", None)
    return out


def handed_over(code: PythonCode, names: set[str]) -> dict[str, frozenset[str]]:
    """The fields of settings classes that each of their calls gives a value: `Settings(KEY=os.getenv("KEY", ""))`."""
    out: dict[str, frozenset[str]] = {}
    for file in code.files.values():
        for call in file.calls:
            name = call.name.rpartition(".")[2]
            if name in names:
                given = frozenset(call.keywords)
                out[name] = out[name] & given if name in out else given
    return out


def choices(file: PyFile, kind: ast.expr) -> tuple[str, ...]:
    """The values of `Literal["dev", "prod"]`, or of an enumeration in the same file."""
    if isinstance(kind, ast.Subscript) and dotted_name(kind.value, {}).rpartition(".")[2] == "Literal":
        listed = kind.slice.elts if isinstance(kind.slice, ast.Tuple) else [kind.slice]
        return tuple(text for each in listed[:50] if (text := literal(each)))
    named = file.classes.get(dotted_name(kind, {}))
    if named is None or not any(dotted_name(base, {}).endswith("Enum") for base in named.bases):
        return ()
    values = [each.value for each in named.body[:50] if isinstance(each, ast.Assign)]
    return tuple(text for each in values if isinstance(each, ast.Constant) and (text := literal(each)))
