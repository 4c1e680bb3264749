"""A condition is raised once when it lasts, and cleared once when it stays away."""

from __future__ import annotations

from underway.alerts.conditions import Condition, Lasting, from_standing, turn
from underway.terms.alert import Severity
from underway.terms.problem import Problem

SICK = Problem(code="errors.burst", where="shop", why="many fail", remedy="look")


def condition(for_s: float = 10.0, clear_s: float = 30.0) -> Condition:
    return Condition("errors", SICK, Severity.CRITICAL, for_s, clear_s)


def told(seconds_wrong: list[bool], each: Condition) -> list[tuple[int, str]]:
    """What is raised and cleared at which second."""
    lasting: dict[str, Lasting] = {}
    out: list[tuple[int, str]] = []
    for second, is_wrong in enumerate(seconds_wrong):
        turned = turn(lasting, [each] if is_wrong else [], float(second))
        lasting = turned.lasting
        out += [(second, "raise")] * len(turned.to_raise) + [(second, "clear")] * len(turned.to_clear)
    return out


def test_it_is_raised_when_it_lasted_and_cleared_when_it_stayed_away() -> None:
    assert told([True] * 20 + [False] * 60, condition()) == [(10, "raise"), (49, "clear")]


def test_what_is_over_before_its_time_is_never_raised() -> None:
    assert told([True] * 5 + [False] * 60, condition()) == []


def test_what_flickers_is_one_alert() -> None:
    assert told(([True] * 3 + [False] * 7) * 10 + [False] * 60, condition()) == [(10, "raise"), (122, "clear")]


def test_it_is_raised_again_after_it_was_cleared() -> None:
    wrong = ([True] * 15 + [False] * 40) * 2
    assert [what for _, what in told(wrong, condition())] == ["raise", "clear", "raise", "clear"]


def test_since_when_is_told_by_what_found_it() -> None:
    turned = turn({}, [Condition("app", SICK, Severity.CRITICAL, since=40.0)], 60.0)
    assert [it.since for it in turned.to_raise] == [40.0]


def test_an_agent_that_starts_takes_alerts_over_without_raising_them_again() -> None:
    lasting = from_standing({"errors": condition()}, 100.0)
    still = turn(lasting, [condition()], 101.0)
    assert (still.to_raise, still.to_clear) == ((), ())
    assert turn(lasting, [], 131.0).to_clear == ("errors",)
