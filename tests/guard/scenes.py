"""Traffic for the guard's tests: many small rollouts at the edge of what is still fine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import exp, log, sqrt
from random import Random

from underway.guard.evidence import Baseline, Evidence, Outcome
from underway.guard.observe import begin, observe, set_weight, tick
from underway.guard.policy import Policy

Rate = Callable[[int], float]


def known(rate: float = 0.001, requests: int = 3000, median_ms: float = 60.0) -> Baseline:
    """A stable release that was watched for ten minutes."""
    baseline = Baseline(arrived=requests, over_s=600.0)
    baseline.requests += requests
    baseline.failed += requests * rate
    baseline.timed += requests
    chance = Random(1)
    counts: dict[int, int] = {}
    from underway.guard.latency import bucket

    for _ in range(2000):
        index = bucket(exp(log(median_ms) + 0.6 * chance.gauss(0, 1)))
        counts[index] = counts.get(index, 0) + 1
    baseline.reference.learn(counts, 0.0)
    return baseline


def at_weight(policy: Policy, weight: float, baseline: Baseline | None = None) -> Evidence:
    state = begin(policy, baseline or known(), 0.0)
    set_weight(state, weight)
    return state


def wandering(chance: Random, around: float, spread: float, memory: float = 0.99) -> Iterator[float]:
    """A positive value that wanders slowly around `around` (a log-normal autoregression)."""
    x = chance.gauss(0, spread)
    while True:
        x = memory * x + chance.gauss(0, spread * sqrt(1 - memory * memory))
        yield around * exp(x)


def ok(is_candidate: bool, weight: float, latency_ms: float = 60.0, client: str = "") -> Outcome:
    return Outcome(is_candidate=is_candidate, weight=weight, failed=False, latency_ms=latency_ms, client=client)


def failed(is_candidate: bool, weight: float, client: str = "") -> Outcome:
    return Outcome(is_candidate=is_candidate, weight=weight, failed=True, latency_ms=5.0, client=client)


def feed(policy: Policy, state: Evidence, outcomes: list[Outcome], seconds: float = 1.0) -> None:
    """Let these requests arrive within `seconds`."""
    for outcome in outcomes:
        observe(policy, state, outcome)
    tick(policy, state, state.last_now + seconds)


def share_that_crosses(runs: int, one: Callable[[Random], bool]) -> float:
    return sum(one(Random(seed)) for seed in range(runs)) / runs


def allowed(alpha: float, runs: int) -> float:
    """α and three standard errors of a share measured in so many runs."""
    return alpha + 3 * sqrt(alpha * (1 - alpha) / runs)
