"""Scratch databases: a server of their own for a backup, a copy on the home's server for a rehearsal."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from underway.drivers.account import let_through
from underway.drivers.backups.stream import hand_over
from underway.drivers.database.archive import require_dump, too_old
from underway.drivers.database.dumps import measure, restore_into
from underway.drivers.database.installation import Installation, installations
from underway.drivers.database.postgres import PostgresDatabase, database_of, problem, require
from underway.drivers.database.tools import ClientTools, identifier, literal
from underway.drivers.loopback_port import LOOPBACK
from underway.ports.copies import PartFile, Progress, Scratch, unheard
from underway.ports.services import DatabaseAddress
from underway.terms.backup import Measured
from underway.terms.home import Home
from underway.terms.problem import Failure
from underway.terms.secret import Secret

_MARK = "try-"


class PostgresScratches:
    """Driver of `Scratches`. A scratch server lives in a folder of its own below the home's `scratch`."""

    def __init__(
        self, home: Home, database: PostgresDatabase, find: Callable[[], list[Installation]] = installations
    ) -> None:
        self._home = home
        self._database = database
        self._find = find
        self._servers: dict[str, PostgresDatabase] = {}

    async def restore(self, app: str, file: PartFile, progress: Progress = unheard) -> tuple[Scratch, Measured]:
        await asyncio.to_thread(require_dump, file)
        began = time.monotonic()
        fitting = await asyncio.to_thread(self._fitting, file)
        scratch_id = _MARK + secrets.token_hex(4)
        self._open_way()
        server = self._server(scratch_id, fitting)
        self._servers[scratch_id] = server
        password = Secret(secrets.token_urlsafe(18))
        try:
            at = await server.provision(app, password)
            tools = await server.client()
            await restore_into(tools, at.database, file, progress)
            found = await measure(tools, at.database)
        except BaseException:
            await asyncio.shield(self._end_server(scratch_id))
            raise
        took_s = time.monotonic() - began
        return Scratch(scratch_id, app, at, password, tools.installation.says(), "restored", took_s), found

    async def clone(self, app: str, password: Secret) -> Scratch:
        began = time.monotonic()
        tools = await self._database.client()
        name = database_of(app)
        copy = f"{name}.{_MARK}{secrets.token_hex(4)}"
        names = {"name": identifier(name), "text": literal(name), "copy": identifier(copy)}
        asked = await tools.sql("postgres", _IS_IN_USE.format(**names))
        require(asked, "postgres.clone", app)
        how = "cloned from a template"
        try:
            made = await tools.sql("postgres", _CLONE.format(**names)) if asked.out.strip() == "f" else None
            if made is None or made.exit_code:  # somebody is connected to it, or was a moment ago
                how = "copied"
                await self._copy(tools, name, copy, app)
        except BaseException:
            await tools.sql("postgres", f"DROP DATABASE IF EXISTS {names['copy']} WITH (FORCE);")
            raise
        server = tools.installation.says()
        address = DatabaseAddress(
            host=LOOPBACK,
            port=tools.port,
            user=name,
            database=copy,
            server=server,
            programs=str(tools.installation.bin_dir),
        )
        return Scratch(copy, app, address, password, server, how, time.monotonic() - began)

    async def measure(self, scratch: Scratch) -> Measured:
        server = self._servers.get(scratch.id, self._database)
        return await measure(await server.client(), scratch.at.database)

    async def drop(self, scratch: Scratch) -> None:
        if scratch.id.startswith(_MARK):
            await self._end_server(scratch.id)
            return
        tools = await self._database.client()
        await tools.sql("postgres", f"DROP DATABASE IF EXISTS {identifier(scratch.id)} WITH (FORCE);")

    async def sweep(self) -> int:
        left = [path.name for path in self._folder.glob(f"{_MARK}*") if path.name not in self._servers]
        for scratch_id in left:
            await self._end_server(scratch_id)
        return len(left)

    async def sweep_clones(self) -> int:
        tools = await self._database.client()
        asked = await tools.sql("postgres", _CLONES)
        for name in asked.out.split():
            await tools.sql("postgres", f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE);")
        return len(asked.out.split())

    async def detach(self) -> None:
        for server in self._servers.values():
            await server.detach()

    async def _copy(self, tools: ClientTools, name: str, copy: str, app: str) -> None:
        names = {"name": identifier(name), "copy": identifier(copy)}
        require(await tools.sql("postgres", _EMPTY.format(**names)), "postgres.clone", app)
        exit_code, said = await hand_over(
            tools.command("pg_dump", "--format=custom", "--compress=0", "--no-password", f"--dbname={name}"),
            tools.command("pg_restore", "--exit-on-error", "--no-password", f"--dbname={copy}"),
        )
        if exit_code:
            tail = said.strip().splitlines()[-20:]
            raise Failure(problem("postgres.clone", app, tail[-1] if tail else "the copy failed"), tuple(tail))

    def _fitting(self, file: PartFile) -> list[Installation]:
        """The installations that can read the dump: those that have its extensions first, then its own version."""
        found = self._find()
        fitting = [one for one in found if one.major >= file.part.server_major]
        needs = set(file.part.extensions)
        fitting.sort(key=lambda one: (bool(needs - one.extensions()), one.major))
        if not fitting:
            have = ", ".join(one.version for one in found) or "none"
            raise Failure(too_old(file, f"this machine has only {have}"))
        return fitting

    @property
    def _folder(self) -> Path:
        return self._home.root / "scratch"

    def _open_way(self) -> None:
        """Make the folders above a scratch server, and let its account pass where it is not ours."""
        for folder in (self._home.root, self._folder, self._home.services, self._home.services / "postgres"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.geteuid() == 0:
                let_through(folder)

    def _server(self, scratch_id: str, found: list[Installation] | None = None) -> PostgresDatabase:
        home = Home(self._folder / scratch_id, short_run=self._home.short_run)
        programs = self._home.services / "postgres"
        return PostgresDatabase(
            home, find=lambda: found if found is not None else self._find(), programs=programs, is_scratch=True
        )

    async def _end_server(self, scratch_id: str) -> None:
        server = self._servers.pop(scratch_id, None) or self._server(scratch_id)
        await server.stop()
        await asyncio.to_thread(shutil.rmtree, self._folder / scratch_id, ignore_errors=True)


_CLONES = "SELECT datname FROM pg_database WHERE datname LIKE '%.try-%';"
_IS_IN_USE = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = {text});"
_CLONE = "CREATE DATABASE {copy} OWNER {name} TEMPLATE {name};\nREVOKE ALL ON DATABASE {copy} FROM PUBLIC;"
_EMPTY = "CREATE DATABASE {copy} OWNER {name} TEMPLATE template0;\nREVOKE ALL ON DATABASE {copy} FROM PUBLIC;"
