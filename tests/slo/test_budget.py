"""Budgets and burn rates by the table of the SRE Workbook."""

from __future__ import annotations

import pytest

from underway.slo.budget import Objective, budget, is_spent

MONTH_S, DAY_S, HOUR_S = 30 * 86_400.0, 86_400.0, 3600.0
PAGES = Objective(name="pages", kind="availability", objective=0.999, window_s=MONTH_S)


def steady(rate: float, per_s: float = 10.0, since_s: float = MONTH_S):
    """Requests at a steady pace, of which `rate` failed in the last `since_s` seconds."""

    def counts(window_s: float) -> tuple[int, int]:
        bad = rate * per_s * min(window_s, since_s)
        return round(per_s * window_s - bad), round(bad)

    return counts


def firing(rate: float, since_s: float = MONTH_S, per_s: float = 10.0) -> list[float]:
    return [burn.limit for burn in budget("shop", PAGES, steady(rate, per_s, since_s)).burns if burn.is_firing]


def test_a_budget_is_spent_by_as_many_failures_as_were_allowed() -> None:
    assert budget("shop", PAGES, steady(0.001)).spent == pytest.approx(1.0, rel=1e-3)
    assert budget("shop", PAGES, steady(0.0005)).spent == pytest.approx(0.5, rel=1e-3)
    assert budget("shop", PAGES, lambda _: (0, 0)).spent is None


@pytest.mark.parametrize(
    ("rate", "since_s", "limits"),
    [
        (0.0005, MONTH_S, []),
        (0.0011, MONTH_S, [1.0]),
        (0.0061, MONTH_S, [6.0, 1.0]),
        (0.0145, MONTH_S, [14.4, 6.0, 1.0]),
        (0.0145, 5 * 60, []),  # five bad minutes are not yet 2 % of a month's budget
        (0.2, 6 * 60, [14.4]),
    ],
)
def test_which_alerts_fire(rate: float, since_s: float, limits: list[float]) -> None:
    assert firing(rate, since_s) == limits


def test_it_is_over_when_the_short_window_is_well_again() -> None:
    def over(window_s: float) -> tuple[int, int]:
        return (1000, 0) if window_s <= 300 else (900, 100)

    assert not [burn for burn in budget("shop", PAGES, over).burns if burn.is_firing and burn.short_s <= 300]


def test_a_quiet_app_is_not_alerted_for_one_failure_of_two_requests() -> None:
    assert firing(0.5, per_s=0.00005) == []
    quiet = budget("shop", PAGES, lambda _: (1, 1))
    assert quiet.spent is not None
    assert quiet.spent > 1
    assert not is_spent(quiet, 10)


def test_the_windows_of_a_shorter_objective_shrink_with_it() -> None:
    weekly = Objective(name="pages", kind="availability", objective=0.999, window_s=7 * DAY_S)
    burns = budget("shop", weekly, steady(0.0)).burns
    assert [round(burn.long_s) for burn in burns] == [840, 5040, 60_480]
    assert all(burn.short_s >= 60 for burn in burns)
