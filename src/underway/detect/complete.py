"""The manifest a deploy uses: what the file says, and what it leaves to the repository."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from underway.detect.detect import app_name, detect
from underway.detect.model import Claim, Detection, Machine
from underway.detect.stand_ins import said_of, stood_in
from underway.manifest.fits import whole_fits
from underway.manifest.hosts import with_own_names
from underway.manifest.model import MANIFEST_FILE, Health, Manifest
from underway.manifest.read import Written, read_written
from underway.manifest.spot import CHECK_AGAIN, Found, Spot
from underway.terms.environment import Read
from underway.terms.problem import Problem, Refusal
from underway.terms.tree import Tree

_DESCRIBES_APP = frozenset({"build", "processes", "static"})
"""Tables that say what the app is: a file that has one of them does not need detection to find an app."""


HTTP_PORT_OF_THE_WEB = 80
"""Only a proxy on this port can prove to a certificate authority that a domain is its own (RFC 8555, 8.3)."""


def _nothing_given(app: str) -> Collection[str]:
    return ()


@dataclass(frozen=True)
class Whole:
    """A repository with its manifest filled in.

    `problems` are those of the repository and the file that say nothing of variables; `missing` is what is known of a
    required variable without a value, by name. `written` is the file, None where there is none.
    """

    manifest: Manifest
    unexpanded: Manifest
    """The same with `${hosts}` and its like as they are written."""
    claims: tuple[Claim, ...]
    problems: tuple[Problem, ...]
    missing: Mapping[str, Problem]
    reads: tuple[Read, ...]
    draft: Manifest | None
    """What detection says by itself, None where it found nothing to run or serve."""
    written: Written | None


def complete(
    tree: Tree,
    machine: Machine,
    text: str | None,
    *,
    name: str = "",
    http_port: int = 8080,
    given: Callable[[str], Collection[str]] = _nothing_given,
    allow_missing: bool = False,
) -> tuple[Manifest, tuple[Claim, ...]]:
    """The whole manifest for a deploy of `tree`, and what was claimed about the repository; see `whole`.

    `given` tells for an app's name which variables have a value elsewhere (its vault): they are not asked for.
    With `allow_missing` something stands in for required variables without a value, which are asked for otherwise.

    Raises `Refusal` with every problem of the file, or with everything that only the owner can know.
    """
    found = whole(tree, machine, text, name=name, http_port=http_port, allow_missing=allow_missing)
    there = given(found.manifest.app)
    missing = {name: problem for name, problem in found.missing.items() if name not in there}
    if problems := [*found.problems, *(() if allow_missing else missing.values())]:
        raise Refusal(problems)
    manifest, made_up = stood_in(found.manifest, missing, http_port)
    return manifest, with_made_up(found.claims, made_up)


def with_made_up(claims: tuple[Claim, ...], names: Collection[str]) -> tuple[Claim, ...]:
    """`claims`, and what is to be said of the variables that something stands in for."""
    return (*claims, Claim("env", said_of(names))) if names else claims


def whole(
    tree: Tree,
    machine: Machine,
    text: str | None,
    *,
    name: str = "",
    http_port: int = 8080,
    allow_missing: bool = False,
) -> Whole:
    """What `tree` and its manifest add up to.

    The rule: a top-level key or table that the file (`text`) has is used exactly as it is written; one that it lacks is
    what detection says. Where the file leaves to detection what the app is (no `build`, `processes`, `static`), its
    `env` is added to the one detected: who answers one question is not asked to repeat the rest.

    `name`, when given, is the app's name whatever the file says. `http_port` is the proxy's: variables that take the
    app's own names and addresses get them. With `allow_missing` services that are not provided are no problem.

    Raises `Refusal` when the file is malformed, or when nothing to run or serve was found.
    """
    written = read_written(text) if text is not None else None
    detection = detect(tree, machine=machine)
    values = dict(written.values) if written is not None else {}
    draft = detection.manifest
    if draft is None and not _DESCRIBES_APP & values.keys():
        raise Refusal(detection.problems)
    base = draft if draft is not None else Manifest(app=app_name(tree.name, [], []))
    if name:
        values["app"] = name
    is_added = "env" in values and draft is not None and not _DESCRIBES_APP & values.keys()
    merged = replace(base, **values)  # type: ignore[arg-type]  # each value was read by its own declaration
    if is_added:
        merged = replace(merged, env=MappingProxyType({**base.env, **merged.env}))
    if "health" not in values and merged.health == Health():
        merged = replace(merged, health=Health(status="below-500"))  # nobody named a path, so / only has to answer
    if "tls" not in values and merged.domains and http_port == HTTP_PORT_OF_THE_WEB:
        merged = replace(merged, tls="auto")
    unanswered = _unanswered(detection, values)
    if allow_missing:
        unanswered = [p for p in unanswered if p.code not in _MAY_BE_MISSING]
    decided = values.keys() - {"env"} if is_added else values.keys()
    return Whole(
        manifest=with_own_names(merged, http_port=http_port),
        unexpanded=merged,
        claims=tuple(c for c in detection.claims if not _is_overruled(c, decided)),
        problems=(*unanswered, *_misfits(merged, written)),
        missing=_missing_values(detection, merged),
        reads=detection.reads,
        draft=draft,
        written=written,
    )


_MAY_BE_MISSING = frozenset({"detect.env-missing", "detect.service-fixed"})
"""What an app may be able to start without; only a try can tell."""


_ABOUT = {
    "stack": {"processes", "static"},
    "server": {"processes"},
    "worker": {"processes"},
    "build": {"build"},
    "python": {"build"},
    "node": {"build"},
    "health": {"health"},
    "smoke": {"smokes"},
    "migrate": {"migrate"},
    "database": {"services"},
    "redis": {"services"},
    "env": {"env"},
    "host": {"env"},
    "shared": {"shared"},
    "static": {"static"},
}


def _is_overruled(claim: Claim, values: Collection[str]) -> bool:
    """True when the file decides what the claim is about."""
    about = _ABOUT.get(claim.about, set())
    return bool(about) and about <= set(values)


def _unanswered(detection: Detection, values: Collection[str]) -> list[Problem]:
    """The problems of detection that the file does not answer."""
    out = []
    for problem in detection.problems:
        if problem.code == "detect.env-missing":
            continue  # those that matter are still required in the merged manifest, see `_missing_values`
        answered_by = {
            "detect.no-app": _DESCRIBES_APP,
            "detect.no-start": _DESCRIBES_APP,
            "detect.other-stack": _DESCRIBES_APP,
            "detect.several-apps": _DESCRIBES_APP,
            "detect.adapter": _DESCRIBES_APP,
            "detect.no-dependencies": {"build"},
            "detect.python-missing": {"build"},
            "detect.node-missing": {"build"},
            "detect.hosts-fixed": {"domains"},
            "detect.database-fixed": {"services"},
        }.get(problem.code, set())
        if not answered_by & set(values):
            out.append(problem)
    return out


def _missing_values(detection: Detection, merged: Manifest) -> dict[str, Problem]:
    by_name = {p.remedy: p for p in detection.problems if p.code == "detect.env-missing"}
    out = {}
    for name, variable in merged.env.items():
        if variable.required and not variable.value and not variable.generate:
            known = next((p for remedy, p in by_name.items() if f" {name} = " in remedy), None)
            out[name] = known or _missing(name)
    return out


def _missing(name: str) -> Problem:
    return Problem(
        code="detect.env-missing",
        where=f"{MANIFEST_FILE} env.{name}",
        why=f"{name} is required and has no value",
        remedy=f'add to underway.toml, under [env]: {name} = "…"',
        command=CHECK_AGAIN,
    )


def _misfits(merged: Manifest, written: Written | None) -> list[Problem]:
    found = Found(MANIFEST_FILE, written.lines.line_of if written is not None else lambda path: 1)
    whole_fits(merged, Spot(found))
    return found.all()
