"""Whether code names what a migration takes away."""

from __future__ import annotations

import re
from collections.abc import Sequence

from underway.terms.tree import Tree

_CODE = (
    ".py",
    ".js",
    ".ts",
    ".mjs",
    ".cjs",
    ".tsx",
    ".jsx",
    ".rb",
    ".go",
    ".php",
    ".java",
    ".kt",
    ".rs",
    ".sql",
    ".prisma",
)
_GONE = re.compile(r"(?:.*\.)?([^.\s]+) is gone")


def gone_names(changes: Sequence[str]) -> tuple[str, ...]:
    """The names of tables and columns that are there no more, from the lines that say so."""
    found = (_GONE.fullmatch(line) for line in changes if " on " not in line and "(" not in line)
    return tuple(dict.fromkeys(match[1] for match in found if match))


def named_in(tree: Tree, names: Sequence[str], but: Sequence[str]) -> str:
    """Where one of `names` stands in the code as a word, `server.py:12 names text`; empty when none does anywhere.

    `but` are the paths of migrations: they name what they made for ever.
    """
    if not names:
        return ""
    word = re.compile(rf"\b({'|'.join(re.escape(name) for name in names)})\b")
    prefixes = tuple(f"{path.strip('/')}/" for path in but)
    for path in tree.paths:
        is_test = path.startswith(("tests/", "test/")) or "/tests/" in path
        if not path.endswith(_CODE) or is_test or path in but or path.startswith(prefixes):
            continue
        text = tree.text(path)
        if found := word.search(text):
            return f"{path}:{text.count(chr(10), 0, found.start()) + 1} names {found[1]}"
    return ""
