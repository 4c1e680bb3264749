"""Environment variables, gathered from every reader, and what each is given."""

from __future__ import annotations

import re
from collections.abc import Collection

from underway.detect.env_names import (
    PUBLIC_SECRETS,
    host_words,
    is_engine,
    is_password,
    is_plain_secret_key,
    is_secret_key,
    is_stage,
    is_third_party,
    postgres_part,
    redis_part,
)
from underway.detect.index import Index
from underway.detect.model import Evidence, Notes
from underway.detect.required import settle_required
from underway.detect.variables import Given, Variable
from underway.manifest.env_keys import EnvVar


def give(
    index: Index,
    variables: dict[str, Variable],
    notes: Notes,
    *,
    with_postgres: bool,
    with_redis: bool,
    is_django: bool = False,
    has_fernet: bool = False,
    kind: str = "urlsafe",
    choices: Collection[str] = (),
) -> Given:
    """Decide each variable: set, generate, fill from a service, leave to its default, or ask the owner.

    `choices` are words for PostgreSQL that the sources know as the name of a client or dialect. `kind` is that of the
    secrets which are made up.
    """
    out = Given(variables=variables)
    if with_postgres:
        out.postgres = _service_parts(variables, postgres_part, "DATABASE_URL")
    if with_redis:
        out.redis = _service_parts(variables, redis_part, "REDIS_URL")
    for name, one in variables.items():
        if name in out.postgres or name in out.redis or name in ("DATABASE_URL", "REDIS_URL"):
            continue
        if with_postgres and (engine := next((r for r in one.reads if r.compared in ("postgres", "postgresql")), None)):
            out.env[name] = EnvVar(value=engine.compared)
            notes.claim("database", f"{name} chooses PostgreSQL", engine.evidence, f"env.{name}")
            continue
        if is_engine(name) and with_postgres:
            _set_engine(one, out, notes, choices, is_django=is_django)
            continue
        if is_stage(name) and (stage := _production(index, one)) is not None:
            out.env[name] = EnvVar(value=stage[0])
            notes.claim("env", f"{name} chooses the settings for production", stage[1], f"env.{name}")
            continue
        if with_redis and one.is_required and _REDIS_USER.fullmatch(name.upper()[:100]):
            out.env[name] = EnvVar(value="default")  # who a password without a user is for (redis.io, AUTH)
            continue
        words = host_words(name)
        if words and _wants_own_names(one, words):
            _set_own_names(one, words, out, notes)
        elif has_fernet and re.search(r"ENCRYPTION|FERNET", name):
            if one.is_required:
                _fernet(one, out, notes)
        elif _is_own_secret(one) and not _is_half_of_a_key(name, variables):
            _generate(one, out, notes, kind="django" if is_django and name.endswith("SECRET_KEY") else kind)
        elif (name == "DEBUG" or name.endswith("_DEBUG")) and _switch_debug_off(one, out, notes):
            continue
        elif one.is_required:
            settle_required(one, out, notes)
        elif (
            one.default is None and _PREFIX.search(name) and re.fullmatch(r"(?:/[\w.-]{1,40}){1,4}", one.example or "")
        ):
            out.env[name] = EnvVar(value=one.example or "")
            notes.claim(
                "env", f"{name} begins the app's addresses: the example's value", one.example_at or "", f"env.{name}"
            )
        elif one.default is None and _is_measured(index, one):
            out.env[name] = EnvVar(value="")
            notes.claim("env", f"{name} may be empty and not missing: its length is taken", one.evidence, f"env.{name}")
    return out


def _is_measured(index: Index, one: Variable) -> bool:
    """True when a validator of pydantic's asks for the length of what may be None (settings of version 1)."""
    asks = rf"""validator\(\s*['"]{re.escape(one.name)}['"],\s*pre=True\)\s*def \w+\(cls, (\w+)[^\n]*\s*if len\(\1\)"""
    return bool(re.search(asks, index.text(one.evidence.path)))


_PREFIX = re.compile(r"(?:^|_)(?:PREFIX|ROOT_PATH|BASE_PATH)$")
_REDIS_USER = re.compile(r"(?:[A-Z0-9]+_+){0,2}?(?:REDIS|VALKEY)_*USER(?:NAME)?")


_DEVELOPMENT = ("default", "development", "develop", "dev", "local", "config.developmentconfig")


def _production(index: Index, one: Variable) -> tuple[str, Evidence] | None:
    """The word for production: of those that the type of a required variable allows, an entry of a table of settings
    that the sources have, where the default takes another one, or what the source compares it with."""
    for read in one.reads if one.is_required else ():
        for word in read.choices:
            if word.lower() in ("production", "prod"):
                return word, read.evidence
    if (one.default or "").lower() in _DEVELOPMENT:
        files = dict.fromkeys([*(r.evidence.path for r in one.reads), *index.named("config.py", "settings.py")[:5]])
        for path in files:
            text = index.text(path)
            found = re.search(r"""^[ \t]*['"]production['"][ \t]*:[ \t]*\w""", text, re.MULTILINE)
            if found:
                return "production", Evidence.at(path, text, found.start())
    if one.is_required and not one.known_values:  # `ENV == 'dev'` and no other word: any that is not that one
        compared = re.compile(r"""[=!]=\s*['"](?:(prod(?:uction)?)|dev|development|local|debug)['"]""", re.IGNORECASE)
        words = [found[1] for found in compared.finditer(index.text(one.evidence.path))]
        if words:
            return next((word for word in words if word), "production"), one.evidence
    return None


def _service_parts(variables: dict[str, Variable], part_of: object, standard: str) -> dict[str, str]:
    assert callable(part_of)
    by_place = standard == "DATABASE_URL"
    parts = {
        name: part_of(name) or (one.part if by_place else "") or ("url" if _is_address(one, standard) else "")
        for name, one in variables.items()
    }
    parts = {name: part for name, part in parts.items() if part}
    has_host = "host" in parts.values()
    for name, one in variables.items():
        known = [v for v in one.known_values if "://" in v]
        if name not in parts:
            continue
        if known and not any(_speaks(v, standard) for v in known):
            del parts[name]  # an address of another service by a name that looks alike
        elif parts[name] == "url" and has_host and not known and not one.is_required and standard == "DATABASE_URL":
            del parts[name]  # the app makes it of the parts, in a form of its own
    if not has_host and (standard in variables or "url" in parts.values()):
        parts = {name: part for name, part in parts.items() if part == "url"}  # a lone name or user says nothing
    return {name: part for name, part in parts.items() if name != standard}


_SCHEMES = {"REDIS_URL": r"(?:rediss?|valkeys?)://\S", "DATABASE_URL": r"(?:postgres(?:ql)?(?:\+\w+)?|psql)://\S"}


def _is_address(one: Variable, standard: str) -> bool:
    """True when an example or a default is an address of this service, whatever the variable's name."""
    known = [v for v in one.known_values if re.match(_SCHEMES[standard], v)]
    return bool(known) and not re.search(r"TEST|REPLICA|READ_?ONLY", one.name.upper())


def _speaks(value: str, standard: str) -> bool:
    scheme = value.partition("://")[0].lower()
    if standard == "REDIS_URL":
        return scheme.startswith(("redis", "valkey")) or scheme in ("memory", "locmem", "dummycache", "locmemcache")
    return scheme.startswith(("postgres", "sqlite", "psql", "pgsql"))


def _fernet(one: Variable, out: Given, notes: Notes) -> None:
    """A Fernet key has a form of its own (github.com/fernet/spec), and what it encrypted is lost without it."""
    out.env[one.name] = EnvVar(required=True, secret=True)
    notes.problem(
        "detect.env-missing",
        one.evidence,
        f"the app does not start without {one.name}, a Fernet key, and what it encrypts cannot be read without it",
        f'add to underway.toml, under [env]: {one.name} = "…"',
        "openssl rand -base64 32 | tr '+/' '-_'",
    )


def _set_engine(one: Variable, out: Given, notes: Notes, choices: Collection[str], *, is_django: bool) -> None:
    known = one.default or one.example or ""
    if not choices and re.search(r"asyncpg|psycopg|postgres", one.default or ""):
        return
    if choices:
        value = known if known in choices else next(iter(choices))
        known = "" if one.default is None else known
    elif "django.db.backends" in known or (is_django and one.name in ("SQL_ENGINE", "DB_ENGINE", "DATABASE_ENGINE")):
        value = "django.db.backends.postgresql"
    else:
        value = "postgresql" if re.match(r"sqlite|mysql|mariadb", known) else known
    if value and value != known:
        out.env[one.name] = EnvVar(value=value)
        notes.claim("database", f"{one.name} chooses PostgreSQL", one.evidence, f"env.{one.name}")


def _wants_own_names(one: Variable, words: str) -> bool:
    """True unless the app's default already accepts any name, or leaves the check off."""
    if one.is_required:
        return True
    default = one.default
    if default is None and words == "url":
        default = one.example  # read without a default, it is None where a text is expected
    if words in ("hosts", "origins"):
        return default != "*" and '"*"' not in (default or "") and "'*'" not in (default or "")
    return default is not None and bool(_NOT_MEANT.search(default))


_NOT_MEANT = re.compile(r"localhost|127\.0\.0\.1|example\.(com|org)|testserver|//x{3,}|your-?(?:domain|site|app)")
"""Addresses that stand in examples for the app's own."""


def _set_own_names(one: Variable, words: str, out: Given, notes: Notes) -> None:
    value = "${" + words + "}"
    if words in ("hosts", "origins"):
        listed = [r for r in one.reads if r.is_list]
        separator = listed[0].separator if listed else ","
        example = (one.example or one.default or "").strip()
        if separator == "" or example.startswith("["):
            value = "${" + words + "_json}"
        elif separator.isspace() or (" " in example and "," not in example):
            value = "${" + words + "_spaced}"
    elif words == "host" and "://" in (one.example or one.default or ""):
        value = "${url}"
    out.env[one.name] = EnvVar(value=value)
    notes.claim("host", f"{one.name} gets the app's own names", one.evidence, f"env.{one.name}")


def _is_own_secret(one: Variable) -> bool:
    """True for a secret of the app's own that is required, has a public default, or is made up at each start."""
    if not is_secret_key(one.name) and not (is_password(one.name) and not is_third_party(one.name)):
        return False
    if one.is_required or any(r.made_up for r in one.reads):
        return True
    if is_secret_key(one.name) and (one.default or is_plain_secret_key(one.name)):
        return True
    return one.default is not None and bool(PUBLIC_SECRETS.fullmatch(one.default)) and one.default != ""


_SECRET_HALF = re.compile(r"(.+)_(?:SECRET(?:_ACCESS)?(?:_KEY)?|API_SECRET)", re.IGNORECASE)
_OTHER_HALVES = ("ACCESS_KEY", "ACCESS_KEY_ID", "KEY_ID", "CLIENT_ID", "API_KEY", "PUBLISHABLE_KEY", "ACCOUNT_ID",
                 "CONSUMER_KEY", "MERCHANT_ID")  # fmt: skip


def _is_half_of_a_key(name: str, variables: Collection[str]) -> bool:
    """True for the secret half of what somebody gives out in two: `R2_ACCESS_KEY` stands beside `R2_SECRET_KEY`."""
    found = None if is_plain_secret_key(name) else _SECRET_HALF.fullmatch(name[:100])
    return found is not None and any(f"{found[1]}_{half}" in variables for half in _OTHER_HALVES)


def _generate(one: Variable, out: Given, notes: Notes, *, kind: str) -> None:
    out.env[one.name] = EnvVar(generate=kind, secret=True)
    if one.is_required:
        why = "is required"
    elif any(r.made_up for r in one.reads):
        why = "would be made anew at every start"
    elif one.default:
        why = "has a default that everybody can read"
    else:
        why = "is empty unless set"
    notes.claim("env", f"{one.name} {why}: generated once and kept", one.evidence, f"env.{one.name}")


def _switch_debug_off(one: Variable, out: Given, notes: Notes) -> bool:
    """Set it off where its default or its example has it on; return whether there is nothing left to decide."""
    default = (one.default or "").lower()
    if any(r.default and r.default.lower() in ("false", "0", "off", "no") for r in one.reads):
        return True
    if default in ("true", "1", "on", "yes") or (one.example or "").lower() in ("true", "1", "on", "yes"):
        value = "0" if any(r.is_number for r in one.reads) or default == "1" else "False"
        out.env[one.name] = EnvVar(value=value)
        notes.claim("env", f"{one.name} is on unless set: switched off", one.evidence, f"env.{one.name}")
        return True
    return False
