"""SQLite → PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import sys
import time
from pathlib import Path

import msgspec

from underway.drivers.backups.stream import hand_over, own_env
from underway.drivers.copying.load import OURS
from underway.drivers.database.dumps import beside_of
from underway.drivers.database.postgres import PostgresDatabase, database_of, problem, require
from underway.drivers.database.tools import ClientTools, identifier, literal
from underway.ports.copies import Progress, unheard
from underway.terms.copied import CopyReport
from underway.terms.problem import Failure

_BATCH_ROWS = 100_000


class SqliteCopyIn:
    """Driver of `CopyIn`. The rows go through a child process; a copy that was killed is found in the target."""

    def __init__(self, database: PostgresDatabase, *, batch_rows: int = _BATCH_ROWS) -> None:
        self._database = database
        self._batch_rows = batch_rows

    async def from_sqlite(self, app: str, path: str, progress: Progress = unheard) -> CopyReport:
        began = time.monotonic()
        tools = await self._database.client()
        beside = beside_of(app)
        if not await _is_begun(tools, beside):
            await self._make_schema(tools, app, beside, await asyncio.to_thread(_tables, path))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "underway.drivers.copying.load",
            path,
            beside,
            tools.installation.program("psql"),
            str(self._batch_rows),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
            env={**own_env(), **tools.env},
            limit=1 << 24,
        )
        report: CopyReport | None = None
        try:
            assert process.stdout is not None
            while line := await process.stdout.readline():
                said = json.loads(line)
                if "report" in said:
                    report = msgspec.convert(said["report"], CopyReport)
                elif "rows" in said:
                    progress(said["rows"], said["of"])
            assert process.stderr is not None
            err = (await process.stderr.read()).decode(errors="replace")
            await process.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        if report is None:
            tail = tuple(err.strip().splitlines()[-20:])
            raise Failure(problem("copy.failed", path, tail[-1] if tail else "the copy ended without a word"), tail)
        return msgspec.structs.replace(report, took_s=round(time.monotonic() - began, 3))

    async def _make_schema(self, tools: ClientTools, app: str, beside: str, here: set[str]) -> None:
        """The live database's schema, with nothing in it but what its migrations keep for themselves: the tables whose
        names say so, and those that the source has not and that no foreign key ties to another."""
        name = database_of(app)
        names = {"name": identifier(name), "beside": identifier(beside)}
        require(await tools.sql("postgres", _MAKE.format(**names)), "copy.schema", app)
        listed = {"ours": ", ".join(map(literal, sorted(OURS))), "here": ", ".join(map(literal, ["", *sorted(here)]))}
        asked = await tools.sql(name, _KEPT_BOOKS.format(**listed))
        require(asked, "copy.schema", app)
        parts: list[tuple[str, ...]] = [("--schema-only",)]
        if books := asked.out.splitlines():
            parts.append(("--data-only", *(f"--table=public.{identifier(book)}" for book in books)))
        to = tools.command("pg_restore", "--exit-on-error", "--no-password", f"--dbname={beside}")
        for words in parts:
            dump = tools.command("pg_dump", "--format=custom", "--no-password", f"--dbname={name}", *words)
            exit_code, said = await hand_over(dump, to)
            if exit_code:
                lines = said.strip().splitlines()
                raise Failure(problem("copy.schema", app, lines[-1] if lines else "pg_dump failed"), tuple(lines[-20:]))


def _tables(path: str) -> set[str]:
    """The tables of an SQLite file; none where it cannot be read, which the copy itself will tell."""
    try:
        with contextlib.closing(sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True, timeout=60)) as source:
            return {row[0] for row in source.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    except sqlite3.Error:
        return set()


async def _is_begun(tools: ClientTools, beside: str) -> bool:
    """An earlier copy left its notes in the database beside the live one."""
    there = await tools.sql("postgres", f"SELECT 1 FROM pg_database WHERE datname = {literal(beside)};")  # noqa: S608 - quoted
    if not there.out.strip():
        return False
    noted = await tools.sql(beside, "SELECT to_regnamespace('underway_copy') IS NOT NULL;")
    return noted.out.strip() == "t"


_MAKE = """\
DROP DATABASE IF EXISTS {beside} WITH (FORCE);
CREATE DATABASE {beside} OWNER {name} TEMPLATE template0;
REVOKE ALL ON DATABASE {beside} FROM PUBLIC;
"""
_KEPT_BOOKS = """
SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND (
  c.relname IN ({ours}) OR (c.relname NOT IN ({here})
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.contype = 'f' AND c.oid IN (k.conrelid, k.confrelid))));"""
