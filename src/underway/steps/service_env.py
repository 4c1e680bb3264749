"""An app's variables for its services: the address as one URL and in parts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote, unquote, urlsplit

from underway.environment.layers import POSTGRES_NAMES, REDIS_NAMES
from underway.manifest.services import Postgres, Redis
from underway.ports.services import CacheAddress, DatabaseAddress
from underway.terms.problem import Problem, Refusal
from underway.terms.secret import Secret

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_POSTGRES = re.compile(r"postgres(ql)?(\+[a-z0-9_]+)?", re.ASCII)


def service_env(
    postgres: Postgres | None,
    redis: Redis | None,
    *,
    database: DatabaseAddress | None = None,
    database_password: Secret | None = None,
    cache: CacheAddress | None = None,
    cache_password: Secret | None = None,
    references: Mapping[str, Secret] = MappingProxyType({}),
) -> Mapping[str, Secret]:
    """The variables that `services` give an app: the usual names, then those of the manifest's `env`.

    A service with a `url` of the user's own is taken from there; `references` holds the values that a `${NAME}`
    may name. Otherwise the address and password are the provided ones. An own address without a part (a Redis
    without a password, a PostgreSQL address without a port) sets no variable for it.

    Raises `Refusal` with every `services.reference-missing` and `services.url`.
    """
    problems: list[Problem] = []
    found: dict[str, str] = {}
    if postgres is not None:
        parts = _own(postgres.url, "services.postgres.url", references, problems) if postgres.url else None
        if parts is not None:
            parts["url"] = _with_scheme(parts["url"], postgres.scheme)
        elif database is not None and database_password is not None:
            parts = _provided(postgres.scheme, database, database_password)
        found |= _named(parts or {}, POSTGRES_NAMES, postgres.env)
    if redis is not None:
        parts = _own(redis.url, "services.redis.url", references, problems) if redis.url else None
        if parts is None and cache is not None and cache_password is not None:
            password = cache_password.reveal()
            access = f":{_encoded(password)}@" if password else ""
            parts = {
                "url": f"redis://{access}{_host(cache.host)}:{cache.port}/0",
                "host": cache.host,
                "port": str(cache.port),
            }
            if password:
                parts["password"] = password
        found |= _named(parts or {}, REDIS_NAMES, redis.env)
    if problems:
        raise Refusal(problems)
    return {name: Secret(value) for name, value in found.items()}


def _provided(scheme: str, at: DatabaseAddress, secret: Secret) -> dict[str, str]:
    password = secret.reveal()
    user, name = _encoded(at.user), _encoded(at.database)
    return {
        "url": f"{scheme}://{user}:{_encoded(password)}@{_host(at.host)}:{at.port}/{name}",
        "host": at.host,
        "port": str(at.port),
        "user": at.user,
        "password": password,
        "database": at.database,
    }


def _own(url: str, where: str, references: Mapping[str, Secret], problems: list[Problem]) -> dict[str, str] | None:
    """The parts of an address of the user's own, percent-decoded; None after adding to `problems`."""
    if named := _REFERENCE.fullmatch(url):
        name = named[1]
        if name not in references:
            why = f"it takes the address from {name}, which is not set"
            remedy = f"set {name} for this app, or write the address in the manifest"
            problems.append(Problem(code="services.reference-missing", where=where, why=why, remedy=remedy))
            return None
        url = references[name].reveal()
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        why = "the address cannot be read (its port or its host is malformed)"  # the address itself is a secret
        remedy = "write postgresql://user:password@host:5432/name or redis://:password@host:6379/0"
        problems.append(Problem(code="services.url", where=where, why=why, remedy=remedy))
        return None
    parts = {
        "url": url,
        "host": unquote(split.hostname or ""),
        "port": "" if port is None else str(port),
        "user": unquote(split.username or ""),
        "password": unquote(split.password or ""),
        "database": unquote(split.path.removeprefix("/")),
    }
    return {name: value for name, value in parts.items() if value}


def _named(parts: Mapping[str, str], usual: Mapping[str, str], further: Mapping[str, str]) -> dict[str, str]:
    values = {variable: parts[part] for part, variable in usual.items() if part in parts}
    for variable, part in further.items():
        name, _, scheme = part.partition(":")
        if name in parts:
            values[variable] = _with_scheme(parts[name], scheme) if scheme else parts[name]
    return values


def _with_scheme(url: str, scheme: str) -> str:
    """The same PostgreSQL address under the scheme that the app's driver needs; any other address as it is."""
    given, separator, rest = url.partition("://")
    return f"{scheme}://{rest}" if separator and _POSTGRES.fullmatch(given) else url


def _encoded(text: str) -> str:
    """Percent-encoded for a URL's user, password or path segment: all but unreserved characters (RFC 3986, 2.3)."""
    return quote(text, safe="")


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
