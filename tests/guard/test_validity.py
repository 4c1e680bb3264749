"""The promise: at the very edge of what is fine, the share of rollouts that *ever* cross 1/α is at most α.

Each null puts the release exactly on the edge and looks after every few requests, with independent requests and with a
day that wanders. `bench/guard_validity.py` does the same a thousand times; docs/guard.md has its figures.
"""

from __future__ import annotations

from random import Random

import pytest
from tests.guard.scenes import allowed, at_weight, failed, known, ok, share_that_crosses

from underway.guard.evidence import Evidence
from underway.guard.observe import observe, tick
from underway.guard.policy import Policy
from underway.guard.simulate.nulls import Null, nulls

POLICY = Policy(cold_start_requests=0, cold_start_s=0.0)
ALPHA = 0.05
RUNS, MANY = 30, 2000


def name_of(null: Null) -> str:
    return f"{null.name}, {'wandering' if null.wanders else 'independent'}"


def peaks(null: Null, runs: int) -> list[float]:
    return [null.peak(Random(f"{null.name} {null.wanders} {seed}")) for seed in range(runs)]


def test_the_edge_of_what_is_fine_is_rarely_called_worse() -> None:
    """Thirty courses of one test say little; all of them together, with the error bar of so many, say more."""
    found = {name_of(null): peaks(null, RUNS) for null in nulls()}
    for name, of_one in found.items():
        assert sum(peak >= 1 / ALPHA for peak in of_one) / RUNS <= allowed(ALPHA, RUNS), name
    together = [peak for of_one in found.values() for peak in of_one]
    for alpha in (ALPHA, 0.01):
        assert sum(peak >= 1 / alpha for peak in together) / len(together) <= allowed(alpha, len(together))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("null", nulls(), ids=name_of)
def test_the_edge_in_many_rollouts(null: Null) -> None:
    found = peaks(null, MANY)
    for alpha in (0.05, 0.01, 0.003):
        assert sum(peak >= 1 / alpha for peak in found) / MANY <= allowed(alpha, MANY)


def test_the_bets_are_not_idle() -> None:
    """The counterpart: well beyond the edge the same evidence crosses nearly always."""

    def is_caught(chance: Random) -> bool:
        state: Evidence = at_weight(POLICY, 0.25, known(0.01))
        for _ in range(100):
            for _ in range(10):
                is_candidate = chance.random() < 0.25
                p = 0.2 if is_candidate else 0.01
                observe(POLICY, state, failed(is_candidate, 0.25) if chance.random() < p else ok(is_candidate, 0.25))
            tick(POLICY, state, state.last_now + 1)
            if state.errors.strength >= 1 / POLICY.error_alpha:
                return True
        return False

    assert share_that_crosses(50, is_caught) >= 0.95
