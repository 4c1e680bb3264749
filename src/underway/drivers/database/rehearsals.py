"""What a migration does to a scratch database: event triggers write down each change of the schema, and a session of
its own looks at running statements and held locks many times a second."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

from underway.drivers.database.held import HELD, hold_script, lost_script, read_lost
from underway.drivers.database.measure import HEADS, read_head
from underway.drivers.database.postgres import PostgresDatabase, require
from underway.drivers.database.schema_shape import SHAPE_SQL, read_shape
from underway.drivers.database.schemas import role_of
from underway.drivers.database.tools import ClientTools, Session, literal
from underway.lint.shape import differences
from underway.lint.statements import masked
from underway.ports.copies import Scratch
from underway.ports.schemas import Purpose
from underway.terms.rehearsal import LockHeld, Lost, Observed, Ran, TableChange
from underway.terms.shape import Shape

LOOK_EVERY_S = 0.025
MOST_STATEMENTS = 200
_END_S = 10.0
_STOPS = {
    "AccessExclusiveLock": "everything",
    "ExclusiveLock": "writes",
    "ShareRowExclusiveLock": "writes",
    "ShareLock": "writes",
    "ShareUpdateExclusiveLock": "changes of the schema",
}
"""What others cannot do beside each lock (PostgreSQL manual, 13.3.1). Weaker ones stop no reads and no writes."""
_STRENGTH = list(_STOPS)
_IS_BOOKKEEPING = re.compile(
    r"\s*($|begin\b|commit\b|rollback\b|end\b|start transaction\b|set \b|show \b)", re.IGNORECASE
)


class _Look(msgspec.Struct, frozen=True, array_like=True):
    at: float
    running: tuple[tuple[int, float, str], ...]
    """pid, when the statement began, its text."""
    locks: tuple[tuple[str, str, str], ...]
    """The transaction, the table, the mode."""


class _Relation(msgspec.Struct, frozen=True, array_like=True):
    oid: int
    name: str
    filenode: int
    rows: int
    total_bytes: int
    written: int


class _Noted(msgspec.Struct, frozen=True, array_like=True):
    began: float
    ended: float
    query: str
    locks: tuple[tuple[str, str], ...]


_look = msgspec.json.Decoder(_Look)
_relations = msgspec.json.Decoder(tuple[_Relation, ...])
_noted = msgspec.json.Decoder(tuple[_Noted, ...])


@dataclass
class _Seen:
    """What the looks added up to."""

    statements: dict[tuple[int, float], tuple[str, float]] = field(default_factory=dict)
    locks: dict[tuple[str, str, str], tuple[float, float]] = field(default_factory=dict)

    def take(self, look: _Look) -> None:
        for pid, began, text in look.running:
            self.statements[pid, began] = (text, look.at - began)
        for key in look.locks:
            first, _ = self.locks.get(key, (look.at, look.at))
            self.locks[key] = (first, look.at)


class PostgresRehearsals:
    """Driver of `Rehearsals`."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def observe(self, scratch: Scratch, work: Callable[[], Awaitable[bool]]) -> Observed:
        """See the port."""
        tools = await self._database.client()
        name = scratch.at.database
        require(await tools.sql(name, _RECORDER + "ANALYZE;"), "rehearse.watch", scratch.app)
        before, shape, was_head = await self._picture(tools, scratch)
        seen = _Seen()
        began = time.monotonic()
        async with tools.session(name) as session:
            looking = asyncio.ensure_future(self._look(session, role_of(scratch.app, Purpose.MIGRATE), seen))
            try:
                await work()
            finally:
                took_s = time.monotonic() - began
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)
        await self._until_ended(tools, scratch)
        noted = await self._noted(tools, scratch)
        after, new_shape, now_head = await self._picture(tools, scratch)
        changes, is_additive = differences(shape, new_shape)
        return Observed(
            took_s=round(took_s, 3),
            statements=_statements(noted, seen),
            locks=_locks(noted, seen),
            tables=_tables(before, after),
            was_bytes=sum(it.total_bytes for it in before),
            now_bytes=sum(it.total_bytes for it in after),
            was_schema=shape.digest,
            now_schema=new_shape.digest,
            is_additive=is_additive,
            changes=tuple(changes),
            was_head=was_head,
            now_head=now_head,
        )

    async def hold(self, scratch: Scratch) -> None:
        """See the port."""
        tools = await self._database.client()
        require(await tools.sql(scratch.at.database, hold_script()), "rehearse.watch", scratch.app)

    async def lost(self, scratch: Scratch) -> tuple[Lost, ...]:
        """See the port."""
        tools = await self._database.client()
        held = await tools.sql(scratch.at.database, HELD)
        require(held, "rehearse.watch", scratch.app)
        counted = await tools.sql(scratch.at.database, lost_script(held.out))
        require(counted, "rehearse.watch", scratch.app)
        return read_lost(counted.out)

    async def _until_ended(self, tools: ClientTools, scratch: Scratch) -> None:
        """Wait until the migration's sessions are gone: a session hands in what it counted when it ends, and is in the
        list until then (src/backend/utils/activity/pgstat.c)."""
        asked = _HAS_SESSIONS.format(role=literal(role_of(scratch.app, Purpose.MIGRATE)))
        deadline = time.monotonic() + _END_S
        while time.monotonic() < deadline:
            ended = await tools.sql(scratch.at.database, asked)
            if ended.exit_code or ended.out.strip() != "t":
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def _picture(self, tools: ClientTools, scratch: Scratch) -> tuple[tuple[_Relation, ...], Shape, str]:
        ended = await tools.sql(scratch.at.database, _RELATIONS + SHAPE_SQL + HEADS)
        require(ended, "rehearse.watch", scratch.app)
        relations, shape, *heads = ended.out.strip().splitlines()
        return _relations.decode(relations), read_shape(shape), read_head("\n".join(heads))

    async def _look(self, session: Session, role: str, seen: _Seen) -> None:
        script = _LOOK.format(role=literal(role)).replace("\n", " ")
        while True:
            ended = await session.ask(script)
            if ended.exit_code:
                return
            seen.take(_look.decode(ended.out))
            await asyncio.sleep(LOOK_EVERY_S)

    async def _noted(self, tools: ClientTools, scratch: Scratch) -> tuple[_Noted, ...]:
        """What the event triggers wrote down, and the recorder taken out again."""
        ended = await tools.sql(scratch.at.database, _NOTED + _NO_RECORDER)
        require(ended, "rehearse.watch", scratch.app)
        return _noted.decode(ended.out.strip().splitlines()[0])


def _statements(noted: tuple[_Noted, ...], seen: _Seen) -> tuple[Ran, ...]:
    """Each statement once, in order: what the triggers noted is exact, what was only seen running comes in between."""
    found = [(it.began, masked(it.query), it.ended - it.began) for it in noted]
    told = {masked(it.query) for it in noted}
    found += [
        (began, text, took_s)
        for (_, began), (query, took_s) in seen.statements.items()
        if (text := masked(query)) not in told and not _IS_BOOKKEEPING.match(text)
    ]
    ran: list[Ran] = []
    for _, text, took_s in sorted(found):
        if ran and ran[-1].statement == text:  # several statements sent at once are noted one by one
            ran[-1] = Ran(statement=text, took_s=round(ran[-1].took_s + took_s, 3))
        else:
            ran.append(Ran(statement=text, took_s=round(max(took_s, 0.0), 3)))
    return tuple(ran[:MOST_STATEMENTS])


def _locks(noted: tuple[_Noted, ...], seen: _Seen) -> tuple[LockHeld, ...]:
    """The strongest lock on each table, and the longest time that it was seen held in one transaction."""
    held: dict[tuple[str, str], float] = {}
    for (_, table, mode), (first, last) in seen.locks.items():
        held[table, mode] = max(held.get((table, mode), 0.0), last - first)
    for one in noted:
        for table, mode in one.locks:
            held.setdefault((table, mode), 0.0)
    found = [
        LockHeld(table=table, mode=mode, held_s=round(held_s, 3), stops=_STOPS[mode])
        for (table, mode), held_s in held.items()
        if mode in _STOPS
    ]
    best: dict[str, LockHeld] = {}
    for lock in sorted(found, key=lambda it: (-it.held_s, _STRENGTH.index(it.mode))):
        known = best.get(lock.table)
        if known is None or (_STRENGTH.index(lock.mode) < _STRENGTH.index(known.mode) and lock.held_s >= known.held_s):
            best[lock.table] = lock
    return tuple(sorted(best.values(), key=lambda it: (-it.held_s, it.table)))


def _tables(before: tuple[_Relation, ...], after: tuple[_Relation, ...]) -> tuple[TableChange, ...]:
    """The tables of which anything is different."""
    were = {it.oid: it for it in before}
    found = []
    for now in after:
        was = were.get(now.oid)
        is_rewritten = was is not None and was.filenode != now.filenode
        written = now.written - (was.written if was else 0)
        if is_rewritten or written > 0 or was is None or was.total_bytes != now.total_bytes:
            found.append(
                TableChange(
                    table=now.name,
                    rows=was.rows if was else now.rows,
                    rows_written=max(written, 0),
                    was_bytes=was.total_bytes if was else 0,
                    now_bytes=now.total_bytes,
                    is_rewritten=is_rewritten,
                )
            )
    return tuple(sorted(found, key=lambda it: (not it.is_rewritten, -it.rows_written, it.table)))


_RECORDER = """\
CREATE SCHEMA underway_rehearsal;
CREATE TABLE underway_rehearsal.noted (
  id bigint GENERATED ALWAYS AS IDENTITY, kind text, at float8, query text, locks json
);
CREATE FUNCTION underway_rehearsal.note() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO underway_rehearsal.noted (kind, at, query, locks)
  VALUES (TG_EVENT, extract(epoch FROM clock_timestamp()), current_query(),
    (SELECT coalesce(json_agg(DISTINCT jsonb_build_array(
              CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname, l.mode)), '[]')
       FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE TG_EVENT = 'ddl_command_end' AND l.pid = pg_backend_pid() AND l.granted
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_'
        AND n.nspname NOT IN ('information_schema', 'underway_rehearsal', 'underway_held')));
END $$;
CREATE EVENT TRIGGER underway_began ON ddl_command_start EXECUTE FUNCTION underway_rehearsal.note();
CREATE EVENT TRIGGER underway_ended ON ddl_command_end EXECUTE FUNCTION underway_rehearsal.note();
"""
_NOTED = """\
SELECT coalesce(json_agg(json_build_array(b.at, e.at, b.query, e.locks) ORDER BY b.id), '[]')
  FROM underway_rehearsal.noted b
  JOIN underway_rehearsal.noted e
    ON e.id = (SELECT min(id) FROM underway_rehearsal.noted x WHERE x.id > b.id AND x.kind = 'ddl_command_end')
 WHERE b.kind = 'ddl_command_start';
"""
_NO_RECORDER = """\
DROP EVENT TRIGGER underway_began;
DROP EVENT TRIGGER underway_ended;
DROP SCHEMA underway_rehearsal CASCADE;
"""
_LOOK = """\
SELECT json_build_array(extract(epoch FROM clock_timestamp()),
  (SELECT coalesce(json_agg(json_build_array(pid, extract(epoch FROM query_start), left(query, 4000))), '[]')
     FROM pg_stat_activity WHERE usename = {role} AND datname = current_database() AND state = 'active'),
  (SELECT coalesce(json_agg(json_build_array(l.virtualtransaction,
            CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname, l.mode)), '[]')
     FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid JOIN pg_class c ON c.oid = l.relation
     JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.usename = {role} AND a.datname = current_database() AND l.granted AND c.relkind IN ('r', 'p', 'm')
      AND l.mode IN ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock',
                     'ShareUpdateExclusiveLock')
      AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'underway_rehearsal', 'underway_held')));
"""
_HAS_SESSIONS = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE usename = {role} AND datname = current_database());"
_RELATIONS = """\
SELECT coalesce(json_agg(json_build_array(c.oid::bigint,
         CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname,
         coalesce(pg_relation_filenode(c.oid), 0)::bigint, greatest(c.reltuples, 0)::bigint,
         pg_total_relation_size(c.oid),
         coalesce(s.n_tup_ins + s.n_tup_upd + s.n_tup_del, 0))), '[]')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
 WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_'
   AND n.nspname NOT IN ('information_schema', 'underway_rehearsal', 'underway_held');
"""
