"""Counts become evidence: every bet is settled with the requests counted since the last time.

The product is the same as after each request, since each factor depends only on the release and on the outcome while
the weight stands still.
"""

from __future__ import annotations

from underway.guard.baseline import Baseline, Counts
from underway.guard.errors import SEVERITY_PRIORS, error_odds
from underway.guard.evidence import Evidence, RouteTimes
from underway.guard.latency import (
    LATENCY_PRIORS,
    LEAST_REFERENCE,
    MOST_ROUTES,
    Block,
    Part,
    Tilts,
    block_factors,
    bucket,
    capped,
    sum_of,
)
from underway.guard.limits import is_calm
from underway.guard.policy import Policy
from underway.guard.rates import (
    ALARM_EXCESSES,
    ALARM_PRIORS,
    EXCESS_PRIORS,
    EXCESSES,
    SLOW_SHARE,
    effective_limit,
    gates_odds,
    grid,
    over_limit_factors,
)
from underway.guard.wager import Wager, multiply, release_stake, settle

SHARE_BELIEF = 200.0
"""The weight is believed as if so many requests had kept to it."""
SHARE_MEMORY = 2000.0
"""The share that really arrives is remembered over so many requests."""
PASSED = 40.0
"""A gate's log strength is cut here."""
BINS = 240


def is_cold(policy: Policy, state: Evidence) -> bool:
    """The candidate is starting up: caches and pools are empty, so its times do not count yet."""
    first = state.first_candidate_at
    if first is None:
        return True
    since = state.clock - first
    return since < policy.cold_start_at_most_s and (state.cold_left > 0 or since < policy.cold_start_s)


def slow_bucket(baseline: Baseline) -> int:
    reference = baseline.reference
    return bucket(reference.quantile_ms(0.95)) if reference.size >= LEAST_REFERENCE else 10_000


def let_stakes_in(state: Evidence, fraction: float) -> None:
    release_stake(state.errors, SEVERITY_PRIORS, fraction)
    release_stake(state.slower_ask, LATENCY_PRIORS, fraction)
    release_stake(state.slower_back, LATENCY_PRIORS, fraction)
    release_stake(state.alarm, ALARM_PRIORS, fraction)
    for wager in state.limits.wagers():
        release_stake(wager, EXCESS_PRIORS, fraction)


def fold(policy: Policy, state: Evidence) -> None:
    """Settle every bet with the requests counted since the last time."""
    seen, weight = state.pending, state.pending_weight
    if not seen.candidate and not seen.stable:
        return
    error_rate = grid(state.baseline.error_rate)
    if 0 < weight < 1:
        _fold_errors(policy, state, seen, weight, error_rate)
    if weight > 0 and seen.candidate:
        _fold_gates(policy, state, seen, error_rate)
        _count_at(state.at_weights, weight, seen.candidate)
    if state.weight > 0:
        _fold_limits(policy, state, seen, error_rate)
        state.withdrawal.requests_since += seen.candidate + seen.stable
    state.total.add(seen)
    state.baseline.learn(seen, 0.0, is_usual=is_calm(policy, state))
    state.calm.learn(seen)
    _remember_time(state, seen)
    state.pending = Counts()


def _fold_errors(policy: Policy, state: Evidence, seen: Counts, weight: float, error_rate: float) -> None:
    """Settle the comparison of error rates; `error_rate` is the stable release's usual one, on the `grid`.

    Two precautions for traffic that is no independent coin (a client stays with its release, one client may send much):
    if more than the weight really reaches the candidate, that share is used; and a good request of the stable release
    counts only while the candidate got its part, (1−w)/w for each of the candidate's. Leaving such factors out only
    lowers the product, so the bound holds either way.
    """
    share = share_of(state, weight)
    margins = policy.margins
    odds = error_odds(share, error_rate, margins.error_ratio, margins.error_margin)
    _remember_share(state, seen)
    state.credit += (1 - share) / share * seen.candidate
    good = min(float(seen.stable - seen.stable_failed), state.credit)
    state.credit -= good
    if not seen.candidate_failed and not seen.stable_failed:
        answered = seen.candidate
        log_factors = [answered * cg + good * sg for cg, sg in zip(odds.candidate_ok, odds.stable_ok, strict=True)]
    else:
        log_factors = [
            seen.candidate_failed * cf
            + (seen.candidate - seen.candidate_failed) * cg
            + seen.stable_failed * sf
            + good * sg
            for cf, cg, sf, sg in zip(
                odds.candidate_failed, odds.candidate_ok, odds.stable_failed, odds.stable_ok, strict=True
            )
        ]
    settle(state.errors, log_factors)


def share_of(state: Evidence, weight: float) -> float:
    """The candidate's share of traffic to bet with: the weight, or what really arrived when that is clearly more."""
    share = state.share_candidate / state.share_all
    return weight if share < 1.2 * weight else min(float(f"{share:.2g}"), 0.99)


def _remember_share(state: Evidence, seen: Counts) -> None:
    state.share_candidate += seen.candidate
    state.share_all += seen.candidate + seen.stable
    if state.share_all > SHARE_MEMORY:
        state.share_candidate *= SHARE_MEMORY / state.share_all
        state.share_all = SHARE_MEMORY


def _fold_limits(policy: Policy, state: Evidence, seen: Counts, error_rate: float) -> None:
    errors = _rounded(effective_limit(policy.limits.error_rate, state.baseline.error_rate))
    slow = _rounded(effective_limit(SLOW_SHARE, state.baseline.slow_rate))
    watch = state.limits
    _settle(watch.stable_errors, errors, EXCESSES, seen.stable_failed, seen.stable)
    _settle(watch.stable_slow, slow, EXCESSES, seen.stable_slow, seen.stable_timed)
    _settle(watch.candidate_errors, errors, EXCESSES, seen.candidate_failed, seen.candidate)
    if seen.candidate_timed and not is_cold(policy, state):
        _settle(watch.candidate_slow, slow, EXCESSES, seen.candidate_slow, seen.candidate_timed)
    tolerated = policy.margins.error_ratio * error_rate + policy.margins.error_margin
    _settle(state.alarm, tolerated, ALARM_EXCESSES, seen.candidate_failed, seen.candidate)


def _settle(wager: Wager, limit: float, excesses: tuple[float, ...], bad: int, of: int) -> None:
    """Settle the bet that the rate is over `limit` with `of` requests, `bad` of them bad."""
    if of:
        multiply(wager, over_limit_factors(limit, excesses, bad, of - bad))


def _rounded(rate: float) -> float:
    """Up to the next 0.5 %, so that few tables are computed."""
    return min(-(-rate // 0.005) * 0.005, 0.95) if rate > SLOW_SHARE else rate


def fold_gates(policy: Policy, state: Evidence, seen: Counts) -> None:
    """Settle the gates with requests of the candidate alone."""
    _fold_gates(policy, state, seen, grid(state.baseline.error_rate))


def _fold_gates(policy: Policy, state: Evidence, seen: Counts, error_rate: float) -> None:
    failed, slow = seen.candidate_failed, seen.candidate_slow
    answered, fast = seen.candidate - failed, seen.candidate_timed - slow
    gates, number = state.gates, len(state.gates)
    of_errors = gates_odds(policy.gates, number, error_rate)
    of_times = gates_odds(policy.gates, number, grid(state.baseline.slow_rate))
    for gate, (bad, good), (late, in_time) in zip(gates, of_errors, of_times, strict=True):
        errors = gate.errors + failed * bad + answered * good
        gate.errors = errors if errors < PASSED else PASSED
        times = gate.slow + slow * late + fast * in_time
        gate.slow = times if times < PASSED else PASSED


def _remember_time(state: Evidence, seen: Counts) -> None:
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


def _count_at(counts: list[tuple[float, int]], weight: float, more: int) -> None:
    if counts and counts[-1][0] == weight:
        counts[-1] = (weight, counts[-1][1] + more)
        return
    del counts[:-15]
    counts.append((weight, more))


def close_block(policy: Policy, state: Evidence, block: Block) -> None:
    """Settle the latency bets with a finished block, then let the reference learn from it."""
    reference = state.baseline.reference
    span_s = state.clock - block.began_at
    compared = {route: part for route, part in block.parts.items() if part.candidate_back and part.stable}
    if reference.size >= LEAST_REFERENCE and compared and 0 < state.weight < 1:
        state.blocks += 1
        tilts = Tilts(reference)
        asked = [block_factors(part.candidate_ask, part.stable, tilts) for part in compared.values()]
        backed = [block_factors(part.candidate_back, part.stable, tilts) for part in compared.values()]
        settle(state.slower_ask, capped(sum_of(asked), span_s))
        settle(state.slower_back, capped(sum_of(backed), span_s))
        for (route, part), factors in zip(compared.items(), asked, strict=True):
            _remember_route(state, route, part, max(factors))
    stable: dict[int, int] = {}
    candidate: dict[int, int] = {}
    for part in block.parts.values():
        count_into(stable, part.stable)
        count_into(candidate, part.candidate_ask)
    reference.learn(stable, span_s)
    state.candidate_reference.learn(candidate, span_s)
    state.slow_from = slow_bucket(state.baseline)
    state.block = None


def count_into(buckets: dict[int, int], more: dict[int, int]) -> None:
    """Add the counts of `more` to `buckets`."""
    for place, number in more.items():
        buckets[place] = buckets.get(place, 0) + number


def _remember_route(state: Evidence, route: str, part: Part, gain: float) -> None:
    seen = state.routes.get(route)
    if seen is None:
        if len(state.routes) >= MOST_ROUTES:
            return
        seen = state.routes.setdefault(route, RouteTimes())
    seen.candidate += sum(part.candidate_ask.values())
    seen.candidate_places += sum(place * number for place, number in part.candidate_ask.items())
    seen.stable += sum(part.stable.values())
    seen.stable_places += sum(place * number for place, number in part.stable.items())
    seen.gain += gain
