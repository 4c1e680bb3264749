from __future__ import annotations

from typing import Protocol

import msgspec

from underway.terms.secret import Secret


class DatabaseAddress(msgspec.Struct, frozen=True, kw_only=True):
    """How an app reaches its database."""

    host: str
    port: int
    user: str
    database: str
    was_created: bool = False
    server: str = ""
    """"PostgreSQL 15.18 (system)", for people."""
    programs: str = ""
    """The folder of psql, pg_dump and the others of the server's version."""


class Database(Protocol):
    """PostgreSQL: one server per home, one role and one database per app."""

    async def start(self) -> None:
        """Adopt or start the server (initialise it the first time), and keep it alive from now on.

        Raises `Failure` (`postgres.start`, `postgres.not-found`, `postgres.home-unreachable`)."""
        ...

    async def stop(self) -> None: ...

    @property
    def port(self) -> int:
        """The loopback port of the server, 0 when this process has neither started nor adopted it."""
        ...

    async def missing_extensions(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of `names` that this server does not have on disk."""
        ...

    async def provision(self, app: str, password: Secret, extensions: tuple[str, ...] = ()) -> DatabaseAddress:
        """Make the role, the database and the extensions where missing; set the role's password. Idempotent."""
        ...

    async def address(self, app: str) -> DatabaseAddress | None:
        """What `provision` gave for the app in this process's life, without asking the server again; None when it
        was not called yet. Starts the server where it does not run, with its `Failure`s."""
        ...

    async def drop(self, app: str) -> None:
        """Remove the app's database and role. Removing what is not there is fine."""
        ...


class CacheAddress(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    port: int
    server: str = ""


class Cache(Protocol):
    """Redis protocol: one server per app (a password and a memory of its own), persistent by AOF."""

    async def provision(self, app: str, password: Secret) -> CacheAddress:
        """Adopt or start the app's server and keep it alive from now on. Idempotent.

        With an empty `password` it asks for none, and refuses what changes its settings or writes files.
        Raises `Failure` (`redis.start`, `redis.not-found`)."""
        ...

    def port(self, app: str) -> int:
        """The loopback port of the app's server, 0 when this process has neither started nor adopted it."""
        ...

    async def stop(self, app: str) -> None: ...

    async def drop(self, app: str) -> None:
        """Stop it and remove its data."""
        ...

    async def adopt(self) -> None:
        """Take over the servers a former agent left running; start those that died meanwhile."""
        ...
