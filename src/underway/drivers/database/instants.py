"""What was written since a moment, by the transaction that each row says it was written in.

The server's counters (`pg_stat_user_tables`) do not tell it: a session adds to them at most once a second and only
after its next transaction, they are gone after a crash, and they count what was rolled back.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import msgspec

from underway.drivers.database.postgres import PostgresDatabase, database_of, require
from underway.drivers.database.tools import Session
from underway.lint.own import is_book
from underway.terms.since import Instant, Since

BOUND_S = 10.0
"""For all tables together: somebody waits for the answer."""
_ROUND = 1 << 32
"""A row keeps the lower 32 bits of its transaction (PostgreSQL manual, 25.1.5): from here on they come again."""


class _Table(msgspec.Struct, frozen=True, array_like=True):
    schema: str
    quoted: str
    name: str


_tables = msgspec.json.Decoder(tuple[_Table, ...])
_counts = msgspec.json.Decoder(tuple[int, int, int])


class PostgresInstants:
    """Driver of `Instants`."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def now(self, app: str) -> Instant:
        """See the port."""
        ended = await (await self._database.client()).sql(database_of(app), f"SELECT {INSTANT};")
        require(ended, "postgres.instants", app)
        return instant_of(ended.out.strip())

    async def since(
        self, app: str, instant: Instant, held: Mapping[str, int], migrated: Sequence[tuple[Instant, Instant]]
    ) -> Since:
        """See the port."""
        now = await self.now(app)
        if now.database != instant.database:
            return Since(why_not="the database was replaced since, by a restore or a reset")
        if now.next >= _ROUND:
            return Since(why_not="the server has had so many transactions that their numbers come again")
        tools = await self._database.client()
        rows, gone, unsure, uncounted = dict[str, int](), dict[str, int](), dict[str, int](), list[str]()
        deadline = time.monotonic() + BOUND_S
        async with tools.session(database_of(app)) as session:
            listed = await session.ask(_CALM + _TABLES)
            require(listed, "postgres.instants", app)
            await session.ask("\\set ON_ERROR_STOP 0")  # a table that cannot be read in time is passed over
            for table in _tables.decode(listed.out.strip()):
                counted = await _counted(session, table, _query(table, instant, migrated), deadline - time.monotonic())
                if counted is None:
                    uncounted.append(table.name)
                    continue
                there, new, either = counted
                was = held.get(f"{table.schema}.{table.name.removeprefix(f'{table.schema}.')}", 0)
                rows[table.name] = new
                gone[table.name] = max(was - (there - new), 0)
                unsure[table.name] = 0 if is_book(table.name) else either
        return Since(rows=_some(rows), gone=_some(gone), unsure=_some(unsure), uncounted=tuple(uncounted))


def instant_of(said: str) -> Instant:
    """What `INSTANT` printed."""
    database, _, snapshot = said.partition(" ")
    return Instant(database=database, snapshot=snapshot)


async def _counted(session: Session, table: _Table, query: str, left_s: float) -> tuple[int, int, int] | None:
    """Its rows, those that are new and those of which it is not sure; None when it could not be read in time."""
    if left_s <= 0:
        return None
    asked = await session.ask(f"SET statement_timeout = {max(round(left_s * 1000), 1)};\n{query}")
    found = asked.out.strip()
    return _counts.decode(found) if found and not asked.exit_code else None


def _query(table: _Table, instant: Instant, migrated: Sequence[tuple[Instant, Instant]]) -> str:
    spans = [
        (began.next, ended.next) for began, ended in migrated if began.database == ended.database == instant.database
    ]
    meanwhile = " OR ".join(f"x >= {first} AND x < {last}" for first, last in spans) or "false"
    still_open = f"x IN ({', '.join(map(str, instant.open))})" if instant.open else "false"
    new = f"(x >= {instant.next} OR {still_open}) AND NOT ({meanwhile})"
    # A transaction between the numbers had ended when the instant was taken, or is part of an open one: not told apart.
    either = f"x >= {instant.oldest} AND NOT ({new})"
    return (
        f"SELECT json_build_array(count(*), count(*) FILTER (WHERE {new}), count(*) FILTER (WHERE {either}))"  # noqa: S608 - numbers and quoted names
        f" FROM (SELECT xmin::text::bigint AS x FROM ONLY {table.quoted}) AS t;"
    )


def _some(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


INSTANT = """\
(SELECT system_identifier FROM pg_control_system()) || '/' ||
('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int || '/' ||
(SELECT oid FROM pg_database WHERE datname = current_database()) || ' ' || pg_current_snapshot()"""
"""An expression that a superuser asks of a server that does not recover."""
_CALM = """\
SET default_transaction_read_only = on; SET lock_timeout = '1s'; SET max_parallel_workers_per_gather = 0;
"""
"""The app's own queries keep the other processors."""
_TABLES = """\
SELECT coalesce(json_agg(json_build_array(n.nspname, format('%I.%I', n.nspname, c.relname),
         CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname) ORDER BY c.relpages), '[]')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND NOT EXISTS (
   SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');
"""
