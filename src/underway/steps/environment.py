"""The environment of an app's processes: what the manifest sets, what services give, what Underway adds."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from underway.manifest.model import EnvVar, Postgres, Redis
from underway.ports.drivers import Drivers
from underway.ports.schemas import Login
from underway.steps.service_env import service_env
from underway.terms.problem import Problem, Refusal
from underway.terms.release import Build
from underway.terms.secret import Secret

DATABASE_PASSWORD = "UNDERWAY_DATABASE_PASSWORD"  # noqa: S105 - the name under which the vault keeps it
CACHE_PASSWORD = "UNDERWAY_CACHE_PASSWORD"  # noqa: S105
KEPT_PREFIX = "kept_"
"""Names in the vault of values that a manifest had in the clear."""


class EnvAsk(msgspec.Struct, frozen=True, kw_only=True):
    """What shapes the environment. It names secrets and holds none."""

    app: str
    release: str
    host: str
    variables: dict[str, EnvVar]
    postgres: Postgres | None = None
    redis: Redis | None = None


async def environment(
    ask: EnvAsk, build: Build, on: Drivers, through: Login | None = None, *, cache_of: str = ""
) -> dict[str, str]:
    """The whole environment for a process of this release, secrets in the clear: give it to the process only.

    `through` names the app's own database by another login, or another database in its place.
    `cache_of` is the name under which a Redis of its own is made, in place of the app's.

    Raises `Failure` when a service does not answer and `Refusal` (`env.missing`) when a required value is not set.
    """
    values: dict[str, str] = {
        "PATH": ":".join(filter(None, (build.venv and f"{build.venv}/bin", f"{build.dir}/node_modules/.bin", _PATH))),
        "HOME": str(on.home.app(ask.app)),
        "LANG": "C.UTF-8",
        "HOST": "127.0.0.1",
        "PYTHONUNBUFFERED": "1",
        "NODE_ENV": "production",
        "UNDERWAY_APP": ask.app,
        "UNDERWAY_RELEASE": ask.release,
    }
    if build.venv:
        values["VIRTUAL_ENV"] = build.venv
    if zone := os.environ.get("TZ"):
        values["TZ"] = zone
    values |= await _of_services(ask, on, through, cache_of)
    values |= _of_manifest(ask, on)
    return values


def probe_values(ask: EnvAsk, app: str, on: Drivers) -> Mapping[str, str | Secret]:
    """What a probe may fill in: the app's variables, those that are secret as such, and everything of its vault, which
    may then be hidden wherever the app shows it. Raises `Refusal` (`env.missing`)."""
    kept = on.vault.values(app)
    values: dict[str, str | Secret] = dict(kept)
    for name, value in _of_manifest(ask, on).items():
        variable = ask.variables[name]
        is_plain = variable.value == value and not variable.is_secret and name not in kept
        values[name] = value if is_plain else Secret(value)
    return values


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


async def _of_services(ask: EnvAsk, on: Drivers, through: Login | None, cache_of: str) -> Mapping[str, str]:
    database = cache = database_password = password = None
    if ask.postgres and not ask.postgres.url and through:
        database, database_password = through.address, through.password
    elif ask.postgres and not ask.postgres.url:
        database_password = on.vault.ensure(ask.app, DATABASE_PASSWORD, "password")
        database = await on.database.address(ask.app) or await on.database.provision(
            ask.app, database_password, ask.postgres.extensions
        )
    if ask.redis and not ask.redis.url:
        password = cache_password(ask.app, ask.redis.has_password, on)
        cache = await on.cache.provision(cache_of or ask.app, password)
    found = service_env(
        ask.postgres,
        ask.redis,
        database=database,
        database_password=database_password,
        cache=cache,
        cache_password=password,
        references=on.vault.values(ask.app),
    )
    return {name: secret.reveal() for name, secret in found.items()}


def cache_password(app: str, has_password: bool, on: Drivers) -> Secret:
    """The password of the app's Redis, made once; empty for one that asks for none."""
    return on.vault.ensure(app, CACHE_PASSWORD, "password") if has_password else Secret("")


def _of_manifest(ask: EnvAsk, on: Drivers) -> Mapping[str, str]:
    values: dict[str, str] = {}
    kept = on.vault.values(ask.app)
    missing: list[Problem] = []
    for name, variable in ask.variables.items():
        if variable.generate:
            values[name] = on.vault.ensure(ask.app, name, variable.generate).reveal()
        elif variable.value.startswith(f"${{{KEPT_PREFIX}") and variable.value[2:-1] in kept:
            values[name] = kept[variable.value[2:-1]].reveal()
        elif name in kept:
            values[name] = kept[name].reveal()
        elif variable.value or not variable.required:
            values[name] = variable.value
        else:
            missing.append(missing_value(name))
    if missing:
        raise Refusal(missing)
    return values


def missing_value(name: str) -> Problem:
    return Problem(
        code="env.missing",
        where=f"env.{name}",
        why=f"the app needs {name} and it is not set anywhere",
        remedy=f'set it in underway.toml: [env] {name} = "…"',
        command="underway deploy --dry-run",
    )
