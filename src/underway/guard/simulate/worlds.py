"""What a simulated day is like: traffic, errors and latency of a healthy release, and what a fault adds. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, exp, floor, lgamma, log, pi, sin, sqrt
from random import Random

MEDIAN_MS = 60.0
SPREAD = 0.6
"""Latency is log-normal: p50 60 ms, p95 161 ms, p99 242 ms."""
BASE_ERROR = 0.001
LIMIT_MS = 500.0
COLD_REQUESTS = 15
"""A cold start fades over so many requests."""


@dataclass(frozen=True)
class World:
    """A healthy release's world. Everything here happens to both releases alike, except `unlike` and `cold_start`.

    `drift` is the swing of traffic, errors and latency over two hours, with latency that wanders (autocorrelated);
    `bursts` are five seconds of 30 % errors about every three minutes; `incident` is three minutes of 20 % errors and
    threefold latency; `cold_start` makes the candidate three times as slow, fading over 15 requests; `unlike` are the
    lasting and the passing difference between the two processes (standard deviations of the logarithm).
    `sick_client` is one client that fails once a second wherever its cohort is; `people` are few, stay with their
    cohort, and differ much in how busy they are and in how fast their pages are; with `habits` each of them is mostly
    at one of four pages that take very different times.
    """

    name: str
    says: str
    drift: float = 0.0
    bursts: bool = False
    incident: bool = False
    cold_start: bool = False
    base_error: float = BASE_ERROR
    unlike: tuple[float, float] = (0.0, 0.0)
    sick_client: bool = False
    people: bool = False
    habits: bool = False


@dataclass(frozen=True)
class Fault:
    """What is wrong with the candidate from `after_s` on: its error rate (None: as healthy), how many times as slow,
    and a share of its requests that take `extra_ms` longer. `breaks_both` does the same to the stable release while
    the candidate has traffic (a lock, a full pool)."""

    name: str
    says: str
    error_rate: float | None = None
    times: float = 1.0
    extra_ms: float = 0.0
    extra_share: float = 0.0
    after_s: float = 0.0
    breaks_both: bool = False


WORLDS = (
    World("plain", "plain"),
    World("drift", "daily drift ±40 %, wandering latency", drift=0.4),
    World("bursts", "the same + 5 s of 30 % errors on both every ~3 min", drift=0.4, bursts=True),
    World("incident", "a shared incident: 3 min of 20 % errors, 3× latency", incident=True),
    World("cold-start", "cold start: 3× slower, fading over 15 requests", cold_start=True),
    World("errors-3", "base error rate 3 %", base_error=0.03),
    World("unlike-2-5", "two processes never alike: 2 % lasting, 5 % passing", unlike=(0.02, 0.05)),
    World("unlike-5-10", "the same, 5 % and 10 %", unlike=(0.05, 0.10)),
    World("sick-client", "one client fails in a loop, once a second", sick_client=True),
    World("people", "few people, very unlike, each staying with one release", people=True),
    World("habits", "the same, each at pages of their own, the slowest 24 times as slow", people=True, habits=True),
)
HEALTHY = Fault("healthy", "healthy")
FAULTS = (
    Fault("crash", "crash at start", error_rate=1.0),
    Fault("errors-50", "errors → 50 %", error_rate=0.5),
    Fault("errors-5", "errors → 5 %", error_rate=0.05),
    Fault("errors-1", "errors 0.1 → 1 %", error_rate=0.01),
    Fault("late-5", "errors → 5 % after 4 min", error_rate=0.05, after_s=240.0),
    Fault("late-crash", "everything fails after 4 min", error_rate=1.0, after_s=240.0),
    Fault("slower-20", "latency +20 %", times=1.2),
    Fault("slower-100", "latency ×2", times=2.0),
    Fault("tail", "8 % of requests +250 ms", extra_ms=250.0, extra_share=0.08),
    Fault("breaks-both", "breaks both releases (30 % errors)", error_rate=0.3, breaks_both=True),
)


@dataclass
class Moment:
    """One second: requests per second, and for each release the error rate and the log factor of its latency."""

    rps: float
    stable_error: float
    candidate_error: float
    stable_shift: float
    candidate_shift: float


class Weather:
    """One course of a world with a fault. `at` is asked once for every second, in order.

    It draws from a stream of its own, so that every judge sees the same day at the same seed.
    """

    def __init__(self, world: World, fault: Fault, rps: float, seed: int) -> None:
        chance = Random(f"weather {seed}")
        self._world, self._fault, self._rps, self._chance = world, fault, rps, chance
        self.sick_bucket = chance.random()
        """The cohort of the client that fails in a loop, where the world has one."""
        self._phase = chance.random() * 2 * pi
        self._wander = chance.gauss(0, 0.15)
        self._passing = chance.gauss(0, world.unlike[1])
        self._lasting = chance.gauss(0, world.unlike[0])
        self._burst_at = chance.expovariate(1 / 180)
        self._incident_at = chance.random() * 400

    def at(self, second: int, weight: float) -> Moment:
        world, fault, chance = self._world, self._fault, self._chance
        swing = 1.0
        shared = 0.0
        if world.drift:
            swing = 1 + world.drift * sin(2 * pi * second / 7200 + self._phase)
            self._wander = 0.98 * self._wander + chance.gauss(0, 0.15 * sqrt(1 - 0.98**2))
            shared = self._wander + 0.5 * log(swing)
        error = world.base_error * swing
        if world.bursts:
            if second >= self._burst_at + 5:
                self._burst_at = second + chance.expovariate(1 / 180)
            if second >= self._burst_at:
                error = 0.3
        if world.incident and self._incident_at <= second < self._incident_at + 180:
            error, shared = 0.2, shared + log(3)
        own = 0.0
        if world.unlike[1]:
            self._passing = 0.98 * self._passing + chance.gauss(0, world.unlike[1] * sqrt(1 - 0.98**2))
            own = self._lasting + self._passing
        candidate_error, stable_error = error, error
        if second >= fault.after_s:
            own += log(fault.times)
            if fault.error_rate is not None:
                candidate_error = max(error, fault.error_rate)
                if fault.breaks_both and weight > 0:
                    stable_error = candidate_error
        return Moment(self._rps * swing, stable_error, candidate_error, shared, shared + own)

    def longer(self, second: int) -> tuple[float, float]:
        """The share of the candidate's requests that take longer now, and by how many milliseconds."""
        if second < self._fault.after_s:
            return 0.0, 0.0
        return self._fault.extra_share, self._fault.extra_ms

    def slow_share(self, moment: Moment, second: int, limit_ms: float) -> float:
        """The share of the candidate's requests that take longer than `limit_ms`."""
        share, extra_ms = self.longer(second)
        slower, shift = slower_than(limit_ms, moment.candidate_shift), moment.candidate_shift
        return (1 - share) * slower + share * slower_than(limit_ms - extra_ms, shift) if share else slower

    def cold_factor(self, served: int) -> float:
        """The log factor on the candidate's request number `served` while it is cold."""
        if not self._world.cold_start:
            return 0.0
        return log(1 + 2 * max(0.0, 1 - served / COLD_REQUESTS))


def slower_than(ms: float, shift: float) -> float:
    """The share of requests slower than `ms` when latency is shifted by `shift` (a logarithm)."""
    return 0.5 * erfc((log(max(ms, 1e-3) / MEDIAN_MS) - shift) / (SPREAD * sqrt(2)))


def poisson(mean: float, chance: Random) -> int:
    """A Poisson variate: Knuth's product below 10, transformed rejection above (Hörmann 1993, PTRS)."""
    if mean <= 0:
        return 0
    if mean < 10:
        number, least, product = 0, exp(-mean), chance.random()
        while product > least:
            number += 1
            product *= chance.random()
        return number
    log_mean, b = log(mean), 0.931 + 2.53 * sqrt(mean)
    a = -0.059 + 0.02483 * b
    scale, squeeze = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v = chance.random() - 0.5, chance.random()
        us = 0.5 - abs(u)
        number = floor((2 * a / us + b) * u + mean + 0.43) if us else -1
        if us >= 0.07 and v <= squeeze:
            return number
        if number < 0 or (us < 0.013 and v > us):
            continue
        if log(v * scale / (a / (us * us) + b)) <= number * log_mean - mean - lgamma(number + 1):
            return number
