"""Evidence grows: one request at a time, folded at every tick. O(1) for a request, a few µs.

Between two ticks requests are only counted; the bets are settled from the counts, which gives the same product, since
each factor depends only on the release and on the outcome while the weight stands still.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from underway.guard.errors import SEVERITY_PRIORS, ErrorOdds, error_odds
from underway.guard.evidence import Baseline, Counts, Evidence, Gate, Health, Outcome
from underway.guard.latency import (
    BUCKETS,
    LATENCY_PRIORS,
    LEAST_REFERENCE,
    Block,
    Tilts,
    block_factors,
    bucket,
    capped,
    position,
    position_shift,
)
from underway.guard.limits import is_calm, note_suspicion
from underway.guard.memory import seconds_to_limit
from underway.guard.policy import Policy
from underway.guard.rates import (
    EXCESS_PRIORS,
    SLOW_SHARE,
    effective_limit,
    gate_odds,
    grid,
    over_limit_odds,
    settle_counts,
)
from underway.guard.shares import share_for
from underway.guard.wager import Wager, due_fraction, release_stake, settle

LONGEST_TICK_S = 60.0
"""A longer pause between two ticks (the agent was away, the clock jumped) counts as this."""
TIMED_EACH_S = 10.0
"""One client's times count once in this many seconds: a fast poller would make its release look fast."""
BINS = 240
STAKES_EVERY_S = 5.0
"""Held-back stakes enter play this often."""
SHARE_BELIEF = 200.0
SHARE_MEMORY = 2000.0
PASSED = 40.0
"""A gate's log strength is cut here."""


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
    state.block = None
    state.credit = (1 - weight) / weight if 0 < weight < 1 else 0.0
    state.share_candidate, state.share_all = SHARE_BELIEF * weight, SHARE_BELIEF


def slow_bucket(baseline: Baseline) -> int:
    reference = baseline.reference
    return bucket(reference.quantile_ms(0.95)) if reference.size >= LEAST_REFERENCE else 10_000


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
        time_candidate(policy, state, outcome.latency_ms)
    else:
        is_slow = outcome.latency_ms > policy.limits.p95_ms
        state.pending.stable_timed += 1
        state.pending.stable_slow += is_slow
        if state.block is None:
            state.block = Block(began_at=state.clock)
        if outcome.weight == state.weight:
            block = state.block.stable
            block[index] = block.get(index, 0) + 1


class Slice(msgspec.Struct):
    """Requests of a short while at one weight, each of another client; times as `latency.position`s."""

    weight: float
    candidate_failed: int = 0
    stable_failed: int = 0
    candidate_times: list[float] = msgspec.field(default_factory=list)
    stable_times: list[float] = msgspec.field(default_factory=list)


def observe_slice(policy: Policy, state: Evidence, seen: Slice) -> None:
    """Count many requests at once: the same as one `observe` for each (a test holds them equal)."""
    if seen.weight != state.pending_weight:
        fold(policy, state)
        state.pending_weight = seen.weight
    pending = state.pending
    pending.candidate += seen.candidate_failed + len(seen.candidate_times)
    pending.candidate_failed += seen.candidate_failed
    pending.stable += seen.stable_failed + len(seen.stable_times)
    pending.stable_failed += seen.stable_failed
    state.clients_failed += seen.candidate_failed
    if state.first_candidate_at is None and (seen.candidate_failed or seen.candidate_times):
        state.first_candidate_at = state.clock
    limit = position(policy.limits.p95_ms)
    if state.block is None:
        state.block = Block(began_at=state.clock)
    block, counts_here = state.block, seen.weight == state.weight
    if seen.stable_times:
        pending.stable_timed += len(seen.stable_times)
        pending.stable_slow += _beyond(limit, seen.stable_times)
        if counts_here:
            _count_into(block.stable, seen.stable_times, 0.0)
    if seen.candidate_times:
        pending.candidate_timed += len(seen.candidate_times)
        pending.candidate_slow += _beyond(limit, seen.candidate_times)
        times = seen.candidate_times
        if is_cold(policy, state):
            state.cold_left -= len(times)
            times = []
        if times and counts_here:
            _count_into(block.candidate_ask, times, position_shift(policy.margins.slower_ask))
            if seen.weight < 1:
                _count_into(block.candidate_back, times, position_shift(policy.slower_back))


def _beyond(limit: float, times: list[float]) -> int:
    return sum(at > limit for at in times) if max(times) > limit else 0


def _count_into(buckets: dict[int, int], times: list[float], shift: float) -> None:
    for place, number in Counter([int(at - shift) for at in times]).items():
        index = 0 if place < 0 else BUCKETS - 1 if place >= BUCKETS else place
        buckets[index] = buckets.get(index, 0) + number


def time_candidate(policy: Policy, state: Evidence, latency_ms: float) -> None:
    """Count one time of the candidate, at both tolerances. While it is cold its times count for the gate only."""
    state.pending.candidate_timed += 1
    state.pending.candidate_slow += latency_ms > policy.limits.p95_ms
    if state.first_candidate_at is None:
        state.first_candidate_at = state.clock
    if is_cold(policy, state):
        state.cold_left -= 1
    elif state.pending_weight == state.weight:
        if state.block is None:
            state.block = Block(began_at=state.clock)
        ask, back = state.block.candidate_ask, state.block.candidate_back
        index = bucket(latency_ms, policy.margins.slower_ask)
        ask[index] = ask.get(index, 0) + 1
        if state.weight < 1:
            index = bucket(latency_ms, policy.slower_back)
            back[index] = back.get(index, 0) + 1


def is_cold(policy: Policy, state: Evidence) -> bool:
    """The candidate is starting up: caches and pools are empty, so its times do not count yet."""
    first = state.first_candidate_at
    if first is None:
        return True
    since = state.clock - first
    return since < policy.cold_start_at_most_s and (state.cold_left > 0 or since < policy.cold_start_s)


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
            _fold_gates(
                policy,
                state,
                Counts(candidate=1, candidate_failed=outcome.failed, candidate_timed=1, candidate_slow=is_slow),
            )
        state.probes.candidate += 1
        state.probes.candidate_failed += outcome.failed
        bad, good = over_limit_odds(SLOW_SHARE)
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
            _let_stakes_in(state, due_fraction(state.stakes_due_s))
            state.stakes_due_s = 0.0
    state.baseline.learn(Counts(), elapsed_s)
    state.calm.learn(Counts(), elapsed_s, max(15.0, 10 / max(state.baseline.per_s, 0.05)))
    if state.block is not None and state.block.is_due(state.clock):
        close_block(policy, state, state.block)
    if health is not None:
        state.health = health
    if memory_bytes is not None:
        state.memory.add(state.clock, memory_bytes)
        state.memory_left_s = seconds_to_limit(state.memory, policy.limits.memory_bytes)
    note_suspicion(policy, state)


def _let_stakes_in(state: Evidence, fraction: float) -> None:
    release_stake(state.errors, SEVERITY_PRIORS, fraction)
    release_stake(state.slower_ask, LATENCY_PRIORS, fraction)
    release_stake(state.slower_back, LATENCY_PRIORS, fraction)
    for wager in (*state.limits.wagers(), state.alarm):
        release_stake(wager, EXCESS_PRIORS, fraction)


def fold(policy: Policy, state: Evidence) -> None:
    """Settle every bet with the requests counted since the last time."""
    seen, weight = state.pending, state.pending_weight
    if not seen.candidate and not seen.stable:
        return
    if 0 < weight < 1:
        fold_errors(policy, state, seen, weight)
    if weight > 0 and seen.candidate:
        _fold_gates(policy, state, seen)
        state.at_weights = _count_at(state.at_weights, weight, seen.candidate)
    if state.weight > 0:
        _fold_limits(policy, state, seen)
        state.withdrawal.requests_since += seen.candidate + seen.stable
    state.total.add(seen)
    state.baseline.learn(seen, 0.0, is_usual=is_calm(policy, state))
    state.calm.learn(seen, 0.0, 1.0)
    _fold_bins(state, seen)
    state.pending = Counts()


def fold_errors(policy: Policy, state: Evidence, seen: Counts, weight: float) -> None:
    """Settle the comparison of error rates.

    Two precautions for traffic that is no independent coin (a client stays with its release, one client may send much):
    if more than the weight really reaches the candidate, that share is used; and a good request of the stable release
    counts only while the candidate got its part, (1−w)/w for each of the candidate's. Leaving such factors out only
    lowers the product, so the bound holds either way.
    """
    state.share_candidate += seen.candidate
    state.share_all += seen.candidate + seen.stable
    odds = _odds(policy, state, weight)
    if state.share_all > SHARE_MEMORY:
        keep = SHARE_MEMORY / state.share_all
        state.share_candidate *= keep
        state.share_all *= keep
    part = (1 - weight) / weight
    state.credit += part * seen.candidate
    good = min(float(seen.stable - seen.stable_failed), state.credit)
    state.credit -= good
    settle(
        state.errors,
        [
            seen.candidate_failed * cf
            + (seen.candidate - seen.candidate_failed) * cg
            + seen.stable_failed * sf
            + good * sg
            for cf, cg, sf, sg in zip(
                odds.candidate_failed, odds.candidate_ok, odds.stable_failed, odds.stable_ok, strict=True
            )
        ],
    )


def _odds(policy: Policy, state: Evidence, weight: float) -> ErrorOdds:
    share = state.share_candidate / state.share_all
    used = weight if share < 1.2 * weight else min(round(share, 2), 0.99)
    margins = policy.margins
    return error_odds(used, grid(state.baseline.error_rate), margins.error_ratio, margins.error_margin)


def _fold_limits(policy: Policy, state: Evidence, seen: Counts) -> None:
    errors = over_limit_odds(_rounded(effective_limit(policy.limits.error_rate, state.baseline.error_rate)))
    slow = over_limit_odds(_rounded(effective_limit(SLOW_SHARE, state.baseline.slow_rate)))
    watch = state.limits
    _settle_if_any(watch.candidate_errors, errors, seen.candidate_failed, seen.candidate)
    _settle_if_any(watch.stable_errors, errors, seen.stable_failed, seen.stable)
    if not is_cold(policy, state):
        _settle_if_any(watch.candidate_slow, slow, seen.candidate_slow, seen.candidate_timed)
    usual = error_margin_over(policy, state)
    _settle_if_any(state.alarm, over_limit_odds(usual), seen.candidate_failed, seen.candidate)
    _settle_if_any(watch.stable_slow, slow, seen.stable_slow, seen.stable_timed)


def error_margin_over(policy: Policy, state: Evidence) -> float:
    """The rate that is still tolerated over what the stable release *usually* fails."""
    return policy.margins.error_ratio * grid(state.baseline.error_rate) + policy.margins.error_margin


def _settle_if_any(wager: Wager, odds: tuple[tuple[float, ...], tuple[float, ...]], bad: int, of: int) -> None:
    if of:
        settle(wager, settle_counts(odds, bad, of - bad))


def _rounded(rate: float) -> float:
    """Up to the next 0.5 %, so that few tables are computed."""
    return min(-(-rate // 0.005) * 0.005, 0.95) if rate > SLOW_SHARE else rate


def _fold_gates(policy: Policy, state: Evidence, seen: Counts) -> None:
    error_rate, slow_rate = grid(state.baseline.error_rate), grid(state.baseline.slow_rate)
    answered, fast = seen.candidate - seen.candidate_failed, seen.candidate_timed - seen.candidate_slow
    for step, gate in enumerate(state.gates):
        bad, good = gate_odds(policy.gate(step), error_rate)
        gate.errors = min(gate.errors + seen.candidate_failed * bad + answered * good, PASSED)
        bad, good = gate_odds(policy.gate(step), slow_rate)
        gate.slow = min(gate.slow + seen.candidate_slow * bad + fast * good, PASSED)


def _fold_bins(state: Evidence, seen: Counts) -> None:
    began = state.clock - state.clock % state.bin_s
    if state.bins and state.bins[-1][0] >= began:
        state.bins[-1][1].add(seen)
        return
    state.bins.append((began, seen))
    if len(state.bins) > BINS:
        state.bin_s *= 2
        merged: list[tuple[float, Counts]] = []
        for at, counts in state.bins:
            at -= at % state.bin_s
            if merged and merged[-1][0] == at:
                merged[-1][1].add(counts)
            else:
                merged.append((at, counts))
        state.bins = merged


def _count_at(counts: list[tuple[float, int]], weight: float, more: int) -> list[tuple[float, int]]:
    if counts and counts[-1][0] == weight:
        return [*counts[:-1], (weight, counts[-1][1] + more)]
    return [*counts[-15:], (weight, more)]


def close_block(policy: Policy, state: Evidence, block: Block) -> None:
    """Settle the latency bets with a finished block, then let the reference learn from it."""
    reference = state.baseline.reference
    span_s = state.clock - block.began_at
    if reference.size >= LEAST_REFERENCE and block.candidate_back and block.stable and 0 < state.weight < 1:
        tilts = Tilts(reference)
        for wager, candidate in (
            (state.slower_ask, block.candidate_ask),
            (state.slower_back, block.candidate_back),
        ):
            settle(wager, capped(block_factors(candidate, block.stable, tilts), span_s))
    reference.learn(block.stable, span_s)
    state.candidate_reference.learn(block.candidate_ask, span_s)
    state.slow_from = slow_bucket(state.baseline)
    state.block = None
