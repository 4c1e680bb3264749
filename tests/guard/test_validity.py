"""The promise: at the very edge of what is fine, the share of rollouts that *ever* cross 1/α is at most α.

Each test puts the release exactly on the edge (the sharp null), looks after every few requests, and counts the rollouts
whose evidence ever reached 1/α, with independent requests and with a day that wanders.
"""

from __future__ import annotations

from math import log
from random import Random

import pytest
from tests.guard.scenes import allowed, at_weight, failed, feed, known, ok, share_that_crosses, wandering

from underway.guard.evidence import Evidence
from underway.guard.observe import observe, tick
from underway.guard.policy import Policy

POLICY = Policy(cold_start_requests=0, cold_start_s=0.0)
ALPHA = 0.05
RUNS, MANY = 60, 3000


def crosses_by_errors(chance: Random, weight: float, wander: float) -> bool:
    state = at_weight(POLICY, weight, known(0.01))
    rate = wandering(chance, 0.01, wander)
    for _ in range(100):
        moment = min(next(rate), 0.5)
        outcomes = []
        for _ in range(10):
            is_candidate = chance.random() < weight
            p = 1.5 * moment + 0.001 if is_candidate else moment
            outcomes.append(failed(is_candidate, weight) if chance.random() < p else ok(is_candidate, weight))
        feed(POLICY, state, outcomes)
        if state.errors.strength >= 1 / ALPHA:
            return True
    return False


def crosses_by_latency(chance: Random, weight: float, wander: float, tolerance: float) -> bool:
    state = at_weight(POLICY, weight)
    level = wandering(chance, 60.0, wander, memory=0.9)
    for _ in range(150):
        median = next(level)
        outcomes = []
        for _ in range(8):
            is_candidate = chance.random() < weight
            ms = chance.lognormvariate(log(median), 0.6) * (tolerance if is_candidate else 1.0)
            outcomes.append(ok(is_candidate, weight, ms))
        feed(POLICY, state, outcomes)
        wager = state.slower_ask if tolerance < 1.2 else state.slower_back
        if wager.strength >= 1 / ALPHA:
            return True
    return False


def crosses_by_limit(chance: Random, burst: bool) -> bool:
    """5 % of requests fail, one by one or in bursts of the same average."""
    state = at_weight(POLICY, 1.0)
    for _ in range(200):
        rate = (0.25 if chance.random() < 0.2 else 0.0) if burst else 0.05
        feed(POLICY, state, [failed(True, 1.0) if chance.random() < rate else ok(True, 1.0) for _ in range(4)])
        if state.limits.candidate_errors.strength >= 1 / ALPHA:
            return True
    return False


def passes_gate(chance: Random, step: int) -> bool:
    """The error rate is exactly the one the gate must rule out."""
    state = at_weight(POLICY, 0.5)
    for _ in range(100):
        usual = state.baseline.error_rate
        rate = POLICY.gate(step) + usual
        feed(POLICY, state, [failed(True, 0.5) if chance.random() < rate else ok(True, 0.5) for _ in range(3)])
        if state.gates[step].errors >= log(1 / POLICY.beta):
            return True
    return False


@pytest.mark.parametrize(("weight", "wander"), [(0.05, 0.8), (0.25, 0.0), (0.5, 0.8)])
def test_an_error_rate_at_the_edge_of_tolerance_is_rarely_called_worse(weight: float, wander: float) -> None:
    assert share_that_crosses(RUNS, lambda chance: crosses_by_errors(chance, weight, wander)) <= allowed(ALPHA, RUNS)


@pytest.mark.parametrize(("weight", "tolerance", "wander"), [(0.25, 1.25, 0.3), (0.5, 1.10, 0.0)])
def test_latency_at_the_edge_of_tolerance_is_rarely_called_slower(
    weight: float, tolerance: float, wander: float
) -> None:
    share = share_that_crosses(RUNS, lambda chance: crosses_by_latency(chance, weight, wander, tolerance))
    assert share <= allowed(ALPHA, RUNS)


def test_a_rate_at_the_limit_is_rarely_called_over_it() -> None:
    assert share_that_crosses(RUNS, lambda chance: crosses_by_limit(chance, burst=False)) <= allowed(ALPHA, RUNS)


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_release_as_bad_as_the_gate_rarely_passes_it(step: int) -> None:
    assert share_that_crosses(RUNS, lambda chance: passes_gate(chance, step)) <= allowed(POLICY.beta, RUNS)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("wander", [0.0, 0.8])
@pytest.mark.parametrize("weight", [0.05, 0.25, 0.5])
def test_errors_at_the_edge_in_many_rollouts(weight: float, wander: float) -> None:
    assert share_that_crosses(MANY, lambda chance: crosses_by_errors(chance, weight, wander)) <= allowed(ALPHA, MANY)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("wander", [0.0, 0.3])
@pytest.mark.parametrize(("weight", "tolerance"), [(0.05, 1.25), (0.25, 1.25), (0.5, 1.25), (0.5, 1.10)])
def test_latency_at_the_edge_in_many_rollouts(weight: float, tolerance: float, wander: float) -> None:
    share = share_that_crosses(MANY, lambda chance: crosses_by_latency(chance, weight, wander, tolerance))
    assert share <= allowed(ALPHA, MANY)


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
