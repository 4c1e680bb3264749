"""What a manifest says of the services an app is given: `[services]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated

from underway.manifest import words
from underway.manifest.env_keys import EnvVar as EnvVar  # the word is part of this model
from underway.manifest.keys import Key, Table
from underway.manifest.monitor import AlertKeys as AlertKeys
from underway.manifest.monitor import MonitorKeys as MonitorKeys
from underway.manifest.monitor import ObjectiveKeys as ObjectiveKeys
from underway.manifest.release import Limits as Limits
from underway.manifest.release import ReleaseKeys as ReleaseKeys
from underway.manifest.smoke import Journey as Journey
from underway.manifest.smoke import Smoke as Smoke
from underway.manifest.spending import BudgetKeys as BudgetKeys
from underway.manifest.spending import KeepAwakeKeys as KeepAwakeKeys


@dataclass(frozen=True)
class Postgres:
    """`[services.postgres]`: provided by Underway, or the user's own at `url` (an environment reference is allowed).

    `scheme` is what the app's driver needs in DATABASE_URL (postgresql, postgres, postgresql+asyncpg …).
    `env` names further variables: NAME → one of url | url:SCHEME | host | port | user | password | database.
    """

    url: Annotated[
        str,
        Key(
            "url",
            words.POSTGRES_URL,
            '"${PROD_DATABASE_URL}"',
            "A server of your own, or the variable that holds its address; empty lets Underway provide one.",
        ),
    ] = ""
    scheme: Annotated[
        str,
        Key(
            "scheme", words.SCHEME, '"postgresql+asyncpg"', "The scheme of `DATABASE_URL` that the app's driver needs."
        ),
    ] = "postgresql"
    extensions: Annotated[
        tuple[str, ...], Key("extensions", words.EXTENSIONS, '["pg_trgm"]', "Extensions made in the database.")
    ] = ()
    env: Annotated[
        Mapping[str, str],
        Key(
            "env",
            words.POSTGRES_ENV,
            '{DB_HOST = "host", DB_PORT = "port"}',
            "Further variables the app reads, and the part of the address each gets.",
        ),
    ] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Redis:
    """`[services.redis]`, likewise. `env`: NAME → one of url | host | port | password.

    `has_password` is false for an app that can be told a host and no password.
    """

    url: Annotated[
        str,
        Key(
            "url",
            words.REDIS_URL,
            '"${PROD_REDIS_URL}"',
            "A server of your own, or the variable that holds its address; empty lets Underway provide one.",
        ),
    ] = ""
    env: Annotated[
        Mapping[str, str],
        Key(
            "env",
            words.REDIS_ENV,
            '{CACHE_HOST = "host", CACHE_PORT = "port"}',
            "Further variables the app reads, and the part of the address each gets.",
        ),
    ] = field(default_factory=lambda: MappingProxyType({}))
    has_password: Annotated[
        bool,
        Key(
            "password",
            words.FLAG,
            "false",
            "`false` for an app that cannot be told a password: every user of this machine then reaches its server, "
            "which takes no orders that change its settings or write files.",
        ),
    ] = True


@dataclass(frozen=True)
class Services:
    postgres: Annotated[
        Postgres | None,
        Table(
            "postgres",
            Postgres,
            "PostgreSQL: a database, a role and a password of the app's own, in `DATABASE_URL` and `PGHOST`, `PGPORT`, "
            "`PGUSER`, `PGPASSWORD`, `PGDATABASE`.",
            short="url",
            is_switch=True,
            short_when_written=True,
        ),
    ] = None
    redis: Annotated[
        Redis | None,
        Table(
            "redis",
            Redis,
            "A server that speaks the Redis protocol, in `REDIS_URL`.",
            short="url",
            is_switch=True,
            short_when_written=True,
        ),
    ] = None
