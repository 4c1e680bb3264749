"""What is wrong with an environment: all of it at once, before anything is built."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from underway.environment.layers import UNKNOWN
from underway.manifest.env_keys import EnvVar
from underway.manifest.model import Manifest
from underway.terms.count import counted
from underway.terms.environment import PRODUCTION, PUBLIC_PREFIXES, Entry, Finding, Holder, Read
from underway.terms.problem import Problem
from underway_kit.values import Malformed
from underway_kit.weak import is_known_default, weakness

_OF_TOOLS = ("PYTHON", "NODE_", "NPM_", "UV_", "PIP_", "LD_", "LC_", "GUNICORN_", "UVICORN_", "SSL_", "OTEL_", "PG",
             "MALLOC_", "UNDERWAY_", "AWS_", "SENTRY_", "FLASK_", "DJANGO_", "CELERY_", "NEXT_", "WEB_CONCURRENCY",
             "TZ", "LANG", "HOME", "PATH", "HOST", "DATABASE_URL", "REDIS_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
             "NLTK_", "HF_", "OMP_", "FORWARDED_ALLOW_IPS", "HOSTNAME", "DEBUG", "VIRTUAL_ENV")  # fmt: skip
"""Names that begin so are read by interpreters, servers and libraries, not by the app's own code."""
_COMMAND = ": underway "
_SOON_S = 14 * 86_400.0


@dataclass(frozen=True)
class Scene:
    """Everything a check looks at. `entries` are those of the environment, `elsewhere` the names that each other
    environment sets, `examples` the values in the repository's `.env.example`, `in_history` the names whose value
    stands in committed history, `mentioned` the names that stand anywhere in the tree. `where` locates a name."""

    manifest: Manifest
    environment: str
    entries: Mapping[str, Entry]
    now: float
    reads: tuple[Read, ...] = ()
    """Where the app's own code reads variables."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Names that only files name which hand variables to the app (compose, `.env.example`), each with its place."""
    examples: Mapping[str, str] = field(default_factory=dict)
    elsewhere: Mapping[str, frozenset[str]] = field(default_factory=dict)
    in_history: frozenset[str] = frozenset()
    mentioned: frozenset[str] = frozenset()
    where: Callable[[str], str] = lambda name: f"env.{name}"
    evidence: Mapping[str, Problem] = field(default_factory=dict)
    """What detection says of a name that it asks for."""


def check(scene: Scene) -> tuple[Finding, ...]:
    """Every finding, those that stop a deploy first, then by name. No finding holds a value of a secret."""
    found: list[Finding] = []
    for name, entry in scene.entries.items():
        found += _of_one(scene, name, entry, scene.manifest.env.get(name, UNKNOWN))
    found += _undeclared(scene)
    found += _only_elsewhere(scene)
    return tuple(sorted(found, key=lambda it: (not it.stops, it.name, it.problem.code)))


def _of_one(scene: Scene, name: str, entry: Entry, variable: EnvVar) -> Iterator[Finding]:
    is_declared = name in scene.manifest.env
    yield from _public(scene, name, entry, variable)
    if entry.origin is None:
        if variable.is_required_in(scene.environment) and is_declared:
            yield _stops(name, scene.evidence.get(name) or _missing(scene, name, variable))
        return
    if is_declared and entry.value is not None and entry.origin.holder is not Holder.GENERATED:
        yield from _of_value(scene, name, entry, variable, entry.value.reveal())
    if is_declared or entry.origin.holder in (Holder.VAULT, Holder.FILE):
        yield from _unused(scene, name, entry)
    yield from _age(scene, name, entry, variable)


def _of_value(scene: Scene, name: str, entry: Entry, variable: EnvVar, text: str) -> Iterator[Finding]:
    at = _at(scene, name, entry)
    if not text and not variable.is_required_in(scene.environment):
        return
    if not text:
        yield _stops(name, _missing(scene, name, variable))
        return
    if not _is_word(text):
        try:
            variable.rule.parse(text)
        except Malformed as error:
            yield _stop(
                name, "env.malformed", at, f"{name} is to be {_an(variable.type)}: {error.why}", _set(scene, name)
            )
            return
    if why := weakness(variable.rule, text):
        code = "env.default" if is_known_default(text) else "env.weak"
        code = "env.forbidden" if text in variable.forbid else code
        yield _stop(name, code, at, f"{name}: {why}", _set(scene, name, is_new=True))
    elif variable.is_secret and (text in (variable.example, scene.examples.get(name, ""))):
        why = f"{name} has the value that the repository shows as its example: everybody who can read it knows it"
        yield _stop(name, "env.default", at, why, _set(scene, name, is_new=True))
    elif variable.is_secret and name in scene.in_history:
        why = f"the value of {name} stands in the repository's committed history: everybody who can read it knows it"
        yield _stop(name, "env.in-history", at, why, _set(scene, name, is_new=True))


def _public(scene: Scene, name: str, entry: Entry, variable: EnvVar) -> Iterator[Finding]:
    prefix = next((p for p in (*PUBLIC_PREFIXES, *scene.manifest.public_prefixes) if name.startswith(p)), "")
    if not prefix or not variable.is_secret or variable is UNKNOWN:
        return
    yield _finding(
        name,
        "env.public-secret",
        _at(scene, name, entry),
        f"{name} is a secret, and what begins with {prefix} is built into pages that everybody can read",
        f"name it without {prefix} and use it on the server only, or remove secret when it is none",
        stops=True,
    )


def _unused(scene: Scene, name: str, entry: Entry) -> Iterator[Finding]:
    if not scene.reads or name.startswith(_OF_TOOLS) or name in scene.mentioned:
        return
    read = {read.name for read in scene.reads}
    previous = {variable.previous for variable in scene.manifest.env.values()}
    if name in read or name in previous:
        return
    at = _at(scene, name, entry)
    near = next((other for other in sorted(read) if other.lower() == name.lower()), "")
    if near:
        place = next(it.where for it in scene.reads if it.name == near)
        why = f"{name} is set, and the code reads {near} ({place}): the names differ in case"
        yield _warn(name, "env.case", at, why, f"call it {near} in one of the two")
    else:
        yield _warn(name, "env.unused", at, f"{name} is set, and nothing in the repository names it", "remove it")


_OF_PLATFORM = frozenset(
    ("PORT", "HOST", "HOME", "PATH", "PWD", "USER", "LANG", "TZ", "CI", "SHELL", "TERM", "HOSTNAME", "TMPDIR",
     "NODE_ENV", "VIRTUAL_ENV", "NODE_OPTIONS", "NEXT_RUNTIME", "VUE_ENV")
)  # fmt: skip
"""What a system, Underway or a framework gives every process."""


def _undeclared(scene: Scene) -> Iterator[Finding]:
    told: set[str] = set()
    lower = {name.lower() for name in scene.entries}

    def is_known(name: str) -> bool:
        given = name in scene.entries or name in _OF_PLATFORM or name.lower() in lower
        return given or name in told or name.startswith("UNDERWAY_")

    for read in scene.reads:
        if is_known(read.name):
            continue
        told.add(read.name)
        must = " and does not start without it" if read.is_required and not read.has_default else ""
        why = f"the code reads {read.name}{must}, and [env] does not declare it"
        yield _warn(read.name, "env.undeclared", read.where, why, _INFER)
    for name, where in scene.files.items():
        if not is_known(name) and not name.startswith(_OF_TOOLS):
            why = f"{where.rpartition(':')[0]} names {name}, and [env] does not declare it"
            yield _warn(name, "env.undeclared", where, why, _INFER)


_INFER = "declare it in [env] of the manifest; this prints the lines: underway env infer"


def _only_elsewhere(scene: Scene) -> Iterator[Finding]:
    """Set in another environment and not in this one: the launch that works in staging only."""
    told: set[str] = set()
    for other, names in sorted(scene.elsewhere.items()):
        for name in sorted(names - told):
            entry = scene.entries.get(name)
            if entry is not None and entry.origin is not None and entry.origin.holder is not Holder.DEFAULT:
                continue
            told.add(name)
            where = f"{scene.environment}: {name}"
            why = f"{name} is set in {other} and not in {scene.environment}"
            if entry is not None and entry.origin is not None:
                why += ", where its default holds"
            yield _warn(name, "env.only-elsewhere", where, why, _set(scene, name))


def _age(scene: Scene, name: str, entry: Entry, variable: EnvVar) -> Iterator[Finding]:
    at = _at(scene, name, entry)
    expires_at = entry.kept.expires_at if entry.kept else 0.0
    if not expires_at and entry.value is not None:
        expires_at = _jwt_expiry(entry.value.reveal())
    if expires_at and expires_at <= scene.now:
        since = _days(scene.now - expires_at)
        yield _stop(name, "env.expired", at, f"the value of {name} expired {since} ago", _set(scene, name, is_new=True))
    elif expires_at and expires_at - scene.now < _SOON_S:
        left = _days(expires_at - scene.now)
        yield _warn(name, "env.expires", at, f"the value of {name} expires in {left}", _set(scene, name, is_new=True))
    set_at = entry.kept.set_at if entry.kept else 0.0
    if variable.rotates_s and set_at and scene.now - set_at > variable.rotates_s:
        why = f"{name} is {_days(scene.now - set_at)} old and is to be renewed every {_days(variable.rotates_s)}"
        yield _finding(name, "env.overdue", at, why, "renew it", stops=False, command=f"underway env rotate {name}")


def _jwt_expiry(text: str) -> float:
    """`exp` of a JSON Web Token (RFC 7519, 4.1.4), 0 for anything else."""
    parts = text.split(".")
    if len(parts) != 3 or not text.startswith("eyJ") or len(text) > 20_000:
        return 0.0
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        return 0.0


def _missing(scene: Scene, name: str, variable: EnvVar) -> Problem:
    read = next((read.where for read in scene.reads if read.name == name), "")
    doc = f" ({variable.doc})" if variable.doc else ""
    return Problem(
        code="env.missing",
        where=scene.where(name),
        why=f"the app needs {name}{doc} in {scene.environment} and it is not set anywhere"
        + (f"; {read} reads it" if read else ""),
        remedy=f"set it: the command asks for the value, or takes it from stdin{_other_layers(scene, name)}",
        command=f"underway env set {name}{_env(scene)}",
    )


def _other_layers(scene: Scene, name: str) -> str:
    others = [other for other, names in sorted(scene.elsewhere.items()) if name in names]
    return f" (it is set in {', '.join(others)})" if others else ""


def _at(scene: Scene, name: str, entry: Entry) -> str:
    if entry.origin is None or entry.origin.holder in (Holder.MANIFEST, Holder.DEFAULT):
        return scene.where(name)
    return f"{entry.origin.says()} {name}"


def _env(scene: Scene) -> str:
    return "" if scene.environment == PRODUCTION else f" --env {scene.environment}"


def _set(scene: Scene, name: str, *, is_new: bool = False) -> str:
    return f"set {'a new value' if is_new else 'it'}: underway env set {name}{_env(scene)}"


def _stop(name: str, code: str, where: str, why: str, remedy: str) -> Finding:
    return _finding(name, code, where, why, remedy, stops=True)


def _warn(name: str, code: str, where: str, why: str, remedy: str) -> Finding:
    return _finding(name, code, where, why, remedy, stops=False)


def _stops(name: str, problem: Problem) -> Finding:
    return Finding(problem=problem, name=name, stops=True)


def _finding(name: str, code: str, where: str, why: str, remedy: str, *, stops: bool, command: str = "") -> Finding:
    """`remedy` may end in a command behind a colon, which becomes the problem's own."""
    words, _, tail = remedy.partition(_COMMAND)
    return Finding(
        problem=Problem(
            code=code, where=where, why=why, remedy=words, command=command or (f"{_COMMAND[2:]}{tail}" if tail else "")
        ),
        name=name,
        stops=stops,
    )


def _is_word(text: str) -> bool:
    """The value names what only the deploy knows (`${hosts}`)."""
    return text.startswith("${") and text.endswith("}")


def _an(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _days(seconds: float) -> str:
    days = round(seconds / 86_400)
    return counted(days, "day") if days else f"{max(1, round(seconds / 3600))} h"
