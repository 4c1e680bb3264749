"""Migrations that are SQL files: prisma, drizzle, dbmate, goose, golang-migrate, Flyway, a folder of one's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from underway.terms.migration import Script

MOST_BYTES = 2_000_000
MOST_FILES = 5_000
_DOWN_NAME = re.compile(r"(^|[._-])(down|undo|rollback)(\.sql$|[._-])|^U\d+__", re.IGNORECASE)
_DOWN_PART = re.compile(
    r"^[ \t]*--[ \t]*(migrate:down|\+goose[ \t]+down|\+migrate[ \t]+down|\+micrate[ \t]+down|rollback\b).*\Z",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_ALONE = re.compile(
    r"^[ \t]*--[ \t]*(\+goose[ \t]+no[ \t]+transaction|migrate:up[ \t]+transaction:[ \t]*false|disable-transaction"
    r"|\+migrate[ \t]+notransaction|no-transaction)",
    re.IGNORECASE | re.MULTILINE,
)


def sql_files(tree_dir: str, paths: Sequence[str]) -> dict[str, str]:
    """The SQL of every file of migrations below `paths`, by its path in the tree, in the order of the names.

    Links out of the tree, files that take migrations back and what is too large to be one are passed over.
    """
    root = Path(tree_dir).resolve()
    found: dict[str, str] = {}
    for path in sorted(set(_below(root, paths)), key=str)[:MOST_FILES]:
        name = path.relative_to(root).as_posix()
        if _DOWN_NAME.search(path.name) or not path.resolve().is_relative_to(root):
            continue
        try:
            if path.stat().st_size <= MOST_BYTES:
                found[name] = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
    return found


def _below(root: Path, paths: Sequence[str]) -> Iterator[Path]:
    for name in paths:
        place = root / name
        if place.suffix == ".sql" and place.is_file():
            yield place
        elif place.is_dir() and place.resolve().is_relative_to(root):
            yield from (path for path in place.rglob("*.sql") if path.is_file())


def new_scripts(now: dict[str, str], before: dict[str, str]) -> tuple[Script, ...]:
    """Those files of `now` that `before` does not hold with the same text."""
    return tuple(as_script(name, text) for name, text in now.items() if before.get(name) != text)


def as_script(name: str, text: str) -> Script:
    """The part of a file that goes up, and whether it is one transaction."""
    up = _DOWN_PART.sub("", text)
    return Script(name=name, sql=up, is_atomic=not _ALONE.search(up))
