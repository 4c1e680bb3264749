"""What was written to SQLite databases since a backup of them, by comparing every row."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from underway.lint.own import is_book
from underway.terms.since import Since

BOUND_S = 10.0
"""For all tables together: somebody waits for the answer."""
_STEPS = 20_000
"""Of SQLite's machine between two looks at the clock."""


def since(pairs: list[tuple[str, Path, Path]]) -> Since:
    """For each database its name, the copy that the backup holds and the live one. Rows are told apart by what they
    hold in the columns that both have; where they share none, by their number."""
    deadline = time.monotonic() + BOUND_S
    rows: dict[str, int] = {}
    gone: dict[str, int] = {}
    uncounted: list[str] = []
    for name, was, now in pairs:
        if not now.exists():
            continue
        with contextlib.closing(sqlite3.connect(f"{now.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as database:
            database.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            database.execute("ATTACH ? AS was", (f"{was.absolute().as_uri()}?mode=ro",))
            for table in _tables(database):
                shown = f"{name} {table}"
                try:
                    written, lost = _compared(database, table)
                except sqlite3.Error:
                    uncounted.append(shown)
                    continue
                if written:
                    rows[shown] = written
                if lost:
                    gone[shown] = lost
    return Since(rows=rows, gone=gone, uncounted=tuple(uncounted))


def _tables(database: sqlite3.Connection) -> Iterator[str]:
    found = set()
    for schema in ("main", "was"):
        ask = f"SELECT name FROM {schema}.sqlite_schema WHERE type = 'table' AND rootpage > 0"  # noqa: S608 - main or was
        found |= {row[0] for row in database.execute(ask)}
    yield from sorted(it for it in found if not it.startswith(("sqlite_", "_litestream_")) and not is_book(it))


def _compared(database: sqlite3.Connection, table: str) -> tuple[int, int]:
    """How many rows are there now and were not, and the other way."""
    name = _quoted(table)
    columns = [
        [row[1] for row in database.execute(f"PRAGMA {schema}.table_info({name})")] for schema in ("main", "was")
    ]
    both = ", ".join(_quoted(column) for column in columns[0] if column in columns[1])
    if not both:
        now, was = (
            database.execute(f"SELECT count(*) FROM {schema}.{name}").fetchone()[0] if held else 0  # noqa: S608 - quoted
            for schema, held in zip(("main", "was"), columns, strict=True)
        )
        return max(0, now - was), max(0, was - now)
    ask = (
        "SELECT coalesce(sum(max(n, 0)), 0), coalesce(sum(max(-n, 0)), 0) FROM"  # noqa: S608 - each name is quoted
        f" (SELECT sum(one) AS n FROM (SELECT {both}, 1 AS one FROM main.{name} UNION ALL SELECT {both}, -1"
        f" FROM was.{name}) GROUP BY {both})"
    )
    now, was = database.execute(ask).fetchone()
    return int(now), int(was)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
