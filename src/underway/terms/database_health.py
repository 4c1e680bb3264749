"""How a database is, at one moment."""

from __future__ import annotations

import msgspec


class SlowQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A statement by all the time it took, its values masked."""

    statement: str
    calls: int
    mean_ms: float
    total_s: float


class LongTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction that is open for long: it keeps what others deleted from being cleaned up, and locks with it.
    `waits_for` is the table whose lock it waits for, `blocks` how many sessions wait for it."""

    pid: int
    age_s: float
    state: str
    statement: str
    waits_for: str = ""
    blocks: int = 0


class BloatedTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table with its dead rows, by the server's count."""

    table: str
    rows: int
    dead_rows: int
    total_bytes: int


LATE_S = 60.0
"""A follower that is this far behind is told of: what it would lose is no longer a moment."""


class Follower(msgspec.Struct, frozen=True, kw_only=True):
    """Something that receives every change of a database: what receives the server's log for restores to any moment
    ("the log's receiver"), a standby, or what follows an SQLite file. `behind_bytes` and `behind_s` are what it has not
    got yet, None where that is not known; nothing is to be got while nothing is written."""

    name: str
    state: str
    behind_bytes: int | None = None
    behind_s: float | None = None


class DatabaseHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One reading. `connections` are those to this database, `server_connections` all of the server's,
    `max_connections` what it takes, `app_connections` what one app may have. `cache_hit` is the share of blocks that
    were read from memory, None before anything was read. `has_statements` when pg_stat_statements is there: without it
    no slow query is known."""

    size_bytes: int
    connections: int
    server_connections: int
    max_connections: int
    app_connections: int
    cache_hit: float | None
    deadlocks: int
    has_statements: bool
    rows: int = 0
    """Live rows of all its tables, as the server counts them."""
    slow: tuple[SlowQuery, ...] = ()
    transactions: tuple[LongTransaction, ...] = ()
    bloated: tuple[BloatedTable, ...] = ()
    largest: tuple[BloatedTable, ...] = ()
    followers: tuple[Follower, ...] = ()
    head: str = ""
    """What the migration tool calls what the database carries ("alembic 3f2a91c"), empty where that is not known."""
