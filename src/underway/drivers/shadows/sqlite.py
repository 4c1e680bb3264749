"""Shadows of SQLite databases in apps' shared storage."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from underway.drivers.backups.pack import copy_database, databases, is_beside_database, is_database
from underway.drivers.commands.apart import EXIT_NO_VIEW
from underway.drivers.commands.local import apart_words
from underway.drivers.shadows.locks import stopped
from underway.drivers.shadows.looks import changed, head_of, shape_of
from underway.lint.shape import differences
from underway.ports.shadows import Shadow
from underway.terms.home import Home
from underway.terms.problem import Failure, Problem
from underway.terms.process import Apart
from underway.terms.rehearsal import LockHeld, Observed, Ran, TableChange
from underway.terms.shape import Shape

_MARK = "shadow-"
_LOOK_EVERY_S = 0.01
_MOST_PLAIN_BYTES = 256_000_000
"""Other files come along up to here: a smoke request may read an upload."""


@dataclass
class _Held:
    """For each database and what it stopped: since when without a break, and the longest time."""

    since: dict[tuple[str, str], float] = field(default_factory=dict)
    longest: dict[tuple[str, str], float] = field(default_factory=dict)

    def take(self, name: str, stops: str, at: float) -> None:
        for key in [key for key in self.since if key[0] == name and key[1] != stops]:
            del self.since[key]
        if stops:
            first = self.since.setdefault((name, stops), at)
            self.longest[name, stops] = max(self.longest.get((name, stops), 0.0), at - first)


class SqliteShadows:
    """Driver of `Shadows`. A shadow is a folder below the home's `scratch`: `now`, which processes see, and `was`."""

    def __init__(self, home: Home) -> None:
        self._home = home

    async def size_bytes(self, app: str) -> int:
        """See the port."""
        return await asyncio.to_thread(lambda: sum(_size(path) for path in databases(self._home.shared(app)).values()))

    async def shape(self, app: str) -> Shape:
        """See the port."""
        return await asyncio.to_thread(_calmly, lambda: shape_of(databases(self._home.shared(app))), _NO_SHAPE)

    async def head(self, app: str) -> str:
        """See the port."""
        return await asyncio.to_thread(_calmly, lambda: head_of(list(databases(self._home.shared(app)).values())), "")

    async def why_not(self) -> str:
        """See the port."""
        words = apart_words(Apart(binds=(), writable=()), ("true",))
        done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, check=False)
        if not done.returncode:
            return ""
        tail = done.stderr.strip().splitlines()
        return tail[-1] if tail and done.returncode == EXIT_NO_VIEW else f"exit code {done.returncode}"

    async def cast(self, app: str, writable: tuple[str, ...]) -> Shadow:
        """See the port."""
        began = time.monotonic()
        folder = self._folder / f"{_MARK}{secrets.token_hex(4)}"
        shared = self._home.shared(app)
        try:
            size_bytes = await asyncio.to_thread(_copy, shared, folder)
        except (OSError, sqlite3.Error) as error:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            raise Failure(_not_copied(app, str(error))) from error
        apart = Apart(binds=((str(shared), str(folder / "now")),), writable=writable)
        return Shadow(folder.name, app, apart, time.monotonic() - began, size_bytes)

    async def observe(self, shadow: Shadow, work: Callable[[], Awaitable[bool]]) -> Observed:
        """See the port."""
        folder = self._folder / shadow.id
        await asyncio.to_thread(_keep_as_it_was, folder)
        held = _Held()
        looking = asyncio.ensure_future(_watch(databases(folder / "now"), held))
        began = time.monotonic()
        try:
            await work()
        finally:
            took_s = time.monotonic() - began
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        try:
            return await asyncio.to_thread(_observed, folder, round(took_s, 3), held)
        except sqlite3.Error as error:
            raise Failure(_not_copied(shadow.app, f"what the migration left cannot be read: {error}")) from error

    async def drop(self, shadow: Shadow) -> None:
        """See the port."""
        await asyncio.to_thread(shutil.rmtree, self._folder / shadow.id, ignore_errors=True)

    async def sweep(self) -> int:
        """See the port."""
        left = list(self._folder.glob(f"{_MARK}*"))
        for path in left:
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        return len(left)

    @property
    def _folder(self) -> Path:
        return self._home.root / "scratch"


_NO_SHAPE = Shape(columns={}, rules={}, others={})


_T = TypeVar("_T")


def _calmly(look: Callable[[], _T], otherwise: _T) -> _T:
    """A database that cannot be read at the moment is one of which nothing is known."""
    try:
        return look()
    except (OSError, sqlite3.Error):
        return otherwise


def _copy(shared: Path, folder: Path) -> int:
    """Everything below `shared` into `folder`/now: databases as such, other files as long as they are small in all."""
    now = folder / "now"
    now.mkdir(mode=0o700, parents=True)
    size = plain = 0
    for at, folders, names in os.walk(shared):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        into = now / Path(at).relative_to(shared)
        into.mkdir(exist_ok=True)
        shutil.copystat(at, into)
        for name in sorted(names):
            path, to = Path(at, name), into / name
            if name.startswith(".") or not path.is_file() or is_beside_database(path):
                continue
            if path.is_symlink():
                to.symlink_to(os.readlink(path))
            elif is_database(path):
                copy_database(path, to)
                _take_over_journal(path, to)
                size += to.stat().st_size
            elif plain + path.stat().st_size <= _MOST_PLAIN_BYTES:
                plain += path.stat().st_size
                shutil.copy2(path, to)
    return size


def _take_over_journal(path: Path, to: Path) -> None:
    """In WAL mode, where the original is (byte 18 of the file says 2: sqlite.org/fileformat.html, 1.3.3)."""
    with path.open("rb") as file:
        is_wal = file.read(19)[18:] == b"\x02"
    if is_wal:
        with contextlib.closing(sqlite3.connect(to)) as database:
            database.execute("PRAGMA journal_mode = WAL")


def _keep_as_it_was(folder: Path) -> None:
    """`was`, with what may have been written since the copy was made."""
    shutil.rmtree(folder / "was", ignore_errors=True)
    for name, path in databases(folder / "now").items():
        kept = folder / "was" / name
        kept.parent.mkdir(parents=True, exist_ok=True)
        copy_database(path, kept)


async def _watch(paths: dict[str, Path], held: _Held) -> None:
    while True:
        at = time.monotonic()
        for name, path in paths.items():
            held.take(name, stopped(path), at)
        await asyncio.sleep(_LOOK_EVERY_S)


def _observed(folder: Path, took_s: float, held: _Held) -> Observed:
    was, now = databases(folder / "was"), databases(folder / "now")
    before, after = shape_of(was), shape_of(now)
    changes, is_additive = differences(before, after)
    tables: list[TableChange] = []
    statements: list[Ran] = []
    for name in sorted({*was} & {*now}):
        found, new = changed(was[name], now[name])
        tables += found
        statements += new
    locks = [
        LockHeld(table=name, mode="write lock", held_s=round(held_s, 3), stops=stops)
        for (name, stops), held_s in held.longest.items()
    ]
    return Observed(
        took_s=took_s,
        statements=tuple(statements),
        locks=tuple(sorted(locks, key=lambda lock: (-lock.held_s, lock.table))),
        tables=tuple(tables),
        was_bytes=sum(_size(path) for path in was.values()),
        now_bytes=sum(_size(path) for path in now.values()),
        was_schema=before.digest,
        now_schema=after.digest,
        is_additive=is_additive,
        changes=tuple(changes),
        was_head=head_of(list(was.values())),
        now_head=head_of(list(now.values())),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _not_copied(app: str, why: str) -> Problem:
    return Problem(
        code="rehearse.copy",
        where=app,
        why=f"its SQLite databases cannot be copied to try the migration on: {why}",
        remedy='mend what it names, or deploy without a rehearsal: [migrate] rehearse = "never"',
        command=f"underway db verify {app}",
    )
