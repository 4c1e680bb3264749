"""What was looked through before: for each content the leaks in it, without the secrets."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from underway.terms.leak import Leak

_TABLES = """
create table if not exists files (path text primary key, stamp text not null, leaks blob not null) without rowid;
create table if not exists blobs (id text primary key, leaks blob not null) without rowid;
create table if not exists history
  (refs text primary key, commits int, blobs int, shallow int, leaks blob) without rowid;
"""
_decode = msgspec.json.Decoder(tuple[Leak, ...]).decode
_NONE = b"[]"


class Memory:
    """One SQLite file per searched folder and version of the rules. Losing it costs time only."""

    def __init__(self, folder: Path, root: str, version: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{_name(root)}.{version}.db"
        for old in folder.glob(f"{_name(root)}.*"):
            if not old.name.startswith(path.name):
                with contextlib.suppress(OSError):
                    old.unlink()
        self._db = self._open(path)

    @staticmethod
    def _open(path: Path) -> sqlite3.Connection:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        os.close(descriptor)
        for attempt in range(2):
            db = sqlite3.connect(path, timeout=30.0, isolation_level=None)
            try:
                db.execute("pragma journal_mode=wal")
                db.execute("pragma synchronous=off")
                db.executescript(_TABLES)
                return db
            except sqlite3.DatabaseError:
                db.close()
                if attempt:
                    raise
                for each in path.parent.glob(f"{path.name}*"):
                    each.unlink(missing_ok=True)
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        raise AssertionError("unreachable")

    def close(self) -> None:
        self._db.close()

    def files(self) -> dict[str, tuple[str, tuple[Leak, ...]]]:
        """Path → stamp and leaks."""
        rows = self._db.execute("select path, stamp, leaks from files")
        return {path: (stamp, () if leaks == _NONE else _decode(leaks)) for path, stamp, leaks in rows}

    def keep_files(self, seen: Iterable[tuple[str, str, list[Leak]]], gone: Iterable[str]) -> None:
        with self._batch():
            self._db.executemany("delete from files where path = ?", ((path,) for path in gone))
            self._db.executemany(
                "insert or replace into files values (?, ?, ?)",
                ((path, stamp, msgspec.json.encode(leaks)) for path, stamp, leaks in seen),
            )

    def blobs(self) -> dict[str, tuple[Leak, ...]]:
        """Blob id and path → leaks."""
        rows = self._db.execute("select id, leaks from blobs")
        return {id_: () if leaks == _NONE else _decode(leaks) for id_, leaks in rows}

    def keep_blobs(self, seen: Iterable[tuple[str, list[Leak]]]) -> None:
        with self._batch():
            self._db.executemany(
                "insert or replace into blobs values (?, ?)", ((id_, msgspec.json.encode(leaks)) for id_, leaks in seen)
            )

    def history(self, refs: str) -> tuple[int, int, bool, tuple[Leak, ...]] | None:
        """Commits, blobs, whether it is shallow, and leaks of the history with exactly these references."""
        row = self._db.execute("select commits, blobs, shallow, leaks from history where refs = ?", (refs,)).fetchone()
        return (row[0], row[1], bool(row[2]), _decode(row[3])) if row else None

    def keep_history(self, refs: str, commits: int, blobs: int, is_shallow: bool, leaks: list[Leak]) -> None:
        with self._batch():
            self._db.execute("delete from history")
            row = (refs, commits, blobs, int(is_shallow), msgspec.json.encode(leaks))
            self._db.execute("insert into history values (?, ?, ?, ?, ?)", row)

    @contextlib.contextmanager
    def _batch(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")


def _name(root: str) -> str:
    return hashlib.sha256(os.fsencode(root)).hexdigest()[:24]
