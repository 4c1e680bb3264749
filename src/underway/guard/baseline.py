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
        if elapsed_s:
            self.forget(elapsed_s, is_usual)
        self.arrived = self.arrived + seen.stable + seen.candidate
        if not is_usual:
            return
        self.requests += seen.stable
        self.failed += seen.stable_failed
        self.timed += seen.stable_timed
        self.slow += seen.stable_slow

    def forget(self, elapsed_s: float, is_usual: bool = True) -> None:
        """Let `elapsed_s` seconds pass."""
        keep = 0.5 ** (elapsed_s / HALF_LIFE_S)
        self.arrived *= keep
        self.over_s = self.over_s * keep + elapsed_s
        if not is_usual:
            return
        requests, failed, timed, slow = self.requests * keep, self.failed * keep, self.timed * keep, self.slow * keep
        self.requests = requests if requests > 1.0 else 1.0
        self.failed = failed if failed > 0.0001 else 0.0001
        self.timed = timed if timed > 1.0 else 1.0
        self.slow = slow if slow > 0.0001 else 0.0001
