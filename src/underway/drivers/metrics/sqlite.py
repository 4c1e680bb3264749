"""Points in one SQLite file of the home: a row per subject, level and stretch of time."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from underway.terms.metrics import Level, Point
from underway.terms.route import LogOffset

_log = logging.getLogger(__name__)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS subjects (
    id INTEGER PRIMARY KEY, app TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (app, name)
) STRICT;
CREATE TABLE IF NOT EXISTS points (
    subject INTEGER NOT NULL, level INTEGER NOT NULL, at INTEGER NOT NULL,
    served INTEGER NOT NULL, failed INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (subject, level, at)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS place (id INTEGER PRIMARY KEY CHECK (id = 0), text BLOB NOT NULL) STRICT;
"""
_FORMAT = 1
MOST_BYTES = 512 << 20
"""The file grows no further: the oldest fine points go first, then minutes, then hours."""
_DROP_SHARE = 4
_UNKEPT_FINE = ("monitor:",)
"""Subjects that are measured at most every few seconds: minutes say all of it."""
MONITOR_MINUTES_S = 2 * 86_400.0
"""Minutes of monitors are kept so long; their hours as long as all hours. A thousand of them would fill the disk."""


class SqliteMetrics:
    """`Metrics` in one file. A write takes about 20 µs a row and is not synced: a cut of the power may lose the last
    seconds, never the file; an agent that is killed loses nothing."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Point)
        self._added: dict[tuple[str, str], dict[int, Point]] = {}
        self._ids: dict[tuple[str, str], int] = {}
        self._is_failing = False
        try:
            self._open()
        except sqlite3.DatabaseError:
            self._put_aside()
            self._open()

    def _open(self) -> None:
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=5)
        self._db.execute("PRAGMA auto_vacuum=INCREMENTAL")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        if self._db.execute("PRAGMA user_version").fetchone()[0] > _FORMAT:
            raise sqlite3.DatabaseError("of a newer Underway")
        self._db.executescript(_SCHEMA)
        self._db.execute(f"PRAGMA user_version={_FORMAT}")
        rows = self._db.execute("SELECT id, app, name FROM subjects")
        self._ids = {(app, name): number for number, app, name in rows}

    def _put_aside(self) -> None:
        """A file that cannot be read is kept for a person to look at; figures begin anew."""
        _log.error("%s cannot be read; it is kept as %s.damaged and figures begin anew", self._path, self._path)
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self._path}{suffix}", f"{self._path}{suffix}.damaged")

    def close(self) -> None:
        self._db.close()

    def put(self, app: str, subject: str, at: float, point: Point) -> None:
        fine = int(at // Level.FINE.value) * Level.FINE.value
        added = self._added.setdefault((app, subject), {})
        if (known := added.get(fine)) is not None:
            known.merge(point)
        else:
            added[fine] = point

    def write(self, place: LogOffset) -> bool:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for key, added in self._added.items():
                self._put(key, added)
            self._db.execute("INSERT OR REPLACE INTO place VALUES (0, ?)", [msgspec.json.encode(place)])
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            self._ids = {(app, name): n for n, app, name in self._db.execute("SELECT id, app, name FROM subjects")}
            if not self._is_failing:
                _log.error("figures cannot be written for now: %s", error)
            self._is_failing = True
            return False
        self._is_failing = False
        self._added.clear()
        return True

    def _put(self, key: tuple[str, str], added: dict[int, Point]) -> None:
        number = self._ids.get(key)
        if number is None:
            self._db.execute("INSERT INTO subjects (app, name) VALUES (?, ?)", key)
            number = self._ids[key] = int(self._db.execute("SELECT last_insert_rowid()").fetchone()[0])
        for level in _levels(key[1]):
            for at, point in _rolled(added, level.value).items():
                kept = self._db.execute(
                    "SELECT body FROM points WHERE subject = ? AND level = ? AND at = ?", [number, level.value, at]
                ).fetchone()
                if kept is not None:
                    whole = self._decoder.decode(kept[0])
                    whole.merge(point)
                else:
                    whole = point
                row = (number, level.value, at, whole.served, whole.failed, self._encoder.encode(whole))
                self._db.execute("INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?, ?)", row)

    def place(self) -> LogOffset | None:
        row = self._db.execute("SELECT text FROM place").fetchone()
        return msgspec.json.decode(row[0], type=LogOffset) if row else None

    def read(self, app: str, subject: str, level: Level, since: float, until: float) -> Sequence[tuple[float, Point]]:
        found = {
            float(at): self._decoder.decode(body)
            for at, body in self._rows("at, body", app, subject, level, since, until)
        }
        for at, point in _rolled(self._added.get((app, subject), {}), level.value).items():
            if since <= at < until:
                if at in found:
                    found[at].merge(point)
                else:
                    found[float(at)] = point
        return sorted(found.items())

    def counts(self, app: str, subject: str, level: Level, since: float, until: float) -> tuple[int, int]:
        rows = self._rows("coalesce(sum(served), 0), coalesce(sum(failed), 0)", app, subject, level, since, until)
        served, failed = rows[0] if rows else (0, 0)
        for at, point in self._added.get((app, subject), {}).items():
            if since <= at // level.value * level.value < until:
                served += point.served
                failed += point.failed
        return served, failed

    def _rows(
        self, columns: str, app: str, subject: str, level: Level, since: float, until: float
    ) -> list[tuple[Any, ...]]:
        number = self._ids.get((app, subject))
        if number is None:
            return []
        query = f"SELECT {columns} FROM points WHERE subject = ? AND level = ? AND at >= ? AND at < ?"  # noqa: S608 - ours
        return self._db.execute(query, [number, level.value, since, until]).fetchall()

    def subjects(self, app: str) -> Sequence[str]:
        known = {name for of_app, name in self._ids if of_app == app}
        return sorted(known | {name for of_app, name in self._added if of_app == app})

    def prune(self, now: float) -> None:
        with contextlib.suppress(sqlite3.Error):
            for (_, name), number in list(self._ids.items()):
                for level in Level:
                    kept_s = level.kept_s
                    if level is Level.MINUTE and name.startswith(_UNKEPT_FINE):
                        kept_s = MONITOR_MINUTES_S
                    self._drop(number, level, now - kept_s)
            self._forget_empty()
            self._db.executescript("PRAGMA incremental_vacuum")
            for level in Level:
                while self.size_bytes() > self._most_bytes and self._drop_oldest(level):
                    self._db.executescript("PRAGMA incremental_vacuum")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _drop(self, number: int, level: Level, before: float) -> None:
        self._db.execute("DELETE FROM points WHERE subject = ? AND level = ? AND at < ?", [number, level.value, before])

    def _drop_oldest(self, level: Level) -> bool:
        """Drop the oldest quarter of what the level spans."""
        row = self._db.execute("SELECT min(at), max(at) FROM points WHERE level = ?", [level.value]).fetchone()
        if row is None or row[0] is None or row[0] == row[1]:
            return False
        edge = row[0] + max(level.value, (row[1] - row[0]) // _DROP_SHARE)
        for number in self._ids.values():
            self._drop(number, level, edge)
        return True

    def _forget_empty(self) -> None:
        gone = [key for key, n in self._ids.items() if key not in self._added and not self._has_points(n)]
        for key in gone:
            self._db.execute("DELETE FROM subjects WHERE id = ?", [self._ids.pop(key)])

    def _has_points(self, number: int) -> bool:
        return self._db.execute("SELECT 1 FROM points WHERE subject = ? LIMIT 1", [number]).fetchone() is not None

    def size_bytes(self) -> int:
        pages, size = (self._db.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "page_size"))
        return int(pages * size)


def _levels(subject: str) -> tuple[Level, ...]:
    return (Level.MINUTE, Level.HOUR) if subject.startswith(_UNKEPT_FINE) else tuple(Level)


def _rolled(added: dict[int, Point], width: int) -> dict[int, Point]:
    """Fine points rolled up; copies, so that what was added stays as it is."""
    out: dict[int, Point] = {}
    for at, point in added.items():
        out.setdefault(at // width * width, Point()).merge(point)
    return out
