"""Error budgets and how fast they burn: the multi-window, multi-burn-rate alerts of the SRE Workbook, chapter 5
(sre.google/workbook/alerting-on-slos)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from underway.terms.objective import Budget, Burn

Counts = Callable[[float], tuple[int, int]]
"""(good, bad) of the last so many seconds."""

_HOUR_S, _DAY_S = 3600.0, 86_400.0
_MONTH_S = 30 * _DAY_S
BURNS = ((_HOUR_S, 300.0, 14.4), (6 * _HOUR_S, 1800.0, 6.0), (3 * _DAY_S, 6 * _HOUR_S, 1.0))
"""(long window, short window, limit) for an objective over thirty days: 2 % of the budget in an hour, 5 % in six, 10 %
in three days. For another window the long and short windows shrink with it, so that the shares stay."""
_SHORTEST_S = 60.0


def burn_windows(window_s: float) -> tuple[tuple[float, float, float], ...]:
    """(long window, short window, limit) for an objective over `window_s` seconds."""
    scale = min(1.0, window_s / _MONTH_S)
    return tuple(
        (max(_SHORTEST_S, long_s * scale), max(_SHORTEST_S, short_s * scale), limit) for long_s, short_s, limit in BURNS
    )


@dataclass(frozen=True)
class Objective:
    """What was promised: a share of good requests over `window_s`, an alert needs `least` bad ones."""

    name: str
    kind: str
    objective: float
    window_s: float = _MONTH_S
    least: int = 10
    route: str = ""
    limit_ms: float = 0.0
    is_own: bool = False


def budget(app: str, promised: Objective, counts: Counts) -> Budget:
    """The objective as it is now."""
    good, bad = counts(promised.window_s)
    allowed = 1 - promised.objective
    spent = (bad / (good + bad)) / allowed if good + bad else None
    burns = tuple(_burn(promised, counts, *each) for each in burn_windows(promised.window_s))
    return Budget(
        app=app,
        name=promised.name,
        kind=promised.kind,
        objective=promised.objective,
        window_s=promised.window_s,
        good=good,
        bad=bad,
        spent=None if spent is None else round(spent, 4),
        route=promised.route,
        limit_ms=promised.limit_ms,
        is_own=promised.is_own,
        least=promised.least,
        burns=burns,
        says=_says(promised, good, bad, spent),
    )


def is_spent(it: Budget, least: int) -> bool:
    """All of the budget is gone, and by more than a few requests of a quiet app."""
    return it.spent is not None and it.spent >= 1 and it.bad >= least


def _burn(promised: Objective, counts: Counts, long_s: float, short_s: float, limit: float) -> Burn:
    allowed = 1 - promised.objective
    rates = []
    bad_in_long = 0
    for window_s in (long_s, short_s):
        good, bad = counts(window_s)
        rates.append(round(bad / (good + bad) / allowed, 3) if good + bad else 0.0)
        bad_in_long = bad if window_s == long_s else bad_in_long
    is_sure = bad_in_long >= promised.least
    return Burn(long_s=long_s, short_s=short_s, limit=limit, long_rate=rates[0], short_rate=rates[1], is_sure=is_sure)


def _says(promised: Objective, good: int, bad: int, spent: float | None) -> str:
    if spent is None:
        return "no requests yet"
    days = promised.window_s / _DAY_S
    left = max(0.0, 1 - spent)
    return f"{bad:,} of {good + bad:,} requests in {days:g} days were not good; " + (
        f"{100 * left:.0f} % of the error budget is left" if spent < 1 else "the error budget is spent"
    )
