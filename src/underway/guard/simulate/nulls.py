"""Releases at the very edge of what is fine, to see how often the evidence against them ever gets strong. Pure, seeded.

Every null is the *sharp* one: the candidate is exactly as bad as is tolerated, so a bet that were not fair would be
found out here first. Ville's inequality promises that the evidence reaches 1/α in at most α of the courses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import exp, log, sqrt
from random import Random

from underway.guard.baseline import Baseline
from underway.guard.evidence import Evidence
from underway.guard.observe import Slice, Times, begin, observe_slice, set_weight, tick
from underway.guard.policy import Policy
from underway.guard.rates import grid
from underway.guard.simulate.times import LEVELS, buckets
from underway.guard.simulate.worlds import poisson

POLICY = Policy(cold_start_requests=0, cold_start_s=0.0)
LOOKS = 150
PER_LOOK = 12.0
"""Requests of both releases between two looks, on average."""


@dataclass(frozen=True)
class Null:
    """A test at the edge of what is fine. `peak` is the strongest that its evidence ever gets in one course."""

    name: str
    wanders: bool
    peak: Callable[[Random], float]


def nulls() -> list[Null]:
    """Every test of the guard, with independent requests and with a day that wanders (autocorrelated)."""
    found = []
    for wanders in (False, True):
        for weight in (0.05, 0.25, 0.5):
            name = f"more errors, at {100 * weight:.0f} % of the traffic"
            found.append(Null(name, wanders, _errors(weight, wanders)))
        found.append(Null("slower than 1.10 times, at 25 %", wanders, _slower(0.25, False, wanders)))
        found.append(Null("slower than 1.25 times, at 25 %", wanders, _slower(0.25, True, wanders)))
        found.append(Null("slower than 1.25 times, at 50 %", wanders, _slower(0.5, True, wanders)))
        found.append(Null("errors over the limit", wanders, _over("errors", wanders)))
        found.append(Null("times over the limit", wanders, _over("slow", wanders)))
        found.append(Null("more than usual (alarm)", wanders, _over("alarm", wanders)))
        for step in (0, 2):
            gate = f"{100 * POLICY.gate(step):.0f} %"
            found.append(Null(f"errors below the gate of {gate}", wanders, _gate(step, "errors", wanders)))
        found.append(Null("slow requests below the gate of 5 %", wanders, _gate(2, "slow", wanders)))
    return found


def known(rate: float) -> Baseline:
    """A stable release that failed at this rate in 3,000 requests, with the simulator's latencies."""
    baseline = Baseline(arrived=3000.0, over_s=600.0)
    baseline.requests, baseline.failed = baseline.requests + 3000, baseline.failed + 3000 * rate
    baseline.timed += 3000
    baseline.reference.learn(Counter(buckets(0)), 0.0)
    return baseline


def wandering(chance: Random, spread: float, memory: float = 0.97) -> Iterator[float]:
    """The logarithm of what the day does to a rate or to latency: an autoregression."""
    x = chance.gauss(0, spread)
    while True:
        yield x
        x = memory * x + chance.gauss(0, spread * sqrt(1 - memory * memory))


def _state(weight: float, rate: float = 0.01) -> Evidence:
    state = begin(POLICY, known(rate), 0.0)
    set_weight(state, weight)
    return state


def _errors(weight: float, wanders: bool) -> Callable[[Random], float]:
    """The candidate fails 1.5 times as often as the stable release, plus 0.1 %, whatever the day does to both."""

    def peak(chance: Random) -> float:
        state, best, margins = _state(weight), 0.0, POLICY.margins
        day = wandering(chance, 0.8 if wanders else 0.0)
        for _ in range(LOOKS):
            rate = min(0.01 * exp(next(day)), 0.4)
            edge = margins.error_ratio * rate + margins.error_margin
            seen = Slice(weight)
            seen.candidate_failed = poisson(PER_LOOK * weight * edge, chance)
            seen.candidate_ok = poisson(PER_LOOK * weight * (1 - edge), chance)
            seen.stable_failed = poisson(PER_LOOK * (1 - weight) * rate, chance)
            seen.stable_ok = poisson(PER_LOOK * (1 - weight) * (1 - rate), chance)
            observe_slice(POLICY, state, seen)
            tick(POLICY, state, state.last_now + 1)
            best = max(best, state.errors.strength)
        return best

    return peak


def _slower(weight: float, back: bool, wanders: bool) -> Callable[[Random], float]:
    """The candidate takes exactly as many times as long as is tolerated: divided by that, both are alike."""

    def peak(chance: Random) -> float:
        state, best = _state(weight), 0.0
        day = wandering(chance, 0.3 if wanders else 0.0, memory=0.9)
        for _ in range(LOOKS):
            place = buckets(round(next(day) * 200))
            mine, theirs = poisson(PER_LOOK * weight, chance), poisson(PER_LOOK * (1 - weight), chance)
            alike = Counter(map(place.__getitem__, chance.choices(LEVELS, k=mine)))
            stable = Counter(map(place.__getitem__, chance.choices(LEVELS, k=theirs)))
            seen = Slice(weight, candidate_ok=mine, stable_ok=theirs)
            seen.candidate_times = Times(number=mine, buckets=alike, buckets_back=alike)
            seen.stable_times = Times(number=theirs, buckets=stable)
            observe_slice(POLICY, state, seen)
            tick(POLICY, state, state.last_now + 1)
            best = max(best, (state.slower_back if back else state.slower_ask).strength)
        return best

    return peak


def _over(which: str, wanders: bool) -> Callable[[Random], float]:
    """The candidate is exactly at the limit; in a day that wanders it never stays above it."""

    def peak(chance: Random) -> float:
        state, best = _state(1.0, rate=0.001), 0.0
        usual = POLICY.margins.error_ratio * grid(state.baseline.error_rate) + POLICY.margins.error_margin
        limit = {"errors": POLICY.limits.error_rate, "slow": 0.05, "alarm": usual}[which]
        wager = state.alarm if which == "alarm" else state.limits.candidate_errors
        if which == "slow":
            wager = state.limits.candidate_slow
        day = wandering(chance, 0.8 if wanders else 0.0)
        for _ in range(LOOKS):
            rate = limit * exp(min(next(day), 0.0))
            bad, good = poisson(PER_LOOK * rate, chance), poisson(PER_LOOK * (1 - rate), chance)
            seen = Slice(1.0, candidate_ok=good, candidate_failed=bad)
            if which == "slow":
                seen = Slice(1.0, candidate_ok=bad + good, candidate_times=Times(number=bad + good, slow=bad))
            observe_slice(POLICY, state, seen)
            tick(POLICY, state, state.last_now + 1)
            best = max(best, wager.strength)
        return best

    return peak


def _gate(step: int, which: str, wanders: bool) -> Callable[[Random], float]:
    """The candidate is exactly as bad as the gate must rule out; in a day that wanders it is never better."""

    def peak(chance: Random) -> float:
        state, best = _state(0.5), 0.0
        day = wandering(chance, 0.5 if wanders else 0.0)
        for _ in range(LOOKS):
            usual = grid(state.baseline.error_rate if which == "errors" else state.baseline.slow_rate)
            rate = min((POLICY.gate(step) + usual) * exp(max(next(day), 0.0)), 0.9)
            bad, good = poisson(PER_LOOK / 4 * rate, chance), poisson(PER_LOOK / 4 * (1 - rate), chance)
            seen = Slice(0.5, candidate_ok=good, candidate_failed=bad)
            if which == "slow":
                seen = Slice(0.5, candidate_ok=bad + good, candidate_times=Times(number=bad + good, slow=bad))
            observe_slice(POLICY, state, seen)
            tick(POLICY, state, state.last_now + 1)
            gate = state.gates[step]
            best = max(best, gate.errors if which == "errors" else gate.slow)
        return exp(min(best, log(1e12)))

    return peak
