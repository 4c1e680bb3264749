"""The kinds of `[env]` and `[environments]`: names of variables, their types and values, where they come from."""

from __future__ import annotations

import re

from underway.manifest.kinds import Choice, ListOf, MapOf, Number, Text
from underway.manifest.measures import Duration
from underway.manifest.words import ENV_NAME, Wrong, matches
from underway.terms.environment import BASE, OWN
from underway_kit.values import LIST_OF, TYPES


def _environment(text: str) -> Wrong:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,38}[a-z0-9]|[a-z]", text, re.ASCII):
        return ("it is no name of an environment", "use lower-case letters, digits and inner hyphens: staging")
    if text in (BASE, OWN):
        return (f"{text} is a layer of its own", "choose another name: production, staging, development")
    return None


def _pattern(text: str) -> Wrong:
    """A pattern that `re` takes and that cannot be slow: at most two repetitions without end, none inside another."""
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError):
        return ("it is no regular expression of Python", "see docs.python.org/3/library/re.html")
    bare = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "x", text)
    if re.search(r"\)[*+?{]", bare) or len(re.findall(r"[*+]|\{\d*,\d*\}", bare)) > 2:
        return (
            "it could take for ever: it repeats a group, or repeats more than twice",
            "write it with at most two of * + {n,m}, none behind a group",
        )
    return None


ENV_VALUE = Text("text", '"info"', 32_768, may_be_empty=True, may_have_lines=True)
ENV_NAME_OR_NONE = Text(
    "the name of an environment variable", '"KEY_FALLBACKS"', 200, ENV_NAME.check, may_be_empty=True
)
ENV_VALUES = MapOf(ENV_NAME, ENV_VALUE, 500)
ENV_TYPE = Text(
    f"one of {', '.join(TYPES)}, or list of one of them",
    '"list of url"',
    40,
    matches(
        re.compile(rf"({LIST_OF})?({'|'.join(TYPES)})|list"),
        "it is no type",
        f"write {', '.join(TYPES)}, or list of one of them",
    ),
)
ENV_SOURCE = Text(
    "a service, a part of its address, or public:NAME",
    '"postgres"',
    260,
    matches(
        re.compile(
            r"postgres(:(url|url:[a-z][a-z0-9]*(\+[a-z0-9_]+)?|host|port|user|password|database))?"
            r"|redis(:(url|host|port|password))?|public:[A-Za-z_][A-Za-z0-9_]*",
            re.ASCII,
        ),
        "nothing gives a value under that name",
        'write "postgres", "postgres:host", "redis", "redis:url" or "public:NAME" of a generated key',
    ),
    may_be_empty=True,
)
PATTERN = Text("a regular expression", '"sk_live_[a-z0-9]+"', 200, _pattern, may_be_empty=True)
DOC = Text("text on one line", '"Key of the mail provider"', 500, may_be_empty=True)
ENV_CHOICE = Text("text", '"info"', 500)
ENVIRONMENT = Text(
    "the name of an environment",
    '"staging"',
    40,
    _environment,
)
ENVIRONMENT_OR_NONE = Text("the name of an environment", '"production"', 40, _environment, may_be_empty=True)
PREFIX = Text(
    "the beginning of names",
    '"SHOP_PUBLIC_"',
    60,
    matches(re.compile(r"[A-Za-z_][A-Za-z0-9_]*_", re.ASCII), "it is no beginning of a name", 'write "SHOP_PUBLIC_"'),
)
GENERATE = Choice(("hex", "urlsafe", "password", "django", "fernet", "rsa", "ed25519"))

ENV_AT = Choice(("both", "run", "build", "agent"))
ENTROPY = Number(0, 4096)
ROTATES = Duration("0s", "3650d")
ENV_CHOICES = ListOf(ENV_CHOICE, 100)
ENVIRONMENTS = ListOf(ENVIRONMENT, 20)
PREFIXES = ListOf(PREFIX, 20)
