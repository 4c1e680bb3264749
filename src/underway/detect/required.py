"""A variable that the app does not start without: its example's value, a usual one, or a question to its owner."""

from __future__ import annotations

import re

from underway.detect.env_names import (
    PUBLIC_SECRETS,
    is_secret_like,
    is_third_party,
)
from underway.detect.env_usual import TESTS_PLACE, TESTS_PORT, UNUSED_PORT, usual_value
from underway.detect.foreign import FOREIGN, example_of
from underway.detect.model import Notes
from underway.detect.variables import Given, Variable
from underway.manifest.env_keys import EnvVar
from underway.terms.environment import NOT_HERE

_FOREIGN = {
    "mongodb": "MongoDB", "mongo": "MongoDB", "mysql": "MySQL", "mysql2": "MySQL", "mariadb": "MariaDB",
    "amqp": "RabbitMQ", "amqps": "RabbitMQ", "kafka": "Kafka", "bolt": "Neo4j", "neo4j": "Neo4j", "pyamqp": "RabbitMQ",
    "rabbitmq": "RabbitMQ",
}  # fmt: skip
_FOREIGN_NAME = re.compile(r"(MYSQL|MARIADB|MONGODB|MONGO|RABBITMQ|AMQP|KAFKA|NEO4J)_(?!.*(?:PORT|TIMEOUT|POOL)$)")


_ADMIN = re.compile(r"(?:DJANGO_)?ADMIN_(?:URL|PATH)")
_SPAN = re.compile(r"(?:EXPIR\w*|MINUTES|HOURS|DAYS|SECONDS|TTL|LIFETIME|MAX_AGE|ALGORITHM|ALG|TYPE|HEADER)(?:_IN)?$")
"""Ends of names that speak of a secret (`TOKEN_EXPIRES_IN`) and hold none."""


def settle_required(one: Variable, out: Given, notes: Notes) -> None:
    """Give `one` the value that the repository or its name settles, else note that only its owner knows it."""
    example = one.example
    foreign = next(
        (_FOREIGN[s] for v in one.known_values if (s := v.partition("://")[0].partition("+")[0]) in _FOREIGN), ""
    )
    if not foreign and (lead := _FOREIGN_NAME.match(one.name)):
        foreign = _FOREIGN[lead[1].lower()]
    if foreign:
        out.env[one.name] = EnvVar(required=True, secret=True)
        example = next((example_of(it, one) for it in FOREIGN if it.name == foreign), "…")
        notes.problem(
            "detect.env-missing",
            one.evidence,
            f"the app needs {foreign} at {one.name}, and Underway does not provide {foreign}",
            f'add to underway.toml, under [env]: {one.name} = "{example}"',
            f"underway env set {one.name}" if is_secret_like(one.name) or one.name.endswith(("_URL", "_URI")) else "",
        )
        return
    is_public = example is not None and bool(PUBLIC_SECRETS.fullmatch(example))
    is_number = any(r.is_number for r in one.reads)
    if is_number and example and not example.lstrip("-").replace(".", "", 1).isdigit():
        if TESTS_PORT.search(one.name):
            out.env[one.name] = EnvVar(value=UNUSED_PORT)
            why = "must be a number for the app to start and is for its tests alone: one that nobody listens on"
            notes.claim("env", f"{one.name} {why}", one.evidence, f"env.{one.name}")
            return
        example = None  # `DB_PORT=port`: it says what to put there
    is_plain = (is_number and bool(example)) or not is_secret_like(one.name) or bool(_SPAN.search(one.name))
    is_sender = bool(re.search(r"(?:EMAIL|FROM|SENDER)$", one.name)) and "@" in (example or "")
    if example and is_plain and (is_sender or not (is_third_party(one.name) and is_public)):
        out.env[one.name] = EnvVar(value=example)
        notes.claim("env", f"{one.name} is required; the example's value", one.example_at or "", f"env.{one.name}")
        return
    if TESTS_PLACE.search(one.name):
        url = re.search(r"(?:URL|URI|DSN)$", one.name)
        value = UNUSED_PORT if is_number else f"postgresql://test@127.0.0.1:{UNUSED_PORT}/test" if url else "test"
        out.env[one.name] = EnvVar(value=value)
        notes.claim("env", f"{one.name} is required and for tests alone: {value}", one.evidence, f"env.{one.name}")
        return
    choices = [word for read in one.reads for word in read.choices]
    usual = usual_value(one.name)
    if not usual and _ADMIN.fullmatch(one.name) and one.evidence.path.endswith(".py"):
        usual = "admin/"  # path(env("ADMIN_URL"), admin.site.urls), as in Django's tutorial
    usual = next((word for word in choices if word.lower() == usual.lower()), "") if choices else usual
    if usual:
        out.env[one.name] = EnvVar(value=usual)
        notes.claim("env", f"{one.name} is required, and has no value here: {usual}", one.evidence, f"env.{one.name}")
        return
    is_secret = is_secret_like(one.name) and not _SPAN.search(one.name)
    kind = ("port" if one.name.endswith("PORT") else "float") if is_number else "str"
    out.env[one.name] = EnvVar(required=True, secret=is_secret, type=kind)
    notes.comments[f"env.{one.name}"] = f"required, and only you know it ({one.evidence})"
    notes.problem(
        "detect.env-missing",
        one.evidence,
        NOT_HERE.format(name=one.name),
        f'add to underway.toml, under [env]: {one.name} = "…"',
        f"underway env set {one.name}" if is_secret else "",
    )
