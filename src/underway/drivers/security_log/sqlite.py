"""Security events in one SQLite file of the home."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from underway.terms.security import SecurityEvent

_log = logging.getLogger(__name__)
MOST_EVENTS = 10_000
"""About 5 MB; the oldest go first."""
KEPT_S = 30 * 86_400.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    id TEXT PRIMARY KEY, app TEXT NOT NULL, last_at REAL NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS latest ON events (last_at);
"""


class SqliteSecurityLog:
    """The file is made with the first event."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._is_failing = False

    def put(self, events: Sequence[SecurityEvent], now: float) -> bool:
        rows = [(it.id, it.app, it.last_at, msgspec.msgpack.encode(it)) for it in events]
        try:
            with self._opened() as db:
                db.executemany("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?)", rows)
                db.execute("DELETE FROM events WHERE last_at < ?", [now - KEPT_S])
                db.execute(
                    "DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY last_at DESC LIMIT -1 OFFSET ?)",
                    [MOST_EVENTS],
                )
        except (sqlite3.Error, OSError) as error:
            if not self._is_failing:
                _log.error("security events cannot be written for now: %s", error)
            self._is_failing = True
            return False
        self._is_failing = False
        return True

    def events(self, app: str | None = None, since: float = 0.0, most: int = 200) -> Sequence[SecurityEvent]:
        if self._db is None and not self._path.exists():
            return []
        where, given = ("AND app = ?", [app]) if app is not None else ("", [])
        try:
            rows = self._opened().execute(
                f"SELECT body FROM events WHERE last_at >= ? {where} ORDER BY last_at DESC LIMIT ?",  # noqa: S608 - ours
                [since, *given, most],
            )
            return [msgspec.msgpack.decode(body, type=SecurityEvent) for (body,) in rows]
        except (sqlite3.Error, OSError) as error:
            _log.error("security events cannot be read: %s", error)
            return []

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
            try:
                self._db = self._connected()
            except sqlite3.DatabaseError:
                _log.error("%s cannot be read; it is kept as %s.damaged and begins anew", self._path, self._path)
                for suffix in ("", "-wal", "-shm"):
                    with contextlib.suppress(FileNotFoundError):
                        os.replace(f"{self._path}{suffix}", f"{self._path}{suffix}.damaged")
                os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
                self._db = self._connected()
        return self._db

    def _connected(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, check_same_thread=False, timeout=5)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.executescript(_SCHEMA)
        return db
