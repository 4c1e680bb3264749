"""What a release is judged by: limits, margins, steps and how sure to be. Frozen; every default is explained."""

from __future__ import annotations

from enum import Enum

import msgspec


class WhenQuiet(Enum):
    """What to do when traffic is too thin for a verdict within `patience_s`. Never a silent pass."""

    WAIT = "wait"
    PROBE = "probe"
    ADVANCE = "advance"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What no release may exceed, whatever the one before it does. `memory_bytes` 0 sets no limit."""

    failed_health_checks: int = 3
    error_rate: float = 0.05
    p95_ms: float = 500.0
    memory_bytes: int = 1_000_000_000


class Margins(msgspec.Struct, frozen=True, kw_only=True):
    """How much worse than the running release a new one may be before it counts as worse.

    A candidate is fine while its error rate is at most `error_ratio` × the stable one's + `error_margin`.
    With one process a side two equal processes differ by several per cent, so a candidate is taken back only when
    it is more than `slower_back` times as slow, and a person is asked from `slower_ask` on; with several processes
    a side that noise averages out and `slower_ask` is enough to take it back.
    """

    error_ratio: float = 1.5
    error_margin: float = 0.001
    slower_ask: float = 1.10
    slower_back: float = 1.25


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one rollout.

    `steps` are the candidate's shares of traffic before 100 %, ascending fractions; none of them is blue-green,
    a leading 0.0 is the dark step. `alpha_worse` bounds the chance that a healthy release is ever called worse
    than the stable one, `alpha_limit` that it is ever called over a limit: together 1 %, over the whole rollout.
    `beta` bounds the chance that a step is left while the error rate is above the step's `gates` entry.
    """

    steps: tuple[float, ...] = (0.05, 0.25, 0.5)
    limits: Limits = Limits()
    margins: Margins = Margins()
    processes_per_side: int = 1
    alpha_worse: float = 0.005
    alpha_limit: float = 0.005
    beta: float = 0.05
    gates: tuple[float, ...] = (0.20, 0.10, 0.05)
    step_s: float = 100.0
    """A step lasts at least this long: a fault may need a minute to show."""
    thorough_requests: int = 1000
    """The last step before everybody lasts until the candidate had so many requests, if they come in `thorough_s`."""
    thorough_s: float = 220.0
    bake_s: float = 600.0
    """How long the release is watched at 100 % while the old one stays warm."""
    patience_s: float = 1800.0
    """A step that has no verdict by then is inconclusive."""
    when_quiet: WhenQuiet = WhenQuiet.WAIT
    probes_may_promote: bool = False
    """Count probes as evidence to advance. Off: a probe that never touches the broken path would let it through."""
    quiet_share: float = 0.2
    """With thin traffic the first steps are widened up to this share, or nothing could be learned from them."""
    cold_start_requests: int = 30
    cold_start_s: float = 20.0
    cold_start_at_most_s: float = 180.0

    @property
    def error_alpha(self) -> float:
        """The part of `alpha_worse` spent on errors; the rest is for latency."""
        return 0.6 * self.alpha_worse

    @property
    def latency_alpha(self) -> float:
        return self.alpha_worse - self.error_alpha

    @property
    def slower_back(self) -> float:
        """How many times as slow takes the release back, given the processes a side."""
        return self.margins.slower_back if self.processes_per_side < 2 else self.margins.slower_ask

    def gate(self, step: int) -> float:
        """The error rate (above the stable one's own) that must be ruled out before step `step` is left."""
        return self.gates[min(max(step, 0), len(self.gates) - 1)]
