"""Evidence grows: one request at a time, settled at every tick. O(1) for a request; `bench/guard_cost.py`
says how long it takes."""

from __future__ import annotations

import msgspec

from underway.guard.baseline import Baseline, Counts
from underway.guard.evidence import Evidence, Gate, Health, Outcome
from underway.guard.fold import (
    SHARE_BELIEF,
    close_block,
    count_into,
    fold,
    fold_gates,
    is_cold,
    let_stakes_in,
    slow_bucket,
)
from underway.guard.latency import Block, bucket
from underway.guard.limits import note_suspicion
from underway.guard.memory import seconds_to_limit
from underway.guard.policy import Policy
from underway.guard.rates import over_limit_odds
from underway.guard.shares import share_for
from underway.guard.wager import due_fraction, settle

LONGEST_TICK_S = 60.0
"""A longer pause between two ticks (the agent was away, the clock jumped) counts as this."""
TIMED_EACH_S = 10.0
"""One client's times count once in this many seconds: a fast poller would make its release look fast."""
STAKES_EVERY_S = 5.0
"""Held-back stakes enter play this often."""


def begin(policy: Policy, baseline: Baseline, now: float) -> Evidence:
    """The state of a rollout that is about to give the candidate its first share (`.weight`)."""
    state = Evidence(
        weight=0.0,
        step=0,
        baseline=baseline,
        gates=[Gate() for _ in range(len(policy.steps) + 1)],
        cold_left=policy.cold_start_requests,
        last_now=now,
    )
    set_weight(state, share_for(policy, state, 0))
    state.slow_from = slow_bucket(baseline)
    return state


def set_weight(state: Evidence, weight: float) -> None:
    """From now on requests arrive at this weight. A latency block that began at another one is dropped."""
    state.weight = weight
    state.share_at = state.clock
    state.block = None
    state.credit = (1 - weight) / weight if 0 < weight < 1 else 0.0
    state.share_candidate, state.share_all = SHARE_BELIEF * weight, SHARE_BELIEF


def observe(policy: Policy, state: Evidence, outcome: Outcome) -> None:
    """Count one answered request."""
    if outcome.is_probe or (outcome.is_candidate and outcome.weight <= 0):
        _observe_probe(policy, state, outcome)
        return
    if outcome.weight != state.pending_weight:
        fold(policy, state)
        state.pending_weight = outcome.weight
    if outcome.failed:
        _observe_failure(state, outcome)
        return
    if outcome.is_candidate:
        state.pending.candidate += 1
    else:
        state.pending.stable += 1
    if not state.timed_clients.counts(outcome.client, state.clock, TIMED_EACH_S, 0):
        return
    index = bucket(outcome.latency_ms)
    is_slow_one = index >= state.slow_from and outcome.client != ""
    if is_slow_one and not state.failing_clients.counts(outcome.client + "~", state.clock):
        return
    if outcome.is_candidate:
        time_candidate(policy, state, outcome.latency_ms, outcome.route)
    else:
        is_slow = outcome.latency_ms > policy.limits.p95_ms
        state.pending.stable_timed += 1
        state.pending.stable_slow += is_slow
        block = _open_block(state)
        if outcome.weight == state.weight:
            stable = block.part(outcome.route).stable
            stable[index] = stable.get(index, 0) + 1


class Times(msgspec.Struct):
    """Times of many good answers, each of another client: how many, how many beyond the p95 limit, and their
    `latency.bucket`s. The candidate's are divided by `slower_ask`, and once more, by `slower_back`, in `buckets_back`.
    """

    number: int = 0
    slow: int = 0
    buckets: dict[int, int] = msgspec.field(default_factory=dict)
    buckets_back: dict[int, int] = msgspec.field(default_factory=dict)


class Slice(msgspec.Struct):
    """Requests of a short while at one weight, each of another client, in numbers."""

    weight: float
    candidate_ok: int = 0
    candidate_failed: int = 0
    stable_ok: int = 0
    stable_failed: int = 0
    candidate_times: Times | None = None
    stable_times: Times | None = None


def observe_slice(policy: Policy, state: Evidence, seen: Slice) -> None:
    """Count many requests at once: the same as one `observe` for each (a test holds them equal)."""
    if seen.weight != state.pending_weight:
        fold(policy, state)
        state.pending_weight = seen.weight
    pending = state.pending
    pending.candidate += seen.candidate_ok + seen.candidate_failed
    pending.candidate_failed += seen.candidate_failed
    pending.stable += seen.stable_ok + seen.stable_failed
    pending.stable_failed += seen.stable_failed
    state.clients_failed += seen.candidate_failed
    if state.first_candidate_at is None and (seen.candidate_failed or seen.candidate_ok):
        state.first_candidate_at = state.clock
    counts_here = seen.weight == state.weight
    if seen.stable_times is not None:
        pending.stable_timed += seen.stable_times.number
        pending.stable_slow += seen.stable_times.slow
        block = _open_block(state)
        if counts_here:
            count_into(block.part("").stable, seen.stable_times.buckets)
    if seen.candidate_times is not None:
        pending.candidate_timed += seen.candidate_times.number
        pending.candidate_slow += seen.candidate_times.slow
        if is_cold(policy, state):
            state.cold_left -= seen.candidate_times.number
        elif counts_here:
            part = _open_block(state).part("")
            count_into(part.candidate_ask, seen.candidate_times.buckets)
            if seen.weight < 1:
                count_into(part.candidate_back, seen.candidate_times.buckets_back)


def _open_block(state: Evidence) -> Block:
    if state.block is None:
        state.block = Block(began_at=state.clock)
    return state.block


def time_candidate(policy: Policy, state: Evidence, latency_ms: float, route: str = "") -> None:
    """Count one time of the candidate, at both tolerances. While it is cold its times count for the gate only."""
    state.pending.candidate_timed += 1
    state.pending.candidate_slow += latency_ms > policy.limits.p95_ms
    if state.first_candidate_at is None:
        state.first_candidate_at = state.clock
    if is_cold(policy, state):
        state.cold_left -= 1
    elif state.pending_weight == state.weight:
        part = _open_block(state).part(route)
        ask, back = part.candidate_ask, part.candidate_back
        index = bucket(latency_ms, policy.margins.slower_ask)
        ask[index] = ask.get(index, 0) + 1
        if state.weight < 1:
            index = bucket(latency_ms, policy.slower_back)
            back[index] = back.get(index, 0) + 1


def _observe_failure(state: Evidence, outcome: Outcome) -> None:
    key = outcome.client + "!" if outcome.client else ""
    is_new = state.failing_clients.is_new(key)
    if not state.failing_clients.counts(key, state.clock):
        state.repeats += 1
        return
    if outcome.is_candidate:
        state.clients_failed += is_new
        state.pending.candidate += 1
        state.pending.candidate_failed += 1
        if state.first_candidate_at is None:
            state.first_candidate_at = state.clock
    else:
        state.pending.stable += 1
        state.pending.stable_failed += 1


def _observe_probe(policy: Policy, state: Evidence, outcome: Outcome) -> None:
    """Probes, and people sent to the candidate on purpose, have evidence of their own."""
    if outcome.is_candidate:
        if policy.probes_may_promote:
            is_slow = outcome.latency_ms > policy.limits.p95_ms
            fold_gates(
                policy,
                state,
                Counts(candidate=1, candidate_failed=outcome.failed, candidate_timed=1, candidate_slow=is_slow),
            )
        state.probes.candidate += 1
        state.probes.candidate_failed += outcome.failed
        bad, good = over_limit_odds(policy.limits.error_rate)
        settle(state.probe_limit, bad if outcome.failed else good)
    else:
        state.probes.stable += 1
        state.probes.stable_failed += outcome.failed


def tick(
    policy: Policy, state: Evidence, now: float, health: Health | None = None, memory_bytes: float | None = None
) -> None:
    """Let time pass until `now` (seconds, any epoch) and settle what was counted. Call it about once a second, and
    whenever the candidate failed. `memory_bytes` is the candidate's largest instance."""
    elapsed_s = min(max(now - state.last_now, 0.0), LONGEST_TICK_S)
    state.last_now = now
    fold(policy, state)
    state.clock += elapsed_s
    if state.weight > 0:
        state.stakes_due_s += elapsed_s
        if state.stakes_due_s >= STAKES_EVERY_S:
            let_stakes_in(state, due_fraction(state.stakes_due_s))
            state.stakes_due_s = 0.0
    state.baseline.forget(elapsed_s)
    state.calm.forget(elapsed_s, max(15.0, 10 / max(state.baseline.per_s, 0.05)))
    if state.block is not None and state.block.is_due(state.clock):
        close_block(policy, state, state.block)
    if health is not None:
        state.health = health
    if memory_bytes is not None:
        state.memory.add(state.clock, memory_bytes)
        state.memory_left_s = seconds_to_limit(state.memory, policy.limits.memory_bytes)
    note_suspicion(policy, state)
