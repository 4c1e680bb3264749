"""Every error of an app across its releases, in one small file that outlives the lines."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from underway.observe.touched import Distinct
from underway.terms.app_error import AppError
from underway.terms.seen_error import ErrorStory, InRelease, SeenError

MOST_ERRORS = 1_000
"""Of one app; the one that was seen last longest ago goes first."""
STORY_CHARS = 16_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS errors (
    fingerprint TEXT PRIMARY KEY, error BLOB NOT NULL, first_at REAL NOT NULL, last_at REAL NOT NULL,
    times INTEGER NOT NULL, process TEXT NOT NULL, story TEXT NOT NULL, users INTEGER NOT NULL, people BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS seen (
    fingerprint TEXT NOT NULL, release TEXT NOT NULL, first_at REAL NOT NULL, last_at REAL NOT NULL,
    times INTEGER NOT NULL, PRIMARY KEY (fingerprint, release)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS taken (id INTEGER PRIMARY KEY CHECK (id = 0), hit INTEGER NOT NULL) STRICT;
"""


class Came(NamedTuple):
    """An error that came: `hit` numbers them; `story` is what was written."""

    hit: int
    at: float
    error: AppError
    process: str
    release: str
    story: str


class Cases:
    """One per app."""

    def __init__(self, path: Path) -> None:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA cache_size=-256")
        self._db.executescript(_SCHEMA)
        row = self._db.execute("SELECT hit FROM taken").fetchone()
        self.taken: int = row[0] if row else 0
        """The last hit that is counted here."""

    def put(self, came: Sequence[Came]) -> None:
        """Count those that are not counted yet, all in one step. Raises `sqlite3.Error`."""
        new = [each for each in came if each.hit > self.taken]
        if not new:
            return
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for each in new:
                self._count(each)
            self._db.execute("INSERT OR REPLACE INTO taken VALUES (0, ?)", [new[-1].hit])
            self._drop_oldest()
        self.taken = new[-1].hit

    def _count(self, it: Came) -> None:
        name = it.error.fingerprint
        self._db.execute(
            "INSERT INTO errors VALUES (?, ?, ?, ?, 1, ?, ?, 0, x'') ON CONFLICT (fingerprint) DO UPDATE SET"
            " error = excluded.error, last_at = max(last_at, excluded.last_at), times = times + 1,"
            " process = excluded.process, story = iif(excluded.story = '', story, excluded.story)",
            [name, msgspec.msgpack.encode(it.error), it.at, it.at, it.process, it.story[:STORY_CHARS]],
        )
        self._db.execute(
            "INSERT INTO seen VALUES (?, ?, ?, ?, 1) ON CONFLICT (fingerprint, release) DO UPDATE SET"
            " last_at = max(last_at, excluded.last_at), times = times + 1",
            [name, it.release, it.at, it.at],
        )

    def _drop_oldest(self) -> None:
        many = self._db.execute("SELECT count(*) FROM errors").fetchone()[0] - MOST_ERRORS
        if many > 0:
            self._db.execute(
                "DELETE FROM errors WHERE fingerprint IN (SELECT fingerprint FROM errors ORDER BY last_at LIMIT ?)",
                [many],
            )
            self._db.execute("DELETE FROM seen WHERE fingerprint NOT IN (SELECT fingerprint FROM errors)")

    def touched(self, fingerprint: str, people: Collection[int]) -> None:
        """Raises `sqlite3.Error`."""
        row = self._db.execute("SELECT people FROM errors WHERE fingerprint = ?", [fingerprint]).fetchone()
        if row is None:
            return
        known = msgspec.msgpack.decode(row[0], type=Distinct) if row[0] else Distinct()
        before = len(known.smallest), known.largest
        for each in people:
            known.add(each)
        if (len(known.smallest), known.largest) != before:
            self._db.execute(
                "UPDATE errors SET users = ?, people = ? WHERE fingerprint = ?",
                [known.count, msgspec.msgpack.encode(known), fingerprint],
            )

    def close(self) -> None:
        self._db.close()


def read_errors(path: Path, fingerprint: str = "") -> list[ErrorStory]:
    """All errors of the file (or one), those seen last first; with stories only for one. Raises `sqlite3.Error`."""
    db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5)
    try:
        by_release: dict[str, list[InRelease]] = {}
        for name, release, first_at, last_at, times in db.execute("SELECT * FROM seen ORDER BY first_at, release"):
            told = InRelease(release=release, first_at=first_at, last_at=last_at, times=times)
            by_release.setdefault(name, []).append(told)
        where, given = ("WHERE fingerprint = ?", [fingerprint]) if fingerprint else ("", [])
        story = "story" if fingerprint else "''"
        rows = db.execute(
            f"SELECT fingerprint, error, first_at, last_at, times, process, users, {story} FROM errors {where}"  # noqa: S608 - ours
            " ORDER BY last_at DESC",
            given,
        )
        return [
            ErrorStory(
                seen=SeenError(
                    error=msgspec.msgpack.decode(error, type=AppError),
                    first_at=first_at,
                    last_at=last_at,
                    times=times,
                    releases=tuple(it.release for it in by_release.get(name, ()) if it.release),
                    users_touched=users,
                ),
                by_release=tuple(by_release.get(name, ())),
                process=process,
                lines=tuple(story.split("\n")) if story else (),
            )
            for name, error, first_at, last_at, times, process, users, story in rows
        ]
    finally:
        db.close()
