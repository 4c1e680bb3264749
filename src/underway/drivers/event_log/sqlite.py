"""The event log in SQLite: WAL, `synchronous=FULL`, one writer."""

from __future__ import annotations

import asyncio
import errno
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
RESERVE_BYTES = 4 << 20
"""Kept aside on the disk and given up when it is full, so that an act under way can still be taken back and its end
be written down (some hundred events of 1–2 KiB; the write-ahead log is cut at 4 MiB)."""
_RESERVE_AGAIN_S = 60.0
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


class SqliteEventLog:
    """An `EventLog` in one file. `append` returns after the commit is synced (7.6 ms on a common disk)."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open or make the log. Raises `Failure` (`journal.unwritable`, `journal.newer`, `journal.damaged`)."""
        self._clock = clock
        self._grown = asyncio.Event()
        self._reserve = path.with_suffix(".reserve")
        self._spent_at: float | None = None
        try:
            self._open(path)
        except (OSError, sqlite3.Error) as error:
            if not self._give_up_reserve(error):
                raise Failure(_unwritable(path, error)) from error
            try:
                self._open(path)
            except (OSError, sqlite3.Error) as again:
                raise Failure(_unwritable(path, again)) from again
        if self._spent_at is None:
            self._keep_reserve()

    def _open(self, path: Path) -> None:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > _FORMAT:
            raise Failure(_newer(path, version))
        self._db.executescript(_SCHEMA)
        if version != _FORMAT:
            self._db.execute(f"PRAGMA user_version={_FORMAT}")

    def _keep_reserve(self) -> None:
        """Set the reserve aside where there is room for it."""
        if self._reserve.exists():
            return
        aside = self._reserve.with_suffix(".making")
        try:
            descriptor = os.open(aside, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
            finally:
                os.close(descriptor)
            aside.rename(self._reserve)
        except OSError:
            aside.unlink(missing_ok=True)

    def _give_up_reserve(self, error: Exception) -> bool:
        """Make room when the disk is full; False when that is not what is wrong, or nothing was kept."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary result code
        is_full = code in _FULL or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT))
        if not is_full or not self._reserve.exists():
            return False
        self._reserve.unlink()
        self._spent_at = self._clock.monotonic()
        return True

    def close(self) -> None:
        self._db.close()

    def append(self, entries: Sequence[tuple[str, str, bytes]]) -> Sequence[Line]:
        try:
            lines = self._write(entries)
        except sqlite3.Error as error:
            if not self._give_up_reserve(error):
                raise Failure(_unwritable(Path(self._file()), error)) from error
            try:
                lines = self._write(entries)
            except sqlite3.Error as again:
                raise Failure(_unwritable(Path(self._file()), again)) from again
        if self._spent_at is not None and self._clock.monotonic() - self._spent_at > _RESERVE_AGAIN_S:
            self._spent_at = None
            self._keep_reserve()
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()
        return lines

    def _write(self, entries: Sequence[tuple[str, str, bytes]]) -> Sequence[Line]:
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
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
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
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return _damaged(path, error)
    return Problem(
        code="journal.unwritable",
        where=str(path),
        why=f"the journal cannot be written: {error}",
        remedy="make room on the disk or the folder writable, or choose another home with UNDERWAY_HOME",
        command=f"df -h {path.parent}",
    )


def _damaged(path: Path, error: Exception) -> Problem:
    return Problem(
        code="journal.damaged",
        where=str(path),
        why=f"the journal cannot be read: {error}",
        remedy="what runs goes on running; bring the file back from a backup, or save what can be read of it",
        command=f"sqlite3 {path} .recover",
    )


def _newer(path: Path, version: int) -> Problem:
    return Problem(
        code="journal.newer",
        where=str(path),
        why=f"the journal has format {version}; this Underway reads up to {_FORMAT}",
        remedy="run the newer Underway that wrote it",
    )
