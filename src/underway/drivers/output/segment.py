"""One file of lines with their full-text index. The oldest file of an app goes as a whole when there is no room."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from underway.drivers.output.reading import Place
from underway.output.query import Wanted
from underway.terms.app_error import AppError
from underway.terms.output import LEVELS, LineAsk
from underway.terms.seen_error import FoundLine

_SCHEMA = """
CREATE TABLE lines (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, source INTEGER NOT NULL, level INTEGER NOT NULL,
    trace TEXT NOT NULL, text TEXT NOT NULL, fields TEXT NOT NULL
) STRICT;
CREATE INDEX grave ON lines (id) WHERE level >= 3;
CREATE VIRTUAL TABLE words USING fts5 (text, content='', detail='none', columnsize=0);
CREATE TABLE sources (
    id INTEGER PRIMARY KEY, process TEXT NOT NULL, number INTEGER NOT NULL, release TEXT NOT NULL,
    UNIQUE (process, number, release)
) STRICT;
CREATE TABLE places (file TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE hits (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, source INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    error BLOB NOT NULL
) STRICT;
CREATE TABLE span (id INTEGER PRIMARY KEY CHECK (id = 0), first_at REAL NOT NULL, last_at REAL NOT NULL) STRICT;
"""
GRAVE = LEVELS.index("warning")
_MOST_EXAMINED = 300_000
"""Lines that one search looks at in one file, at most: a word that is nearly everywhere stops there."""


class KeptPlace(msgspec.Struct, frozen=True):
    """How far a log was read, who wrote it there, and how many bytes before that an error began that is half read."""

    place: Place
    release: str = ""
    back_bytes: int = 0


class LineRow(NamedTuple):
    id: int
    at: float
    source: int
    level: int
    trace: str
    text: str
    fields: str


class HitRow(NamedTuple):
    id: int
    at: float
    source: int
    first: int
    last: int
    error: bytes


class Segment:
    """The file that is written to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        is_new = not path.exists()
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        try:
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=NORMAL")
            self.db.execute("PRAGMA cache_size=-1024")
            if is_new or not self.db.execute("SELECT 1 FROM sqlite_master WHERE name = 'span'").fetchone():
                self.db.executescript(f"BEGIN; {_SCHEMA} COMMIT")
            self._sources = {
                (process, number, release): id_
                for id_, process, number, release in self.db.execute("SELECT * FROM sources")
            }
            self.last_line = int(self.db.execute("SELECT coalesce(max(id), 0) FROM lines").fetchone()[0])
            self.last_hit = int(self.db.execute("SELECT coalesce(max(id), 0) FROM hits").fetchone()[0])
            span = self.db.execute("SELECT first_at, last_at FROM span").fetchone()
        except sqlite3.Error:
            self.db.close()
            raise
        self.first_at: float = span[0] if span else 0.0

    def places(self) -> dict[str, KeptPlace]:
        decode = msgspec.msgpack.Decoder(KeptPlace).decode
        return {file: decode(body) for file, body in self.db.execute("SELECT file, body FROM places")}

    def source(self, process: str, number: int, release: str) -> int:
        """The id of who wrote; inside a transaction."""
        key = (process, number, release)
        found = self._sources.get(key)
        if found is None:
            self.db.execute("INSERT INTO sources (process, number, release) VALUES (?, ?, ?)", key)
            found = self._sources[key] = int(self.db.execute("SELECT last_insert_rowid()").fetchone()[0])
        return found

    def put(self, lines: Sequence[LineRow], hits: Sequence[HitRow], places: dict[str, KeptPlace], now: float) -> None:
        """Add all of it; inside a transaction."""
        self.db.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?)", lines)
        self.db.executemany(
            "INSERT INTO words (rowid, text) VALUES (?, ?)",
            [(row.id, _indexed(row) if row.fields or row.trace else row.text) for row in lines],
        )
        self.db.executemany("INSERT INTO hits VALUES (?, ?, ?, ?, ?, ?)", hits)
        encode = msgspec.msgpack.encode
        self.db.executemany(
            "INSERT OR REPLACE INTO places VALUES (?, ?)", [(file, encode(it)) for file, it in places.items()]
        )
        first_at = self.first_at or now
        self.db.execute("INSERT OR REPLACE INTO span VALUES (0, ?, ?)", (first_at, now))

    @contextlib.contextmanager
    def written(self) -> Iterator[None]:
        """One transaction. What the database does not take is as if it had not been (`sqlite3.Error`)."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self.db.execute("ROLLBACK")
            self._sources = {
                (process, number, release): id_
                for id_, process, number, release in self.db.execute("SELECT * FROM sources")
            }
            raise

    def size_bytes(self) -> int:
        pages, size = (self.db.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "page_size"))
        return int(pages * size)

    def finish(self) -> None:
        """It is full: nothing is written to it any more, and it is one file."""
        with contextlib.suppress(sqlite3.Error):
            self.db.execute("PRAGMA journal_mode=DELETE")
        self.db.close()

    def close(self) -> None:
        self.db.close()


def _indexed(row: LineRow) -> str:
    """The words of a line; those behind a line break that JSON escapes as well."""
    fields = row.fields.replace("\\n", " ").replace("\\t", " ") if "\\" in row.fields else row.fields
    return f"{row.text} {fields} {row.trace}"


def search(path: Path, ask: LineAsk, want: Wanted, most: int) -> list[FoundLine]:
    """The lines of one file that are asked for, in the order that `LineAsk` says. Raises `sqlite3.Error`."""
    db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5)
    try:
        span = db.execute("SELECT last_at FROM span").fetchone()
        if span is None or span[0] < ask.since:
            return []
        sources = {id_: (process, number, release) for id_, process, number, release in db.execute(_SOURCES)}
        mine = [
            id_
            for id_, (process, _, release) in sources.items()
            if ask.process in ("", process) and ask.release in ("", release)
        ]
        if not mine:
            return []
        where, given = ["lines.at >= ?"], [ask.since]
        if ask.until:
            where.append("lines.at < ?")
            given.append(ask.until)
        if ask.after is not None:
            where.append("lines.id > ?")
            given.append(ask.after)
        if len(mine) < len(sources):
            where.append(f"lines.source IN ({', '.join('?' * len(mine))})")
            given += mine
        if ask.level:
            least = LEVELS.index(ask.level)
            grave = [f"lines.level >= {GRAVE}"] if least >= GRAVE else []  # word for word: the index is of these
            where += [*grave, f"lines.level >= {least}"]
        order = "ASC" if ask.after is not None else "DESC"
        return list(_matches(db, where, given, want, sources, most, order))
    finally:
        db.close()


_SOURCES = "SELECT id, process, number, release FROM sources"
_COLUMNS = "lines.id, lines.at, lines.source, lines.level, lines.trace, lines.text, lines.fields"


def _matches(
    db: sqlite3.Connection,
    where: list[str],
    given: list[float],
    want: Wanted,
    sources: dict[int, tuple[str, int, str]],
    most: int,
    order: str,
) -> Iterator[FoundLine]:
    conditions = " AND ".join(where)
    if want.match:
        query = f"SELECT {_COLUMNS} FROM words CROSS JOIN lines ON lines.id = words.rowid WHERE words MATCH ? AND {conditions} ORDER BY words.rowid {order}"  # noqa: E501, S608 - ours
        rows = db.execute(query, [want.match, *given])
    else:
        rows = db.execute(f"SELECT {_COLUMNS} FROM lines WHERE {conditions} ORDER BY lines.id {order}", given)  # noqa: S608 - ours
    for examined, (id_, at, source, level, trace, text, fields) in enumerate(rows):
        if most <= 0 or examined >= _MOST_EXAMINED:
            return
        if want.literal and not want.is_in(f"{text} {fields} {trace}".lower()):
            continue
        process, number, release = sources[source]
        most -= 1
        yield FoundLine(
            id=id_,
            at=at,
            release=release,
            process=process,
            number=number,
            level=LEVELS[level],
            text=text,
            fields=fields,
            trace=trace,
        )


def error_of(body: bytes) -> AppError:
    return msgspec.msgpack.decode(body, type=AppError)
