"""Bets about one rate: "over the limit" to take a release back, "under the gate" to let it go on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import exp, log

from underway.guard.wager import as_factors

EXCESSES = (0.05, 0.2, 0.5, 0.9)
"""Alternatives to a limit p: p + (1−p)·excess."""
EXCESS_PRIORS = (0.2, 0.2, 0.2, 0.4)
ALARM_EXCESSES = (0.01, *EXCESSES)
ALARM_PRIORS = (0.2, 0.2, 0.2, 0.2, 0.2)
"""The alarm compares with what is usual, so it also expects a slow poison."""
SLOW_SHARE = 0.05
"""A p95 over its limit means that more than 5 % of requests are slower."""
NEAR_LIMIT = 1.5
"""If the stable release lives near a limit, the limit is this many times its own rate."""
LOWEST_RATE, HIGHEST_RATE = 0.0005, 0.3
"""Between these the stable release's own rate shapes the bets (any value is valid, a close one wins faster)."""
CLEAN = 1 / 8
"""A gate expects a good release to fail at an eighth of the rate it rules out: 16 clean requests pass 20 %."""


_STEP = log(1.25)


def grid(rate: float) -> float:
    """`rate` clamped and rounded to a step of 25 %, so that few tables are ever computed."""
    clamped = LOWEST_RATE if rate < LOWEST_RATE else HIGHEST_RATE if rate > HIGHEST_RATE else rate
    return exp(round(log(clamped) / _STEP) * _STEP)


def effective_limit(limit: float, stable_rate: float) -> float:
    """The limit that applies to a release whose predecessor fails at `stable_rate`."""
    near = NEAR_LIMIT * stable_rate
    higher = near if near > limit else limit
    return higher if higher < 0.95 else 0.95


@lru_cache(maxsize=256)
def over_limit_odds(
    limit: float, excesses: tuple[float, ...] = EXCESSES
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Log factors (bad request, good request), one for each excess, of the bet that the rate is over `limit`.

    Likelihood ratio of Bernoulli(limit + …) to Bernoulli(limit): losing for every rate below the limit.
    """
    rates = [limit + (1 - limit) * excess for excess in excesses]
    return tuple(log(r / limit) for r in rates), tuple(log((1 - r) / (1 - limit)) for r in rates)


@lru_cache(maxsize=256)
def gate_odds(gate: float, stable_rate: float) -> tuple[float, float]:
    """Log factors (bad, good) of the bet that the rate is *below* `gate` + the stable release's own.

    Wald's likelihood ratio against exactly that rate; losing for every higher one. `gate` is above 0, `stable_rate`
    on the `grid`.
    """
    ruled_out = min(gate + stable_rate, 0.95)
    hoped = min(max(stable_rate, ruled_out * CLEAN), 0.7 * ruled_out)
    return log(hoped / ruled_out), log((1 - hoped) / (1 - ruled_out))


@lru_cache(maxsize=256)
def gates_odds(gates: tuple[float, ...], number: int, stable_rate: float) -> tuple[tuple[float, float], ...]:
    """`gate_odds` of so many steps; the last of `gates` holds for all further ones."""
    return tuple(gate_odds(gates[min(step, len(gates) - 1)], stable_rate) for step in range(number))


def clean_requests_to_pass(gate: float, stable_rate: float, beta: float, log_strength: float = 0.0) -> int:
    """How many further requests without a failure pass the gate from here."""
    _, good = gate_odds(gate, stable_rate)
    missing = log(1 / beta) - log_strength
    return max(0, -int(-missing // good))


def settle_counts(odds: tuple[Sequence[float], Sequence[float]], bad: int, good: int) -> list[float]:
    """Log factors of `bad` and `good` requests together."""
    return [bad * b + good * g for b, g in zip(*odds, strict=True)]


@lru_cache(maxsize=4096)
def over_limit_factors(limit: float, excesses: tuple[float, ...], bad: int, good: int) -> tuple[float, ...]:
    """The factors (not their logarithms) of so many requests in the bet that the rate is over `limit`. A second brings
    few different numbers, so most are found and not computed."""
    return tuple(as_factors(settle_counts(over_limit_odds(limit, excesses), bad, good)))
