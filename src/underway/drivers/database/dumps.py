"""Dumps of apps' databases, and their way back: beside the live one, then in its place."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from underway.drivers.backups.stream import Command, Poured, read_into, write_from
from underway.drivers.database.archive import empty, explain_restore, require_dump, require_version
from underway.drivers.database.instants import INSTANT, instant_of
from underway.drivers.database.measure import MEASURE, read_measure
from underway.drivers.database.postgres import PostgresDatabase, database_of, problem, require
from underway.drivers.database.tools import PATIENCE_S, ClientTools, identifier, is_away, literal
from underway.ports.copies import PartFile, Progress, unheard
from underway.terms.backup import Content, Measured, Part
from underway.terms.problem import Failure

_LOCK_WAIT_MS = 30_000
_FILE = "database.dump"


class PostgresDumps:
    """Driver of `Dumps` for the home's own server."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def dump(self, app: str, folder: str, recipients: tuple[str, ...] = (), progress: Progress = unheard) -> Part:
        """See the port. Rows and schema are read in the snapshot that is dumped, while it is dumped.

        A server that recovers from a crash is waited for, and one that crashes meanwhile is asked once more."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await self._dump(app, folder, recipients, progress)
            except Failure as failure:
                if time.monotonic() > deadline or not is_away("\n".join(failure.log_tail)):
                    raise
                await asyncio.sleep(0.1)

    async def _dump(self, app: str, folder: str, recipients: tuple[str, ...], progress: Progress) -> Part:
        tools = await self._database.client()
        name = database_of(app)
        path = Path(folder) / (_FILE + (".age" if recipients else ""))
        async with tools.session(name) as session:
            began = await session.ask(_BEGIN)
            require(began, "postgres.dump", app)
            snapshot, lsn, size, instant = began.out.split("\t")
            writing = asyncio.create_task(_write(tools, name, snapshot, path, recipients, progress, int(size)))
            try:
                measured = await session.ask(MEASURE)
                poured = await writing
            finally:
                if not writing.done():
                    writing.cancel()
                    await asyncio.gather(writing, return_exceptions=True)
        if poured.exit_code:
            tail = tuple(poured.said.splitlines()[-20:])
            why = tail[-1].strip() if tail else f"pg_dump ended with exit code {poured.exit_code}"
            raise Failure(problem("postgres.dump", app, why), tail)
        if measured.exit_code:
            path.unlink(missing_ok=True)
        require(measured, "postgres.dump", app)
        if not poured.size_bytes:
            path.unlink(missing_ok=True)
            raise Failure(empty(str(path)))
        found = read_measure(measured.out)
        return Part(
            content=Content.POSTGRES,
            file=path.name,
            size_bytes=poured.size_bytes,
            sha256=poured.sha256,
            tables=found.tables,
            schema=found.schema,
            schema_head=found.schema_head,
            server_version=tools.installation.version,
            extensions=found.extensions,
            lsn=lsn,
            instant=instant_of(instant),
            raw_bytes=found.size_bytes,
        )

    async def read_through(self, file: PartFile) -> None:
        """See the port. `pg_restore` without a database writes the SQL it would run, here to nowhere."""
        installation = await self._database.installation()
        require_version(file, installation)
        await asyncio.to_thread(require_dump, file)
        reader = Command((installation.program("pg_restore"), "--file=/dev/null"), {"LANG": "C.UTF-8"})
        exit_code, said = await read_into(file, reader)
        if exit_code:
            raise Failure(explain_restore(said, file), tuple(said.splitlines()[-20:]))

    async def restore_beside(self, app: str, file: PartFile, progress: Progress = unheard) -> Measured:
        tools = await self._database.client()
        require_version(file, tools.installation)
        await asyncio.to_thread(require_dump, file)
        name, beside = database_of(app), beside_of(app)
        names = {"name": identifier(name), "beside": identifier(beside)}
        require(await tools.sql("postgres", _BESIDE.format(**names)), "postgres.restore", app)
        try:
            await restore_into(tools, beside, file, progress)
            return await measure(tools, beside)
        except BaseException:
            await tools.sql("postgres", f"DROP DATABASE IF EXISTS {identifier(beside)} WITH (FORCE);")
            raise

    async def swap(self, app: str, former: str) -> None:
        tools = await self._database.client()
        require(await tools.sql("postgres", _SWAP.format(**_names(app, former))), "postgres.swap", app)

    async def swap_back(self, app: str, former: str) -> None:
        tools = await self._database.client()
        require(await tools.sql("postgres", _SWAP_BACK.format(**_names(app, former))), "postgres.swap", app)

    async def drop_former(self, app: str, former: str) -> None:
        tools = await self._database.client()
        drop = f"DROP DATABASE IF EXISTS {identifier(former_of(app, former))} WITH (FORCE);"
        require(await tools.sql("postgres", drop), "postgres.drop", app)

    async def measure(self, app: str) -> Measured:
        return await measure(await self._database.client(), database_of(app))


def beside_of(app: str) -> str:
    return f"{database_of(app)}.restoring"


def former_of(app: str, former: str) -> str:
    return f"{database_of(app)}.{former}"


async def measure(tools: ClientTools, database: str) -> Measured:
    """What `database` holds. Raises `Failure` (`postgres.measure`)."""
    ended = await tools.sql(database, f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n{MEASURE}\nCOMMIT;")
    require(ended, "postgres.measure", database)
    return read_measure(ended.out)


async def restore_into(tools: ClientTools, database: str, file: PartFile, progress: Progress = unheard) -> None:
    """Restore a dump into an empty database. Raises `Failure`; the database is then half-filled."""
    argv = ["--exit-on-error", "--no-password", f"--dbname={database}"]
    if file.is_encrypted:
        exit_code, said = await read_into(file, tools.command("pg_restore", *argv), progress)
    else:
        jobs = min(4, os.cpu_count() or 1)
        ended = await tools.run(["pg_restore", *argv, f"--jobs={jobs}", file.path], may_repeat=False)
        exit_code, said = ended.exit_code, ended.err
    if exit_code:
        raise Failure(explain_restore(said, file), tuple(said.splitlines()[-20:]))


async def _write(
    tools: ClientTools,
    name: str,
    snapshot: str,
    path: Path,
    recipients: tuple[str, ...],
    progress: Progress,
    size_bytes: int,
) -> Poured:
    command = tools.command(
        "pg_dump",
        "--format=custom",
        "--no-password",
        f"--lock-wait-timeout={_LOCK_WAIT_MS}",
        f"--snapshot={snapshot}",
        f"--dbname={name}",
    )
    return await write_from(command, path, recipients, progress, size_bytes)


def _names(app: str, former: str) -> dict[str, str]:
    name = database_of(app)
    return {
        "name": identifier(name),
        "text": literal(name),
        "beside": identifier(beside_of(app)),
        "beside_text": literal(beside_of(app)),
        "former": identifier(former_of(app, former)),
        "former_text": literal(former_of(app, former)),
    }


_BEGIN = f"""\
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT pg_export_snapshot(), pg_current_wal_insert_lsn(), pg_database_size(current_database()),
{INSTANT};
"""
_BESIDE = """\
DROP DATABASE IF EXISTS {beside} WITH (FORCE);
CREATE DATABASE {beside} OWNER {name} TEMPLATE template0;
REVOKE ALL ON DATABASE {beside} FROM PUBLIC;
"""
# Renaming is transactional: after a crash both names are the new ones, or both the old ones.
_SWAP = """\
SELECT EXISTS (SELECT FROM pg_database WHERE datname = {beside_text}) AS ready \\gset
\\if :ready
ALTER ROLE {name} NOLOGIN;
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = {text};
DROP DATABASE IF EXISTS {former} WITH (FORCE);
BEGIN;
ALTER DATABASE {name} RENAME TO {former};
ALTER DATABASE {beside} RENAME TO {name};
COMMIT;
\\else
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_database WHERE datname = {former_text}) THEN
    RAISE EXCEPTION 'nothing was restored beside the live database';
  END IF;
END $$;
\\endif
ALTER ROLE {name} LOGIN;
"""
_SWAP_BACK = """\
SELECT EXISTS (SELECT FROM pg_database WHERE datname = {former_text}) AS ready \\gset
\\if :ready
ALTER ROLE {name} NOLOGIN;
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = {text};
DROP DATABASE IF EXISTS {beside} WITH (FORCE);
BEGIN;
ALTER DATABASE {name} RENAME TO {beside};
ALTER DATABASE {former} RENAME TO {name};
COMMIT;
DROP DATABASE IF EXISTS {beside} WITH (FORCE);
\\endif
ALTER ROLE {name} LOGIN;
"""
