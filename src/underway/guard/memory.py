"""Is the candidate eating memory? A limit acts at three samples; a slope only when it is lasting and the limit is near.

A warm-up that grows and settles must not be called a leak: caches that load in steps fool an hour's projection in two
of three healthy runs, so a projection may warn and only a limit less than five minutes away takes a release back.
"""

from __future__ import annotations

from math import sqrt

import msgspec

SAMPLES = 60
"""Samples kept; when full every second one is dropped, so they always span the whole rollout."""
LEAST_SAMPLES = 12
LEAST_SPAN_S = 120.0
NEAR_S = 300.0
WARN_S = 3600.0
Z99 = 2.576
"""Two-sided 99 % of the normal distribution."""


class MemoryTrend(msgspec.Struct):
    """Memory of the candidate's largest instance over time."""

    samples: list[tuple[float, float]] = msgspec.field(default_factory=list)
    every: int = 1
    skipped: int = 0
    last: list[float] = msgspec.field(default_factory=list)
    """The newest three, whatever was thinned out."""

    def add(self, at: float, used_bytes: float) -> None:
        """Add one sample. Times that do not grow are ignored (a clock that jumped back)."""
        self.last = [*self.last[-2:], used_bytes]
        if self.samples and at <= self.samples[-1][0]:
            return
        self.skipped += 1
        if self.skipped < self.every and self.samples:
            return
        self.skipped = 0
        self.samples.append((at, used_bytes))
        if len(self.samples) > SAMPLES:
            self.samples = self.samples[::2]
            self.every *= 2


class Slope(msgspec.Struct, frozen=True):
    """Bytes per second with a 99 % confidence interval."""

    median: float
    low: float
    high: float


def slope(samples: list[tuple[float, float]]) -> Slope | None:
    """Theil–Sen slope with its rank-based interval (Sen 1968; Hollander, Wolfe, Chicken, chapter 9).

    None with fewer than `LEAST_SAMPLES` samples or over less than `LEAST_SPAN_S`.
    """
    n = len(samples)
    if n < LEAST_SAMPLES or samples[-1][0] - samples[0][0] < LEAST_SPAN_S:
        return None
    slopes = sorted(
        (samples[j][1] - samples[i][1]) / (samples[j][0] - samples[i][0]) for i in range(n) for j in range(i + 1, n)
    )
    spread = Z99 * sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = max(int((len(slopes) - spread) / 2), 0)
    high = min(int((len(slopes) + spread) / 2) + 1, len(slopes) - 1)
    return Slope(slopes[len(slopes) // 2], slopes[low], slopes[high])


def is_over(trend: MemoryTrend, limit_bytes: float) -> bool:
    """The last three samples are all over the limit."""
    return limit_bytes > 0 and len(trend.last) == 3 and min(trend.last) > limit_bytes


def seconds_to_limit(trend: MemoryTrend, limit_bytes: float) -> float | None:
    """Seconds until the limit is reached on a *lasting* slope, None when there is none.

    Lasting: the growth of the whole stretch, of its later half and of its last quarter are all surely above zero, and
    the slowest of the three (the lower ends of their intervals) decides. A warm-up that settles fails the later ones.
    """
    if limit_bytes <= 0 or not trend.samples:
        return None
    whole = slope(trend.samples)
    half = slope(trend.samples[len(trend.samples) // 2 :])
    if whole is None or half is None or min(whole.low, half.low) <= 0:
        return None
    room = limit_bytes - trend.samples[-1][1]
    return max(room, 0.0) / min(whole.median, half.median)
