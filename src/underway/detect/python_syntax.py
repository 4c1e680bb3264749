"""Python of a later version than the one that runs this, read as far as that can be."""

from __future__ import annotations

import ast
import re

_PARAMETERS = re.compile(
    r"^([ \t]*(?:async[ \t]+def|def|class)[ \t]+\w+)\[(?:[^\[\]\n]|\[[^\[\]\n]*\])*\](?=[ \t]*[(:])", re.MULTILINE
)
"""Type parameters (PEP 695, Python 3.12), which say nothing that is looked for here."""
_TYPE = re.compile(r"^([ \t]*)type[ \t]+(\w+)(?:\[[^\n=]*\])?[ \t]*=(?!=)", re.MULTILINE)
_EXCEPT = re.compile(r"^([ \t]*except\*?)[ \t]+(\w[\w.]*(?:[ \t]*,[ \t]*\w[\w.]*)+)[ \t]*:", re.MULTILINE)
"""`except A, B:` (PEP 758, Python 3.14)."""
_BEGINS = re.compile(r"(?!(?:else|elif|except|finally)\b)[A-Za-z_@]")
_MOST_LEFT_OUT = 3
_LARGEST = 30_000


def syntax_tree(text: str) -> ast.Module | None:
    """The syntax tree of `text`, None where it cannot be read.

    What this Python does not know of a later one's syntax is written in the older way, and where that does not help,
    the statements at the top of the file that it stumbles over are left out: the others are read. Lines stay where
    they are.
    """
    tree, _ = _parsed(text)
    if tree is not None or len(text) > _LARGEST:
        return tree
    older = _EXCEPT.sub(r"\1 (\2):", _TYPE.sub(r"\1\2 =", _PARAMETERS.sub(r"\1", text)))
    tree, line = _parsed(older)
    lines = older.splitlines()
    for _ in range(_MOST_LEFT_OUT):
        if tree is not None or not 0 < line <= len(lines):
            break
        _leave_out(lines, line - 1)
        tree, line = _parsed("\n".join(lines))
    return tree


def _parsed(text: str) -> tuple[ast.Module | None, int]:
    """The tree, or None and the line at which reading ended."""
    try:
        return ast.parse(text), 0
    except SyntaxError as error:
        return None, error.lineno or 0
    except (ValueError, RecursionError, MemoryError):
        return None, 0


def _leave_out(lines: list[str], at: int) -> None:
    """Empty the statement at the top of the file that holds line `at`, with its decorators."""
    first = at
    while first > 0 and not _BEGINS.match(lines[first]):
        first -= 1
    while first > 0 and lines[first - 1].startswith("@"):
        first -= 1
    last = at + 1
    while last < len(lines) and not _BEGINS.match(lines[last]):
        last += 1
    lines[first:last] = [""] * (last - first)
