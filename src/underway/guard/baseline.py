"""What is known of the release that runs and of the traffic it gets."""

from __future__ import annotations

import msgspec

from underway.guard.latency import Reference

HALF_LIFE_S = 600.0
"""The stable release's rates forget with this half-life."""


class Counts(msgspec.Struct):
    """Requests of both releases: all, failed, and of those whose time counts (timed) the slow ones."""

    candidate: int = 0
    candidate_failed: int = 0
    candidate_timed: int = 0
    candidate_slow: int = 0
    stable: int = 0
    stable_failed: int = 0
    stable_timed: int = 0
    stable_slow: int = 0

    def add(self, more: Counts) -> None:
        self.candidate += more.candidate
        self.candidate_failed += more.candidate_failed
        self.candidate_timed += more.candidate_timed
        self.candidate_slow += more.candidate_slow
        self.stable += more.stable
        self.stable_failed += more.stable_failed
        self.stable_timed += more.stable_timed
        self.stable_slow += more.stable_slow


class Baseline(msgspec.Struct):
    """What is known of the stable release and of the traffic; learned before a rollout and during it.

    A hundred requests with 0.1 % failed and 1 % slow are the opening belief.
    """

    requests: float = 100.0
    failed: float = 0.1
    timed: float = 100.0
    slow: float = 1.0
    arrived: float = 0.0
    over_s: float = 0.0
    reference: Reference = msgspec.field(default_factory=Reference)

    @property
    def error_rate(self) -> float:
        return self.failed / self.requests

    @property
    def slow_rate(self) -> float:
        return self.slow / self.timed

    @property
    def per_s(self) -> float:
        """Requests of both releases per second, lately; 0 when nothing was seen yet."""
        return self.arrived / self.over_s if self.over_s > 0 else 0.0

    def learn(self, seen: Counts, elapsed_s: float, is_usual: bool = True) -> None:
        """Forget for `elapsed_s`, then add what was seen. Rates are learned only from a time that `is_usual`: an
        incident must not teach that failing is normal."""
        keep = 0.5 ** (elapsed_s / HALF_LIFE_S)
        self.arrived = self.arrived * keep + seen.stable + seen.candidate
        self.over_s = self.over_s * keep + elapsed_s
        if not is_usual:
            return
        self.requests = max(self.requests * keep, 1.0) + seen.stable
        self.failed = max(self.failed * keep, 0.0001) + seen.stable_failed
        self.timed = max(self.timed * keep, 1.0) + seen.stable_timed
        self.slow = max(self.slow * keep, 0.0001) + seen.stable_slow
