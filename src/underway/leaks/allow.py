"""The leaks that somebody looked at and let stand, each with a reason."""

from __future__ import annotations

import datetime
import re
import tomllib
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from underway.terms.leak import Leak
from underway.terms.problem import Problem, Refusal

ALLOW_FILE = ".underway-scan.toml"
_KEYS = frozenset({"fingerprint", "path", "rule", "reason", "until"})


@dataclass(frozen=True)
class Allowed:
    """One entry: every given part must fit. `until` is the last day it counts."""

    reason: str
    fingerprint: str = ""
    path: str = ""
    rule: str = ""
    until: datetime.date | None = None
    number: int = 1

    def fits(self, leak: Leak) -> bool:
        return (
            (not self.fingerprint or leak.fingerprint == self.fingerprint)
            and (not self.path or fnmatchcase(leak.path, self.path))
            and (not self.rule or fnmatchcase(leak.rule, self.rule))
        )


def read_allowed(text: str) -> tuple[Allowed, ...]:
    """The entries of the allow file. Raises `Refusal` (`scan.allow-file`) with all problems at once."""
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Refusal([_problem(ALLOW_FILE, f"it is not TOML: {error}")]) from None
    problems = [_problem(f"{ALLOW_FILE} {key}", "only [[allow]] is known") for key in read if key != "allow"]
    entries = read.get("allow", [])
    out: list[Allowed] = []
    if not isinstance(entries, list):
        problems.append(_problem(f"{ALLOW_FILE} allow", "it is not a list: write [[allow]]"))
        entries = []
    for number, entry in enumerate(entries, 1):
        wrong = _wrong(entry)
        where = f"{ALLOW_FILE} allow {number}"
        if wrong:
            problems.append(_problem(where, wrong))
        else:
            out.append(Allowed(**{**entry, "number": number}))
    if problems:
        raise Refusal(problems)
    return tuple(out)


def _wrong(entry: object) -> str:
    if not isinstance(entry, dict):
        return "it is not a table"
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        return f"{', '.join(unknown)} is not known; there are {', '.join(sorted(_KEYS))}"
    if not isinstance(entry.get("reason"), str) or len(entry["reason"].strip()) < 8:
        return "it has no reason: say in a few words why this is no leak"
    if not any(entry.get(key) for key in ("fingerprint", "path", "rule")):
        return "it names neither a fingerprint nor a path nor a rule, so it would allow everything"
    if "until" in entry and (
        not isinstance(entry["until"], datetime.date) or isinstance(entry["until"], datetime.datetime)
    ):
        return "until is not a day: write until = 2030-01-31"
    if any(not isinstance(entry.get(key, ""), str) for key in ("fingerprint", "path", "rule")):
        return "fingerprint, path and rule are texts"
    if entry.get("fingerprint") and not re.fullmatch(r"[0-9a-f]{16}", entry["fingerprint"]):
        return "a fingerprint is sixteen hex digits, as `underway env scan` shows it"
    return ""


def apply_allowed(
    leaks: tuple[Leak, ...], allowed: tuple[Allowed, ...], today: datetime.date
) -> tuple[tuple[Leak, ...], tuple[tuple[Leak, str], ...], tuple[Allowed, ...]]:
    """The leaks that stay, those allowed with the reason, and the entries that are over or fit nothing."""
    stay: list[Leak] = []
    let: list[tuple[Leak, str]] = []
    used: set[int] = set()
    current = [one for one in allowed if one.until is None or today <= one.until]
    for leak in leaks:
        entry = next((one for one in current if one.fits(leak)), None)
        if entry is None:
            stay.append(leak)
        else:
            used.add(entry.number)
            let.append((leak, entry.reason))
    return tuple(stay), tuple(let), tuple(replace(one) for one in allowed if one.number not in used)


def _problem(where: str, why: str) -> Problem:
    return Problem(
        code="scan.allow-file",
        where=where,
        why=why,
        remedy='write [[allow]] with fingerprint, path or rule, a reason = "…", and maybe until = 2030-01-31',
    )
