"""Which interpreter versions a project accepts."""

from __future__ import annotations

import re

Version = tuple[int, ...]

_CLAUSE = re.compile(r"\s*(~=|===?|!=|<=|>=|<|>|\^|~)?\s*v?(\d+(?:\.\d+)*)(\.\*)?[^\s,]*\s*")


def parsed(text: str) -> Version:
    """`3.12.1` → (3, 12, 1). What follows the numbers (rc1, +local) is left out."""
    match = re.match(r"\d+(\.\d+)*", text.strip())
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def accepts(constraint: str, version: Version) -> bool:
    """True when `constraint` admits `version`, judged by major.minor where it names an exact patch.

    Understands the specifiers of PEP 440 and those of poetry (`^`, `~`, `||`, `*`). An exact patch (`==3.11.4`)
    admits every 3.11: patches of one minor run the same code. A clause that cannot be read admits everything.
    """
    alternatives = re.split(r"\|\|?", constraint)
    return any(all(_clause(clause, version) for clause in _clauses(text)) for text in alternatives)


def _clauses(text: str) -> list[str]:
    spaced = re.sub(r"(~=|===?|!=|<=|>=|<|>|\^|~)\s+", r"\1", text.strip())
    return [clause for clause in re.split(r"[,\s]+", spaced) if clause]


def _clause(clause: str, version: Version) -> bool:
    match = _CLAUSE.fullmatch(clause)
    if match is None:
        return True
    operator, wanted, is_prefix = match[1] or "==", parsed(match[2]), bool(match[3])
    minor = wanted[:2]
    if operator in ("==", "==="):
        return version[: len(minor)] == minor
    if operator == "!=":
        return version[: len(wanted)] != wanted
    if operator == ">=":
        return version >= wanted
    if operator == ">":
        return version[: len(wanted)] > wanted if len(wanted) <= 2 or is_prefix else version > wanted
    if operator == "<=":
        return version[: len(wanted)] <= wanted
    if operator == "<":
        return version < wanted
    if operator == "^":
        return version >= wanted and version[:1] == wanted[:1]
    # ~= 3.11 admits 3.x from 3.11 on, ~= 3.11.2 admits 3.11.x; poetry's ~3.11 admits 3.11.x, ~3 admits 3.x
    upper = wanted[:-1] if operator == "~=" else wanted[: 2 if len(wanted) > 1 else 1]
    return version >= wanted and version[: len(upper)] == upper
