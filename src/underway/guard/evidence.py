"""All that was seen of one rollout, in bounded space. It turns into JSON and back, so a restart loses nothing."""

from __future__ import annotations

import msgspec

from underway.guard.baseline import Baseline as Baseline
from underway.guard.baseline import Counts as Counts
from underway.guard.clients import Clients
from underway.guard.errors import SEVERITY_PRIORS
from underway.guard.latency import LATENCY_PRIORS, Block, Reference
from underway.guard.memory import MemoryTrend
from underway.guard.rates import ALARM_PRIORS, EXCESS_PRIORS
from underway.guard.wager import Wager, open_wager


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One answered request. `weight` is the candidate's share of traffic when the request *arrived* (0 for one
    that was sent to the candidate on purpose). `client` tells clients apart, "" when it cannot be told. `route` is the
    page or call that was asked for (`guard.routes`), "" when it cannot be told: times are compared within a route."""

    is_candidate: bool
    weight: float
    failed: bool
    latency_ms: float
    client: str = ""
    is_probe: bool = False
    route: str = ""


class Calm(msgspec.Struct):
    """The stable release over the last half minute or so, to see whether an incident is over."""

    requests: float = 0.0
    failed: float = 0.0
    timed: float = 0.0
    slow: float = 0.0

    def learn(self, seen: Counts) -> None:
        self.requests += seen.stable
        self.failed += seen.stable_failed
        self.timed += seen.stable_timed
        self.slow += seen.stable_slow

    def forget(self, elapsed_s: float, half_life_s: float) -> None:
        keep = 0.5 ** (elapsed_s / half_life_s)
        self.requests *= keep
        self.failed *= keep
        self.timed *= keep
        self.slow *= keep


def limit_wager() -> Wager:
    return open_wager(EXCESS_PRIORS)


def alarm_wager() -> Wager:
    return open_wager(ALARM_PRIORS)


class LimitWatch(msgspec.Struct):
    """The bets that a release is over a limit, since the candidate last got traffic."""

    candidate_errors: Wager = msgspec.field(default_factory=limit_wager)
    candidate_slow: Wager = msgspec.field(default_factory=limit_wager)
    stable_errors: Wager = msgspec.field(default_factory=limit_wager)
    stable_slow: Wager = msgspec.field(default_factory=limit_wager)

    def wagers(self) -> tuple[Wager, Wager, Wager, Wager]:
        return self.candidate_errors, self.candidate_slow, self.stable_errors, self.stable_slow


class Gate(msgspec.Struct):
    """Log strength of the evidence that the rate is below the gate, for errors and for slow requests."""

    errors: float = 0.0
    slow: float = 0.0


class Withdrawal(msgspec.Struct):
    """Taking the candidate out of traffic to see whether the trouble leaves with it."""

    times: int = 0
    """How often it was taken out in this rollout."""
    breaks: int = 0
    """How often in a row a limit broke right after it came back."""
    left_at: float = 0.0
    """When the step was left; the time away does not count for it."""
    withdrawn_at: float | None = None
    returned_at: float | None = None
    """When it came back, or its share was narrowed; it is asked at a small share until the step goes on."""
    requests_since: int = 0
    suspected_at: float | None = None
    """When a limit broke while the comparison already pointed at the candidate: it is asked a little longer."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Health checks failed in a row, on the worst instance of each release, and what the last one said."""

    candidate_in_a_row: int = 0
    stable_in_a_row: int = 0
    said: str = ""


class RouteTimes(msgspec.Struct):
    """One route's part in the comparison of times: how many were compared, the sum of their places on the scale of
    buckets (for a typical time), and what they added to the evidence at most (a logarithm)."""

    candidate: int = 0
    candidate_places: float = 0.0
    stable: int = 0
    stable_places: float = 0.0
    gain: float = 0.0


class Evidence(msgspec.Struct):
    """The state of one rollout. Made by `begin`, changed by `observe`, `tick` and `carried_out`, read by `judge`.

    Its clock counts seconds since the beginning, forward only: a jump of the machine's clock changes nothing.
    """

    weight: float
    step: int
    baseline: Baseline
    gates: list[Gate]
    cold_left: int
    last_now: float
    clock: float = 0.0
    step_at: float = 0.0
    share_at: float = 0.0
    """When the weight was last changed."""
    stakes_due_s: float = 0.0
    pending: Counts = msgspec.field(default_factory=Counts)
    pending_weight: float = 0.0
    total: Counts = msgspec.field(default_factory=Counts)
    at_weights: list[tuple[float, int]] = msgspec.field(default_factory=list)
    """The candidate's requests at each weight, for the statement of what could have been seen."""
    probes: Counts = msgspec.field(default_factory=Counts)
    probe_limit: Wager = msgspec.field(default_factory=limit_wager)
    errors: Wager = msgspec.field(default_factory=lambda: open_wager(SEVERITY_PRIORS))
    alarm: Wager = msgspec.field(default_factory=alarm_wager)
    """That the candidate fails more than the stable release *usually* does. An incident that both share raises it too,
    so it only narrows the candidate's share for a while, where the comparison is sharpest."""
    slower_ask: Wager = msgspec.field(default_factory=lambda: open_wager(LATENCY_PRIORS))
    slower_back: Wager = msgspec.field(default_factory=lambda: open_wager(LATENCY_PRIORS))
    blocks: int = 0
    """Blocks in which the times of both releases were compared."""
    routes: dict[str, RouteTimes] = msgspec.field(default_factory=dict)
    """What each route added to the comparison of times."""
    is_slowness_accepted: bool = False
    """A person was asked whether a little slower is fine, and went on."""
    limits: LimitWatch = msgspec.field(default_factory=LimitWatch)
    credit: float = 0.0
    """Good requests of the stable release that may still count beside the candidate's (see `observe.fold_errors`)."""
    share_candidate: float = 0.0
    share_all: float = 0.0
    """Requests that really reached the candidate, and all, lately at this weight."""
    block: Block | None = None
    candidate_reference: Reference = msgspec.field(default_factory=Reference)
    """The candidate's own times, divided by `slower_ask`, for the quantiles a person reads."""
    slow_from: int = 10_000
    """The bucket of the stable release's 95th percentile: slower answers count once per client."""
    first_candidate_at: float | None = None
    calm: Calm = msgspec.field(default_factory=Calm)
    withdrawal: Withdrawal = msgspec.field(default_factory=Withdrawal)
    failing_clients: Clients = msgspec.field(default_factory=Clients)
    timed_clients: Clients = msgspec.field(default_factory=Clients)
    clients_failed: int = 0
    """Distinct clients among the candidate's counted failures."""
    repeats: int = 0
    """Failures not counted because the same client had shown one shortly before."""
    health: Health = Health()
    memory: MemoryTrend = msgspec.field(default_factory=MemoryTrend)
    memory_left_s: float | None = None
    """Seconds until memory reaches its limit on a lasting slope; None when it does not grow."""
    bins: list[tuple[float, Counts]] = msgspec.field(default_factory=list)
    """Counts over time (beginning of the bin, counts), for the sentence that explains."""
    bin_s: float = 1.0
