"""Schemas of apps on a home's own PostgreSQL server."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import msgspec

from underway.drivers.database.measure import HEADS, read_head
from underway.drivers.database.postgres import PostgresDatabase, database_of
from underway.drivers.database.schema_shape import SHAPE_SQL, read_shape
from underway.drivers.database.scram import scram_verifier
from underway.drivers.database.tools import Ended, identifier, literal
from underway.drivers.loopback_port import LOOPBACK
from underway.ports.schemas import Login, Purpose
from underway.ports.services import DatabaseAddress
from underway.terms.migration import TableNow
from underway.terms.problem import Failure, Problem
from underway.terms.secret import Secret
from underway.terms.shape import Shape


class _Row(msgspec.Struct, frozen=True, array_like=True):
    name: str
    rows: int
    total_bytes: int
    columns: dict[str, str]
    never_null: tuple[str, ...]


_rows = msgspec.json.Decoder(tuple[_Row, ...])


class PostgresSchemas:
    """Driver of `Schemas`. Its logins are roles of their own: `ALTER ROLE … SET` gives their sessions limits that no
    driver has to be told of (not every one reads PGOPTIONS), and makes them act as the app's role."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def major(self) -> int:
        return (await self._database.client()).installation.major

    async def tables(self, app: str) -> Mapping[str, TableNow]:
        """See the port."""
        tools = await self._database.client()
        ended = await tools.sql(database_of(app), _LOOK + _TABLES)
        _require(ended, "postgres.schema", app)
        return {
            row.name: TableNow(
                rows=row.rows,
                total_bytes=row.total_bytes,
                columns=row.columns,
                never_null=row.never_null,
            )
            for row in _rows.decode(ended.out.strip() or "[]")
        }

    async def shape(self, app: str) -> Shape:
        """See the port."""
        ended = await (await self._database.client()).sql(database_of(app), _LOOK + SHAPE_SQL)
        _require(ended, "postgres.schema", app)
        return read_shape(ended.out.strip())

    async def head(self, app: str) -> str:
        """See the port."""
        ended = await (await self._database.client()).sql(database_of(app), _LOOK + HEADS)
        _require(ended, "postgres.schema", app)
        return read_head(ended.out)

    async def size_bytes(self, app: str) -> int:
        """See the port."""
        script = _LOOK + "SELECT pg_database_size(current_database());"
        ended = await (await self._database.client()).sql(database_of(app), script)
        _require(ended, "postgres.schema", app)
        return int(ended.out.strip())

    async def open_login(
        self, app: str, purpose: Purpose, password: Secret, *, lock_timeout_s: float, statement_timeout_s: float
    ) -> Login:
        """See the port."""
        name, role = database_of(app), role_of(app, purpose)
        tools = await self._database.client()
        script = _LOGIN.format(
            app=identifier(name),
            role=identifier(role),
            text=literal(role),
            verifier=literal(scram_verifier(password.reveal(), secrets.token_bytes(16))),
            lock_ms=round(lock_timeout_s * 1000),
            statement_ms=round(statement_timeout_s * 1000),
            read_only="on" if purpose is Purpose.LOOK else "off",
        )
        _require(await tools.sql("postgres", script), "postgres.login", app)
        address = DatabaseAddress(
            host=LOOPBACK,
            port=tools.port,
            user=role,
            database=name,
            server=tools.installation.says(),
            programs=str(tools.installation.bin_dir),
        )
        return Login(address=address, password=password)

    async def close_login(self, app: str, purpose: Purpose) -> None:
        """See the port."""
        tools = await self._database.client()
        script = _CLOSE.format(text=literal(role_of(app, purpose)))
        _require(await tools.sql("postgres", script), "postgres.login", app)


def role_of(app: str, purpose: Purpose) -> str:
    """The role of a login: at most 52 bytes of PostgreSQL's 63."""
    return f"{database_of(app)}.{purpose.value}"


def _require(ended: Ended, code: str, app: str) -> None:
    if ended.exit_code != 0:
        tail = ended.tail()
        raise Failure(
            Problem(
                code=code,
                where=app,
                why=(tail[-1] if tail else f"psql ended with {ended.exit_code}")[:300],
                remedy="see whether the database server is well, and try again; nothing was changed",
                command="underway status",
            ),
            tail,
        )


_LOOK = "SET default_transaction_read_only = on; SET statement_timeout = '10s'; SET lock_timeout = '2s';\n"
"""Before whatever only looks: it changes nothing and nobody waits for it."""

_TABLES = """\
SELECT coalesce(json_agg(json_build_array(
  CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname,
  greatest(c.reltuples, 0)::bigint,
  pg_total_relation_size(c.oid),
  (SELECT coalesce(json_object_agg(a.attname, format_type(a.atttypid, a.atttypmod)), '{}')
     FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  (SELECT coalesce(json_agg(substring(pg_get_constraintdef(k.oid) from '^CHECK \\(\\((.*) IS NOT NULL\\)\\)$')), '[]')
     FROM pg_constraint k
    WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.convalidated
      AND pg_get_constraintdef(k.oid) ~ '^CHECK \\(\\(("[^"]+"|[a-z0-9_]+) IS NOT NULL\\)\\)$')
)), '[]')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_';
"""

_LOGIN = """\
SELECT format('CREATE ROLE %I', {text}) WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {text}) \\gexec
GRANT {app} TO {role};
ALTER ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION INHERIT CONNECTION LIMIT 20
  PASSWORD {verifier};
ALTER ROLE {role} SET role = {app};
ALTER ROLE {role} SET lock_timeout = {lock_ms};
ALTER ROLE {role} SET statement_timeout = {statement_ms};
ALTER ROLE {role} SET default_transaction_read_only = {read_only};
"""
_CLOSE = """\
SELECT format('ALTER ROLE %I NOLOGIN', {text}) WHERE EXISTS (SELECT FROM pg_roles WHERE rolname = {text}) \\gexec
SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE usename = {text};
"""
