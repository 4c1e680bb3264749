"""Layers → one value per variable, with where it came from and what it covers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from underway.manifest.env_keys import EnvironmentKeys, EnvVar
from underway.manifest.model import MANIFEST_FILE, Manifest
from underway.manifest.services import Postgres, Redis
from underway.terms.environment import BASE, PRODUCTION, Entry, Holder, Kept, Origin
from underway.terms.problem import Problem, Refusal
from underway.terms.secret import Secret

POSTGRES_NAMES = {
    "url": "DATABASE_URL",
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "database": "PGDATABASE",
}
"""The parts of an address by the names that libpq reads (PostgreSQL manual, 34.15)."""
REDIS_NAMES = {"url": "REDIS_URL", "host": "REDIS_HOST", "port": "REDIS_PORT", "password": "REDIS_PASSWORD"}
UNKNOWN = EnvVar(secret=True)
"""What is taken of a variable that a layer sets and the schema does not know: it may be a secret."""

_EMPTY = EnvVar()


@dataclass(frozen=True)
class Layer:
    """Values of one layer from one holder. A value of None is one that is known only when a process starts."""

    holder: Holder
    name: str
    where: str = ""
    values: Mapping[str, Kept | None] = field(default_factory=dict)

    @property
    def origin(self) -> Origin:
        return Origin(self.holder, self.name, self.where)


def chain(manifest: Manifest, environment: str) -> tuple[str, ...]:
    """The layers of an environment, lowest first: base, what it inherits, itself."""
    names: list[str] = []
    at = environment
    while at and at != BASE and at not in names:
        names.append(at)
        keys = manifest.environments.get(at)
        at = keys.inherits if keys else ""
    return (BASE, *reversed(names))


def require_known(manifest: Manifest, environment: str, vaults: Sequence[str] = ()) -> None:
    """Raise `Refusal` (`env.environment-unknown`) for an environment that neither manifest nor vault names."""
    known = sorted({PRODUCTION, *manifest.environments, *(name for name in vaults if name != BASE)})
    if environment in (*known, BASE):
        return
    raise Refusal(
        [
            Problem(
                code="env.environment-unknown",
                where=f"environment {environment[:60]}",
                why=f"{manifest.app} has no environment {environment[:60]}; there are {', '.join(known)}",
                remedy=f"write it in the manifest, [environments.{environment[:60]}], or name one of those",
                command="underway env show",
            )
        ]
    )


def layers_of(
    manifest: Manifest,
    environment: str,
    process: str = "",
    *,
    vault: Mapping[str, Mapping[str, Kept]],
    files: Mapping[str, Mapping[str, Kept]],
    own: Mapping[str, Kept],
) -> tuple[Layer, ...]:
    """Every layer of an environment, lowest first. `vault` and `files` are by layer; `own` is what Underway keeps."""
    schema = manifest.env
    found = [
        Layer(Holder.DEFAULT, "default", MANIFEST_FILE, _plain({n: v.default for n, v in schema.items() if v.default})),
        Layer(Holder.SERVICE, "service", "", dict.fromkeys(service_names(manifest))),
        Layer(
            Holder.GENERATED,
            "generated",
            "",
            {
                name: own.get(name)
                for name, variable in schema.items()
                if variable.generate or variable.source.startswith("public:")
            },
        ),
    ]
    for name in chain(manifest, environment):
        keys = manifest.environments.get(name)
        written = dict(keys.env) if keys else {}
        if name == BASE:
            written = {n: v.value for n, v in schema.items() if v.value or v == _EMPTY}
        found.append(Layer(Holder.MANIFEST, name, MANIFEST_FILE, _plain(written)))
        found.append(Layer(Holder.FILE, name, file_of(name), files.get(name, {})))
        found.append(Layer(Holder.VAULT, name, "", vault.get(name, {})))
    if process and process in manifest.processes:
        found.append(
            Layer(Holder.PROCESS, f"process {process}", MANIFEST_FILE, _plain(manifest.processes[process].env))
        )
    return tuple(layer for layer in found if layer.values)


def file_of(layer: str) -> str:
    """Where a layer may be committed, encrypted, from the root of the repository."""
    return f"env/{layer}.age"


def resolve(manifest: Manifest, layers: Sequence[Layer], process: str = "") -> dict[str, Entry]:
    """One entry per variable that the schema or a layer knows, sorted by name. The highest layer wins.

    With `process`, only what that process gets.
    """
    names = {name for layer in layers for name in layer.values} | set(manifest.env)
    found: dict[str, Entry] = {}
    for name in sorted(names):
        variable = manifest.env.get(name, UNKNOWN)
        if process and not variable.is_for(process):
            continue
        having = [layer for layer in reversed(layers) if name in layer.values]
        top = having[0] if having else None
        kept = top.values[name] if top else None
        found[name] = Entry(
            name=name,
            value=kept.value if kept else None,
            origin=top.origin if top else None,
            is_secret=_is_secret(variable, top, is_known=name in manifest.env),
            over=tuple(layer.origin for layer in having[1:]),
            kept=kept,
        )
    return found


def _is_secret(variable: EnvVar, top: Layer | None, *, is_known: bool) -> bool:
    if is_known and (variable.is_secret or (top and top.holder is Holder.GENERATED)):
        return True
    if top is None:
        return not is_known
    return top.holder is Holder.SERVICE or (not is_known and top.holder in (Holder.VAULT, Holder.FILE))


def _plain(values: Mapping[str, str]) -> dict[str, Kept | None]:
    return {name: Kept(value=Secret(value)) for name, value in values.items()}


def settled(
    manifest: Manifest, environment: str, files: Mapping[str, Mapping[str, Kept]], apps: Collection[str] = ()
) -> Manifest:
    """The manifest of a release: for its environment, with the layers below it alone, and with what the committed
    files say written into them. What the vault says is read when a process starts.

    What only channels and the heartbeat name is Underway's: the release declares it so that no process gets it, unless
    the file declares it or it is one of `apps`, the names that the app's code reads.
    """
    names = chain(manifest, environment)
    env = dict(manifest.env)
    for name, kept in files.get(BASE, {}).items():
        env[name] = replace(env.get(name, UNKNOWN), value=kept.value.reveal(), generate="", source="")
    given = {*manifest.env, *service_names(manifest), *apps}
    for name in sorted(manifest.alerts.variables - given):
        env[name] = replace(env.get(name, UNKNOWN), at="agent")
    environments = {}
    for name in names[1:]:
        keys = manifest.environments.get(name, EnvironmentKeys())
        values = {**keys.env, **{n: kept.value.reveal() for n, kept in files.get(name, {}).items()}}
        if keys != EnvironmentKeys() or values:
            environments[name] = replace(keys, env=MappingProxyType(values))
    return replace(
        manifest,
        environment=environment,
        env=MappingProxyType(env),
        environments=MappingProxyType(environments),
    )


def service_parts(manifest: Manifest) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """For PostgreSQL and Redis: the variables beside the usual ones, and the part of the address each gets."""
    services = manifest.services
    postgres = dict(services.postgres.env) if services.postgres else {}
    redis = dict(services.redis.env) if services.redis else {}
    for name, variable in manifest.env.items():
        service, _, part = variable.source.partition(":")
        if service == "postgres":
            postgres[name] = part or "url"
        elif service == "redis":
            redis[name] = part or "url"
    return postgres, redis


def service_names(manifest: Manifest) -> tuple[str, ...]:
    """Every variable that a service gives."""
    postgres, redis = service_parts(manifest)
    found: list[str] = []
    if manifest.services.postgres:
        found += [*_usual(manifest.services.postgres, POSTGRES_NAMES), *postgres]
    if manifest.services.redis:
        found += [*_usual(manifest.services.redis, REDIS_NAMES), *redis]
    return tuple(dict.fromkeys(found))


def _usual(service: Postgres | Redis, names: Mapping[str, str]) -> Sequence[str]:
    """The usual names. Which parts an address of the user's own has is seen when it is read."""
    return tuple(names.values()) if not service.url else (names["url"],)
