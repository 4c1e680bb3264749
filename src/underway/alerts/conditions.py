"""What is wrong with an app at one moment, and since when: pure."""

from __future__ import annotations

from dataclasses import dataclass

from underway.terms.alert import Severity
from underway.terms.problem import Problem


@dataclass(frozen=True)
class Condition:
    """One thing that is wrong now. It becomes an alert when it lasted `for_s`, and is over when it was away for
    `clear_s`. `since` is when it began as far as known, 0 for when it was first seen."""

    key: str
    problem: Problem
    severity: Severity
    for_s: float = 0.0
    clear_s: float = 20.0
    since: float = 0.0


@dataclass(frozen=True)
class Lasting:
    """A condition over time: since when it holds, when it was seen last, whether it was raised."""

    condition: Condition
    since: float
    seen_at: float
    is_raised: bool


@dataclass(frozen=True)
class Turn:
    """What changed: to raise, and to clear (by key)."""

    lasting: dict[str, Lasting]
    to_raise: tuple[Lasting, ...]
    to_clear: tuple[str, ...]


def turn(lasting: dict[str, Lasting], now_wrong: list[Condition], now: float) -> Turn:
    """The next state. A condition that flickers keeps its beginning while its pauses are shorter than `clear_s`, so
    that it is raised once and cleared once."""
    out: dict[str, Lasting] = {}
    to_raise: list[Lasting] = []
    to_clear: list[str] = []
    for condition in now_wrong:
        known = lasting.get(condition.key)
        since = known.since if known else (condition.since or now)
        is_raised = known is not None and known.is_raised
        it = Lasting(condition, since, now, is_raised)
        if not is_raised and now - since >= condition.for_s:
            it = Lasting(condition, since, now, True)
            to_raise.append(it)
        out[condition.key] = it
    for key, known in lasting.items():
        if key in out:
            continue
        if now - known.seen_at < known.condition.clear_s:
            out[key] = known
        elif known.is_raised:
            to_clear.append(key)
    return Turn(out, tuple(to_raise), tuple(to_clear))


def from_standing(keys: dict[str, Condition], now: float) -> dict[str, Lasting]:
    """What an agent that has just started takes over: alerts that stand, seen last at its start."""
    return {key: Lasting(condition, now, now, True) for key, condition in keys.items()}
