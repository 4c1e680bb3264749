"""Simulated latencies, counted in the guard's buckets: fast, because a rate of 500 a second has many. Pure, seeded."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from math import e, log
from random import Random
from statistics import NormalDist

from underway.guard.latency import BUCKETS, bucket_ms, position, position_shift
from underway.guard.observe import Times
from underway.guard.policy import Policy
from underway.guard.simulate.worlds import MEDIAN_MS, SPREAD

LEVELS = range(4096)
"""A latency is one of so many equally likely ones."""
STEP = 0.1
"""All latencies of a second are shifted together, by whole steps of a tenth of a bucket (0.6 %)."""
PER_LOG = position_shift(e)


@lru_cache(maxsize=1)
def quantiles() -> list[float]:
    """The equally likely latencies as places on the scale of buckets, ascending."""
    normal = NormalDist(log(MEDIAN_MS), SPREAD)
    return [position(1.0) + PER_LOG * normal.inv_cdf((i + 0.5) / len(LEVELS)) for i in LEVELS]


@lru_cache(maxsize=2048)
def buckets(steps: int) -> list[int]:
    """The bucket of every level when all are shifted by so many steps."""
    return [_bucket(at + steps * STEP) for at in quantiles()]


def _bucket(at: float) -> int:
    return min(max(int(at), 0), BUCKETS - 1)


def _steps(shift: float) -> int:
    """A shift (a logarithm) in steps."""
    return round(shift * PER_LOG / STEP)


def _beyond(drawn: list[int], limit: float, steps: int) -> int:
    """How many of the drawn levels are beyond the place `limit`."""
    first = bisect_right(quantiles(), limit - steps * STEP)
    return sum(level >= first for level in drawn) if first < len(LEVELS) else 0


def times_of_stable(policy: Policy, number: int, shift: float, chance: Random) -> Times:
    """So many latencies of the stable release, shifted by the factor e^`shift`."""
    drawn, steps = chance.choices(LEVELS, k=number), _steps(shift)
    return Times(
        number=number,
        slow=_beyond(drawn, position(policy.limits.p95_ms), steps),
        buckets=Counter(map(buckets(steps).__getitem__, drawn)),
    )


def times_of_candidate(
    policy: Policy,
    number: int,
    shift: float,
    chance: Random,
    longer: tuple[float, float] = (0.0, 0.0),
    cold: Iterable[float] = (),
) -> Times:
    """So many latencies of the candidate. `longer` is a share of them that takes so many milliseconds more, `cold` has
    the log factors of the first ones."""
    steps, limit = _steps(shift), position(policy.limits.p95_ms)
    ask, back = position_shift(policy.margins.slower_ask), position_shift(policy.slower_back)
    share, extra_ms = longer
    apart = [at + factor * PER_LOG for factor in cold for at in chance.choices(quantiles())][:number]
    late = sum(chance.random() < share for _ in range(number - len(apart))) if share else 0
    apart = [at + steps * STEP for at in apart]
    apart += [position(bucket_ms(at + steps * STEP) + extra_ms) for at in chance.choices(quantiles(), k=late)]
    drawn = chance.choices(LEVELS, k=number - len(apart))
    found = Times(
        number=number,
        slow=_beyond(drawn, limit, steps) + sum(at > limit for at in apart),
        buckets=Counter(map(buckets(_steps(shift - ask / PER_LOG)).__getitem__, drawn)),
        buckets_back=Counter(map(buckets(_steps(shift - back / PER_LOG)).__getitem__, drawn)),
    )
    for at in apart:
        for counts, tolerance in ((found.buckets, ask), (found.buckets_back, back)):
            counts[_bucket(at - tolerance)] = counts.get(_bucket(at - tolerance), 0) + 1
    return found
