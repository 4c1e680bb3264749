"""What apps keep in their shared storage, copied and put back."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from underway.drivers.backups.pack import EXIT_DAMAGED, SIDE_FILES, databases, is_database
from underway.drivers.backups.since import since
from underway.drivers.backups.stream import Command, own_env, read_into, write_from
from underway.drivers.whole_file import sync_folder
from underway.ports.copies import PartFile, Progress, unheard
from underway.terms.backup import Content, Measured, Part
from underway.terms.home import Home
from underway.terms.problem import Failure, Problem
from underway.terms.since import Since

_BESIDE = ".restoring"
_MOST_COMPARED_BYTES = 4_000_000_000


class _Told(msgspec.Struct, frozen=True):
    """What `pack` says on its last line."""

    schema: str
    tables: dict[str, int]
    files: int = 0
    raw_bytes: int = 0


class SharedCopies:
    """Driver of `FileCopies`."""

    def __init__(self, home: Home) -> None:
        self._home = home

    async def take(
        self,
        app: str,
        source: str,
        folder: str,
        recipients: tuple[str, ...] = (),
        *,
        only_databases: bool = False,
        progress: Progress = unheard,
    ) -> Part | None:
        path = self._live(app, source)
        content = await asyncio.to_thread(_content_of, path)
        if content is None or (only_databases and content is not Content.SQLITE):
            return None
        return await packed(app, source, path, content, Path(folder), recipients, progress)

    async def read_through(self, file: PartFile) -> Measured:
        folder = self._home.root / "scratch" / f"files-{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700, parents=True)
        try:
            return await _unpack(file, folder / "unpacked")
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def since(self, app: str, files: Sequence[PartFile]) -> Since:
        if sum(file.part.raw_bytes for file in files) > _MOST_COMPARED_BYTES:
            return Since(why_not="what is shared is too much to be unpacked for that")
        folder = self._home.root / "scratch" / f"files-{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700, parents=True)
        pairs: list[tuple[str, Path, Path]] = []
        try:
            for number, file in enumerate(files):
                path, live = folder / str(number), self._live(app, file.part.source)
                await _unpack(file, path)
                if path.is_file():
                    pairs += [(file.part.source, path, live)] if is_database(path) else []
                    continue
                found = await asyncio.to_thread(databases, path)
                pairs += [(f"{file.part.source}/{name}", at, live / name) for name, at in found.items()]
            if not pairs:
                return Since(why_not="the data is in plain files")
            return await asyncio.to_thread(since, pairs)
        except sqlite3.Error as error:
            return Since(why_not=f"a database cannot be read: {error}")
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def restore_beside(self, app: str, file: PartFile, progress: Progress = unheard) -> Measured:
        beside = _named(self._live(app, file.part.source), _BESIDE)
        beside.parent.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(_remove, beside)
        try:
            return await _unpack(file, beside, progress)
        except BaseException:
            await asyncio.to_thread(_remove, beside)
            raise

    async def swap(self, app: str, source: str, former: str) -> None:
        live = self._live(app, source)
        beside, kept = _named(live, _BESIDE), _named(live, f".{former}")
        if not beside.exists():
            return
        if live.exists() or live.is_symlink():
            await asyncio.to_thread(_remove, kept)
            _move(live, kept)
        _move(beside, live)
        sync_folder(live.parent)

    async def swap_back(self, app: str, source: str, former: str) -> None:
        live = self._live(app, source)
        kept = _named(live, f".{former}")
        if not kept.exists():
            return
        await asyncio.to_thread(_remove, live)
        _move(kept, live)
        sync_folder(live.parent)

    async def drop_former(self, app: str, source: str, former: str) -> None:
        await asyncio.to_thread(_remove, _named(self._live(app, source), f".{former}"))

    def _live(self, app: str, source: str) -> Path:
        return self._home.shared(app) / source.strip("/")


async def packed(
    app: str,
    source: str,
    path: Path,
    content: Content,
    folder: Path,
    recipients: tuple[str, ...],
    progress: Progress = unheard,
) -> Part:
    """Pack what is at `path` into `folder`, as the part that `source` names. Raises `Failure` (`backup.copy`)."""
    suffix = (".db.zst" if content is Content.SQLITE else ".tar.zst") + (".age" if recipients else "")
    target = folder / (re.sub(r"[^A-Za-z0-9._-]", "_", source.strip("/")) + suffix)
    spare = folder / f".{target.name}.copy"
    try:
        poured = await write_from(_pack("pack", str(path), content, str(spare)), target, recipients, progress)
    finally:
        spare.unlink(missing_ok=True)
    if poured.exit_code:
        raise Failure(_not_copied(app, source, poured.said))
    told = _told(poured.said)
    return Part(
        content=content,
        source=source,
        file=target.name,
        size_bytes=poured.size_bytes,
        sha256=poured.sha256,
        tables=told.tables,
        schema=told.schema,
        files=told.files,
        raw_bytes=told.raw_bytes,
    )


async def _unpack(file: PartFile, path: Path, progress: Progress = unheard) -> Measured:
    if os.path.exists(file.path) and not os.path.getsize(file.path):
        raise Failure(_damaged(file, "the file is empty"))
    exit_code, said = await read_into(file, _pack("unpack", str(path), file.part.content), progress)
    if exit_code == EXIT_DAMAGED:
        raise Failure(_damaged(file, said.strip().splitlines()[-1]))
    if exit_code:
        raise Failure(_not_unpacked(file, said))
    told = _told(said)
    return Measured(tables=told.tables, schema=told.schema, size_bytes=told.raw_bytes, files=told.files)


def _pack(verb: str, path: str, content: Content, *more: str) -> Command:
    words = ("-m", "underway.drivers.backups.pack", verb, path, content.value, *more)
    return Command((sys.executable, *words), own_env())


def _content_of(path: Path) -> Content | None:
    """None where there is nothing that could be copied."""
    try:
        if path.is_dir():
            return Content.FILES if any(path.iterdir()) else None
        return Content.SQLITE if is_database(path) else Content.FILES
    except OSError:
        return None


def _named(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}{suffix}")


def _move(path: Path, to: Path) -> None:
    """With what SQLite keeps beside it: a log left behind would be played into another database."""
    for side in SIDE_FILES:
        beside = path.with_name(path.name + side)
        if path.is_file() and beside.exists():
            beside.rename(to.with_name(to.name + side))
    path.rename(to)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
        return
    for each in (path, *(path.with_name(path.name + side) for side in SIDE_FILES)):
        each.unlink(missing_ok=True)


def _told(said: str) -> _Told:
    return msgspec.json.decode(said.strip().splitlines()[-1], type=_Told)


def _not_copied(app: str, source: str, said: str) -> Problem:
    lines = said.strip().splitlines()
    return Problem(
        code="backup.copy",
        where=f"{app} {source}",
        why=f"it cannot be copied: {lines[-1] if lines else 'the program that copies it ended without a word'}",
        remedy="mend what it names; nothing half-written was kept",
    )


def _not_unpacked(file: PartFile, said: str) -> Problem:
    lines = said.strip().splitlines()
    return Problem(
        code="backup.unpack",
        where=file.path,
        why=f"it cannot be unpacked: {lines[-1] if lines else 'the program that unpacks it ended without a word'}",
        remedy="mend what it names (a full disk, often) and try again",
        command="df -h",
    )


def _damaged(file: PartFile, why: str) -> Problem:
    return Problem(
        code="backup.damaged",
        where=file.path,
        why=f"the file is damaged or cut short: {why}",
        remedy="use another backup, or fetch this one from where a copy of it is kept",
        command="underway db backups APP",
    )
