"""The environment of an app's processes: what the manifest sets, what services give, what Underway adds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar

import msgspec

from underway.environment.layers import POSTGRES_NAMES, REDIS_NAMES, UNKNOWN
from underway.manifest.env_keys import EnvVar
from underway.manifest.services import Postgres, Redis
from underway.ports.drivers import Drivers
from underway.ports.schemas import Login
from underway.steps.service_env import service_env
from underway.terms.environment import OWN, PRODUCTION, Environ, Kept
from underway.terms.problem import Problem, Refusal
from underway.terms.release import Build
from underway.terms.secret import Secret

DATABASE_PASSWORD = "UNDERWAY_DATABASE_PASSWORD"  # noqa: S105 - the name under which the vault keeps it
CACHE_PASSWORD = "UNDERWAY_CACHE_PASSWORD"  # noqa: S105 - likewise
KEPT_PREFIX = "kept_"
"""Names in the vault of values that a manifest had in the clear."""


PLATFORM = frozenset(
    (
        "PATH",
        "HOME",
        "LANG",
        "HOST",
        "PYTHONUNBUFFERED",
        "NODE_ENV",
        "VIRTUAL_ENV",
        "TZ",
        "UNDERWAY_APP",
        "UNDERWAY_RELEASE",
        "UNDERWAY_ENVIRONMENT",
    )
)
"""What Underway gives every process, the same in each app."""


class EnvAsk(msgspec.Struct, frozen=True, kw_only=True):
    """What shapes the environment. It names secrets and holds none.

    `variables` have the values of the base; `overlays` those of each layer above it. `vault` is the app whose layers
    `layers` (lowest first) are read at the start, each over the one of the same name here.
    """

    app: str
    release: str
    host: str
    variables: dict[str, EnvVar]
    postgres: Postgres | None = None
    redis: Redis | None = None
    name: str = PRODUCTION
    vault: str = ""
    layers: tuple[str, ...] = ()
    overlays: dict[str, dict[str, str]] = {}


async def environment(
    ask: EnvAsk,
    build: Build,
    on: Drivers,
    through: Login | None = None,
    *,
    process: str = "",
    cache_of: str = "",
    with_agents: bool = False,
) -> Environ:
    """The whole environment for a process of this release, secrets in the clear: give it to the process only.

    The empty name of a process stands for the migration.
    `through` names the app's own database by another login, or another database in its place.
    `cache_of` is the name under which a Redis of its own is made, in place of the app's.
    With `with_agents` what Underway alone uses (`at = "agent"`) is there as well: for a person who asks for it.

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
        "UNDERWAY_ENVIRONMENT": ask.name,
    }
    if build.venv:
        values["VIRTUAL_ENV"] = build.venv
    if zone := os.environ.get("TZ"):
        values["TZ"] = zone
    services, programs = await _of_services(ask, on, through, cache_of)
    if programs:
        values["PATH"] += f":{programs}"
    own = _of_app(ask, on, process, with_agents=with_agents)
    hidden = _secret_parts(ask) | {n for n in own if n not in ask.variables or ask.variables[n].is_secret}
    hidden |= {variable.previous for variable in ask.variables.values() if variable.previous}
    return Environ({**values, **services, **own}, hidden & (set(services) | set(own)))


def probe_values(ask: EnvAsk, app: str, on: Drivers) -> Mapping[str, str | Secret]:
    """What a probe may fill in: the app's variables, those that are secret as such, and everything of its vault, which
    may then be hidden wherever the app shows it. Raises `Refusal` (`env.missing`)."""
    kept = on.vault.values(app)
    values: dict[str, str | Secret] = dict(kept)
    for name, value in _of_app(ask, on, "web", with_agents=True).items():
        variable = ask.variables.get(name, UNKNOWN)
        is_plain = variable.value == value and not variable.is_secret and name not in kept
        values[name] = value if is_plain else Secret(value)
    return values


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


async def _of_services(ask: EnvAsk, on: Drivers, through: Login | None, cache_of: str) -> tuple[Mapping[str, str], str]:
    """The variables of the services, and the folder of the programs of the app's own database."""
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
        _with_sources(ask.postgres, "postgres", ask),
        _with_sources(ask.redis, "redis", ask),
        database=database,
        database_password=database_password,
        cache=cache,
        cache_password=password,
        references={**on.vault.values(ask.app), **_of_layers(ask, on)},
    )
    return {name: secret.reveal() for name, secret in found.items()}, database.programs if database else ""


def cache_password(app: str, has_password: bool, on: Drivers) -> Secret:
    """The password of the app's Redis, made once; empty for one that asks for none."""
    return on.vault.ensure(app, CACHE_PASSWORD, "password") if has_password else Secret("")


def _secret_parts(ask: EnvAsk) -> set[str]:
    """The variables of services that hold a password, alone or in an address."""
    named: list[tuple[Mapping[str, str], Postgres | Redis | None]] = [
        (POSTGRES_NAMES, _with_sources(ask.postgres, "postgres", ask)),
        (REDIS_NAMES, _with_sources(ask.redis, "redis", ask)),
    ]
    found: set[str] = set()
    for usual, service in named:
        parts = {**{name: part for part, name in usual.items()}, **(service.env if service else {})}
        found |= {name for name, part in parts.items() if part.partition(":")[0] in ("url", "password")}
    return found


_Service = TypeVar("_Service", Postgres, Redis)


def _with_sources(service: _Service | None, named: str, ask: EnvAsk) -> _Service | None:
    """The service with the variables that take their value from it by `from`."""
    if service is None:
        return None
    parts = dict(service.env)
    for name, variable in ask.variables.items():
        source, _, part = variable.source.partition(":")
        if source == named:
            parts[name] = part or "url"
    return replace(service, env=MappingProxyType(parts))


def _of_layers(ask: EnvAsk, on: Drivers) -> dict[str, Secret]:
    """What stands over the base values of the manifest: the highest layer that says something, in each layer the
    vault over the manifest."""
    found: dict[str, Secret] = {}
    own = on.vault.values(ask.app) if ask.overlays else {}
    for layer in ask.layers:
        for name, value in ask.overlays.get(layer, {}).items():
            is_kept = value.startswith(f"${{{KEPT_PREFIX}") and value[2:-1] in own
            found[name] = own[value[2:-1]] if is_kept else Secret(value)
        found |= on.vault.values(ask.vault or ask.app, layer)
    return found


def _of_app(ask: EnvAsk, on: Drivers, process: str, *, with_agents: bool) -> Mapping[str, str]:
    values: dict[str, str] = {}
    own = on.vault.kept(ask.app, OWN)
    layered = _of_layers(ask, on)
    missing: list[Problem] = []
    for name, variable in ask.variables.items():
        is_agents = with_agents and variable.at == "agent"
        is_here = is_agents or (variable.is_run_with and variable.is_for(process))
        if not is_here or variable.source.partition(":")[0] in ("postgres", "redis"):
            layered.pop(name, None)
            continue
        if variable.generate and name not in layered:
            values[name] = on.vault.ensure(ask.app, name, variable.generate).reveal()
        elif variable.source.startswith("public:"):
            values[name] = _public_half(ask, variable, on)
        elif name in layered:
            values[name] = layered[name].reveal()
        elif variable.value.startswith(f"${{{KEPT_PREFIX}") and variable.value[2:-1] in own:
            values[name] = own[variable.value[2:-1]].value.reveal()
        elif name in own:
            values[name] = own[name].value.reveal()
        elif variable.value or variable == _EMPTY:
            values[name] = variable.value
        elif not variable.is_required_in(ask.name):
            continue
        else:
            missing.append(missing_value(name))
    if missing:
        raise Refusal(missing)
    values |= {name: value.reveal() for name, value in layered.items() if name not in ask.variables}
    return values | _former(ask, own, on)


_EMPTY = EnvVar()
"""`NAME = ""`: set, to nothing. A variable of which more is said and that has no value is not set at all."""


def _public_half(ask: EnvAsk, variable: EnvVar, on: Drivers) -> str:
    name = variable.source.partition(":")[2]
    on.vault.ensure(ask.app, name, ask.variables[name].generate)
    return on.vault.public_half(ask.app, name)


def _former(ask: EnvAsk, own: Mapping[str, Kept], on: Drivers) -> dict[str, str]:
    """For each variable that is being renewed: the values that the app still accepts."""
    found: dict[str, str] = {}
    layers = [on.vault.kept(ask.vault or ask.app, layer) for layer in ask.layers]
    for name, variable in ask.variables.items():
        if variable.previous and variable.is_run_with:
            kept = next((layer[name] for layer in reversed(layers) if name in layer), own.get(name))
            found[variable.previous] = ",".join(it.reveal() for it in kept.former) if kept else ""
    return found


def missing_value(name: str) -> Problem:
    return Problem(
        code="env.missing",
        where=f"env.{name}",
        why=f"the app needs {name} and it is not set anywhere",
        remedy="set it: the command asks for the value, or takes it from stdin",
        command=f"underway env set {name}",
    )
