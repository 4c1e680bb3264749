"""Quantiles of many times in little space, mergeable and ready to be written down.

DDSketch (Masson, Rim and Lee, VLDB 2019) with the accuracy and the mapping of its reference implementation. That one
can be written down only as protobuf; what is counted here is kept with the place in the log it was counted from.
"""

from __future__ import annotations

from math import ceil, log

import msgspec

ACCURACY = 0.01
"""A quantile is within 1 % of a time that was really seen at that rank."""
_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_PER_LOG = 1 / log(_GAMMA)
FASTEST_MS, SLOWEST_MS = 0.01, 86_400_000.0
"""Times outside (10 µs to a day) count as these, so there are never more than 1,150 buckets."""
_LOWEST, _HIGHEST = ceil(log(FASTEST_MS) * _PER_LOG), ceil(log(SLOWEST_MS) * _PER_LOG)


class Sketch(msgspec.Struct):
    """How many times fell into each bucket; bucket i holds what is in (γ^(i−1), γ^i] milliseconds."""

    buckets: dict[int, int] = msgspec.field(default_factory=dict)
    count: int = 0

    def add(self, took_ms: float) -> None:
        if took_ms <= FASTEST_MS:
            index = _LOWEST
        else:
            index = ceil(log(took_ms) * _PER_LOG) if took_ms < SLOWEST_MS else _HIGHEST
        self.buckets[index] = self.buckets.get(index, 0) + 1
        self.count += 1

    def merge(self, other: Sketch) -> None:
        """Add what `other` holds: the same as if every time had been added here."""
        mine = self.buckets
        if mine:
            known = mine.get
            for index, times in other.buckets.items():
                mine[index] = known(index, 0) + times
        else:
            mine.update(other.buckets)
        self.count += other.count

    def quantile_ms(self, q: float) -> float:
        """The time at rank `q` (0 to 1); 0 without any."""
        left = q * (self.count - 1)
        for index in sorted(self.buckets):
            left -= self.buckets[index]
            if left < 0:
                return 2 * _GAMMA**index / (_GAMMA + 1)
        return 0.0

    def quantiles_ms(self, *ranks: float) -> tuple[float, ...]:
        """Several at once, in ascending order of their ranks: quicker than one by one. Zeros without any."""
        found: list[float] = []
        seen, last = 0, 0.0
        wanted = [q * (self.count - 1) for q in ranks]
        for index in sorted(self.buckets) if self.count else ():
            seen += self.buckets[index]
            while len(found) < len(ranks) and wanted[len(found)] < seen:
                found.append(2 * _GAMMA**index / (_GAMMA + 1))
            if len(found) == len(ranks):
                break
        return (*found, *[last] * (len(ranks) - len(found)))

    def count_within(self, limit_ms: float) -> int:
        """How many times were at most `limit_ms`, to the accuracy of the sketch."""
        if limit_ms < FASTEST_MS:
            return 0
        last = ceil(log(min(limit_ms, SLOWEST_MS)) * _PER_LOG)
        return sum(times for index, times in self.buckets.items() if index <= last)
