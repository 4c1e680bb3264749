"""Memory over time, healthy warm-ups and leaks, against the guard's memory rules. Pure, seeded."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from random import Random

from underway.guard.memory import NEAR_S, MemoryTrend, is_over, seconds_to_limit

LIMIT_BYTES = 1_000_000_000.0
SAMPLE_S = 5.0
HORIZON_S = 3600.0


@dataclass(frozen=True)
class Growth:
    """Bytes used at the start, a warm-up of `cache` bytes that settles or comes in steps, and a leak per minute."""

    name: str
    says: str
    start: float = 150e6
    cache: float = 0.0
    in_steps: bool = False
    leak_per_min: float = 0.0
    noise: float = 5e6


GROWTHS = (
    Growth("flat", "flat"),
    Growth("warm-up", "a cache of 300 MB that fills and settles", cache=300e6),
    Growth("steps", "a cache of 600 MB that loads in steps", cache=600e6, in_steps=True),
    Growth("leak", "a leak of 40 MB a minute", leak_per_min=40e6),
    Growth("leak-warm", "the same after a warm-up of 200 MB", cache=200e6, leak_per_min=40e6),
)


def course(growth: Growth, seed: int) -> tuple[float | None, float | None]:
    """When the guard takes the release back, and when the limit is really reached (None: never within an hour)."""
    chance = Random(seed)
    settle_s = chance.uniform(60, 400)
    steps = sorted(chance.uniform(0, 1500) for _ in range(8))
    trend = MemoryTrend()
    reached: float | None = None
    wander = 0.0
    for number in range(int(HORIZON_S / SAMPLE_S)):
        at = number * SAMPLE_S
        wander = 0.95 * wander + chance.gauss(0, growth.noise)
        if growth.in_steps:
            cached = growth.cache * sum(at >= step for step in steps) / len(steps)
        else:
            cached = growth.cache * (1 - exp(-at / settle_s))
        used = growth.start + cached + growth.leak_per_min * at / 60 + wander
        if used > LIMIT_BYTES and reached is None:
            reached = at
        trend.add(at, used)
        left_s = seconds_to_limit(trend, LIMIT_BYTES) if number % 2 == 0 else None
        if is_over(trend, LIMIT_BYTES) or (left_s is not None and left_s < NEAR_S):
            return at, reached
    return None, reached
