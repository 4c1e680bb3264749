"""How a database on a home's own server is, by the server's own statistics."""

from __future__ import annotations

import msgspec

from underway.drivers.database.measure import HEADS, read_head
from underway.drivers.database.postgres import PostgresDatabase, database_of, require
from underway.drivers.database.tools import literal
from underway.lint.statements import masked
from underway.terms.database_health import (
    BloatedTable,
    DatabaseHealth,
    Follower,
    LongTransaction,
    SlowQuery,
)

LONG_S = 60.0
"""From this age on an open transaction is told."""
BLOATED_SHARE = 0.2
"""Autovacuum begins at a fifth of dead rows (`autovacuum_vacuum_scale_factor`): more than that was left behind."""


RECEIVER = "the log's receiver"
"""What keeps the server's log for restores to any moment (`drivers/database/points.py`)."""


class _Row(msgspec.Struct, frozen=True, array_like=True):
    size_bytes: int
    connections: int
    server_connections: int
    max_connections: int
    app_connections: int
    cache_hit: float | None
    deadlocks: int
    transactions: tuple[tuple[int, float, str, str, str, int], ...]
    tables: tuple[tuple[str, int, int, int], ...]
    followers: tuple[tuple[str, str, int | None, float | None], ...]


_row = msgspec.json.Decoder(_Row)
_slow = msgspec.json.Decoder(tuple[tuple[str, int, float, float], ...])


class PostgresStats:
    """Driver of `DatabaseStats`."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def read(self, app: str) -> DatabaseHealth:
        """See the port."""
        tools = await self._database.client()
        name = database_of(app)
        ended = await tools.sql(name, _CALM + _STATS.format(role=literal(name), long=LONG_S))
        require(ended, "postgres.stats", app)
        row = _row.decode(ended.out.strip())
        asked = await tools.sql("postgres", _CALM + _SLOW.format(app=literal(name)))
        has_statements = not asked.exit_code  # the counters of all databases are in one view, where the server has it
        slow = tuple(
            SlowQuery(
                statement=masked(text, hides_numbers=True),
                calls=calls,
                mean_ms=round(mean, 2),
                total_s=round(total / 1000, 3),
            )
            for text, calls, mean, total in (_slow.decode(asked.out.strip()) if has_statements else ())
        )
        tables = [
            BloatedTable(table=table, rows=rows, dead_rows=dead, total_bytes=size)
            for table, rows, dead, size in row.tables
        ]
        heads = await tools.sql(name, _CALM + HEADS)
        return DatabaseHealth(
            head="" if heads.exit_code else read_head(heads.out),
            followers=tuple(
                Follower(
                    name=RECEIVER if who == "underway" else who,
                    state=state,
                    behind_bytes=behind,
                    behind_s=None if late is None else round(late, 1),
                )
                for who, state, behind, late in row.followers
            ),
            size_bytes=row.size_bytes,
            connections=row.connections,
            server_connections=row.server_connections,
            max_connections=row.max_connections,
            app_connections=row.app_connections,
            cache_hit=row.cache_hit,
            deadlocks=row.deadlocks,
            has_statements=has_statements,
            rows=sum(it.rows for it in tables),
            slow=slow,
            transactions=tuple(
                LongTransaction(
                    pid=pid,
                    age_s=round(age, 1),
                    state=state,
                    statement=masked(text, hides_numbers=True),
                    waits_for=table,
                    blocks=blocks,
                )
                for pid, age, state, text, table, blocks in row.transactions
            ),
            bloated=tuple(it for it in tables if it.dead_rows > 1000 and it.dead_rows > BLOATED_SHARE * it.rows),
            largest=tuple(sorted(tables, key=lambda it: -it.total_bytes)[:5]),
        )

    async def connections(self, app: str) -> tuple[int, int]:
        """See the port."""
        tools = await self._database.client()
        ended = await tools.sql("postgres", _CALM + _CONNECTIONS.format(role=literal(database_of(app))))
        require(ended, "postgres.stats", app)
        most, left = ended.out.split("\t")
        return int(most), int(left)


# Sizes are those of the last VACUUM or ANALYZE: pg_total_relation_size would wait for whoever locks the table.
_CALM = "SET default_transaction_read_only = on; SET statement_timeout = '5s'; SET lock_timeout = '1s';\n"
_CONNECTIONS = """\
SELECT coalesce((SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = {role}), s.most),
  s.most - s.kept - (SELECT count(*) FROM pg_stat_activity
                      WHERE backend_type = 'client backend' AND NOT starts_with(usename::text, {role}))
FROM (SELECT current_setting('max_connections')::int AS most,
             current_setting('superuser_reserved_connections')::int AS kept) s;
"""
_STATS = """\
SELECT json_build_array(
  pg_database_size(current_database()),
  (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()),
  (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
  s.most, coalesce((SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = {role}), s.most),
  (SELECT round(blks_hit::numeric / nullif(blks_hit + blks_read, 0), 4)
     FROM pg_stat_database WHERE datname = current_database()),
  (SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()),
  (SELECT coalesce(json_agg(t), '[]') FROM (
     SELECT json_build_array(a.pid, extract(epoch FROM clock_timestamp() - a.xact_start), coalesce(a.state, ''),
              left(a.query, 2000),
              coalesce((SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                         WHERE l.pid = a.pid AND NOT l.granted LIMIT 1), ''),
              (SELECT count(*) FROM pg_stat_activity b WHERE a.pid = ANY (pg_blocking_pids(b.pid)))) AS t
       FROM pg_stat_activity a
      WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
        AND (clock_timestamp() - a.xact_start > make_interval(secs => {long})
             OR EXISTS (SELECT FROM pg_stat_activity b WHERE a.pid = ANY (pg_blocking_pids(b.pid)))
             OR a.wait_event_type = 'Lock')
      ORDER BY a.xact_start LIMIT 20) x),
  (SELECT coalesce(json_agg(json_build_array(
            CASE s2.schemaname WHEN 'public' THEN '' ELSE s2.schemaname || '.' END || s2.relname,
            s2.n_live_tup, s2.n_dead_tup, 8192 * (c.relpages::bigint
              + coalesce((SELECT relpages FROM pg_class WHERE oid = c.reltoastrelid), 0)
              + coalesce((SELECT sum(i.relpages) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
                           WHERE x.indrelid = c.oid), 0)))), '[]')
     FROM pg_stat_user_tables s2 JOIN pg_class c ON c.oid = s2.relid),
  (SELECT coalesce(json_agg(json_build_array(r.application_name, r.state,
            greatest(0, pg_wal_lsn_diff(pg_current_wal_lsn(),
                                        coalesce(r.replay_lsn, r.flush_lsn, r.write_lsn)))::bigint,
            extract(epoch FROM coalesce(r.replay_lag, r.flush_lag, r.write_lag)))), '[]')
     FROM pg_stat_replication r WHERE r.state <> 'backup'))
FROM (SELECT current_setting('max_connections')::int AS most) s;
"""
_SLOW = """\
SELECT coalesce(json_agg(json_build_array(left(query, 2000), calls, mean_exec_time, total_exec_time)), '[]')
FROM (SELECT query, calls, mean_exec_time, total_exec_time FROM pg_stat_statements
       WHERE dbid = (SELECT oid FROM pg_database WHERE datname = {app})
         AND userid IN (SELECT oid FROM pg_roles WHERE starts_with(rolname, {app}))
       ORDER BY total_exec_time DESC LIMIT 10) q;
"""
