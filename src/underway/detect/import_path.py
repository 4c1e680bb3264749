"""Folders of sources that are imported from within and by their own name at once."""

from __future__ import annotations

import posixpath
import re

from underway.detect.index import Index, folder_of, join

_ASIDE = re.compile(r"(^|/)(tests?|examples?|docs)/|(^|/)(test_\w+|conftest)\.py$")


def with_parent(index: Index, base: str, folder: str, command: str) -> str:
    """`command`, which runs in `folder` and imports from `base`, with the folder above on the path where it is wanted.

    That is where modules are imported by the name of their folder too: `from src.config import …` beside `from config
    import …`. Only with both on the path does such an app start.
    """
    inner = base
    while inner:
        if _is_named(index, inner):
            above = posixpath.relpath(folder_of(inner) or ".", folder or ".")
            return f"PYTHONPATH={above} {command}"
        inner = folder_of(inner)
    return command


def _is_named(index: Index, folder: str) -> bool:
    """True where a source in `folder` imports another one there by the folder's name."""
    name = folder.rpartition("/")[2]
    if not re.fullmatch(r"[A-Za-z_]\w*", name):
        return False
    named = re.compile(rf"^[ \t]*(?:from|import)[ \t]+{name}\.(\w+)", re.MULTILINE)
    return any(
        index.has(join(folder, f"{found[1]}.py")) or join(folder, found[1]) in index.folders
        for path in index.ending(".py")[:2000]
        if path.startswith(f"{folder}/") and not _ASIDE.search(path)
        for found in named.finditer(index.text(path))
    )
