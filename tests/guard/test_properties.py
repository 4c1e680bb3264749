"""What must hold for any traffic whatsoever."""

from __future__ import annotations

from collections import Counter
from math import isfinite
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.guard.scenes import at_weight, failed, feed, known, ok

from underway.guard.evidence import Counts, Evidence, Outcome
from underway.guard.judge import carried_out, judge
from underway.guard.latency import bucket
from underway.guard.observe import Slice, Times, begin, observe, observe_slice, set_weight, tick
from underway.guard.policy import Policy
from underway.terms.verdict import Action

POLICY = Policy(cold_start_requests=0, cold_start_s=0.0)

outcomes = st.lists(
    st.builds(
        lambda mine, bad, ms: Outcome(is_candidate=mine, weight=0.5, failed=bad, latency_ms=ms),
        st.booleans(),
        st.booleans(),
        st.floats(0.01, 100_000),
    ),
    max_size=40,
)


def strengths(state: Evidence) -> list[float]:
    return [strength.value for strength in judge(POLICY, state).strengths]


@settings(max_examples=60, deadline=None)
@given(st.lists(outcomes, min_size=1, max_size=25))
def test_the_evidence_never_accuses_both_ways(seconds: list[list[Outcome]]) -> None:
    one, other = at_weight(POLICY, 0.5), at_weight(POLICY, 0.5)
    for second in seconds:
        feed(POLICY, one, second)
        feed(POLICY, other, [msgspec.structs.replace(o, is_candidate=not o.is_candidate) for o in second])
    assert min(one.errors.strength, other.errors.strength) < 1 / POLICY.error_alpha
    assert min(one.slower_back.strength, other.slower_back.strength) < 1 / POLICY.latency_alpha


@settings(max_examples=60, deadline=None)
@given(st.lists(outcomes, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_within_a_look_does_not_matter(seconds: list[list[Outcome]], chance: Random) -> None:
    one, other = at_weight(POLICY, 0.5), at_weight(POLICY, 0.5)
    for second in seconds:
        feed(POLICY, one, second)
        feed(POLICY, other, chance.sample(second, len(second)))
    assert strengths(one) == pytest.approx(strengths(other))
    assert one.total == other.total


@settings(max_examples=60, deadline=None)
@given(st.lists(outcomes, min_size=1, max_size=8), st.sampled_from([0.05, 0.5, 1.0]), st.sampled_from([0, 5]))
def test_a_slice_counts_as_its_requests_one_by_one(
    seconds: list[list[Outcome]], weight: float, cold_requests: int
) -> None:
    policy = Policy(cold_start_requests=cold_requests, cold_start_s=0.0)
    one, other = at_weight(policy, weight), at_weight(policy, weight)
    one.cold_left = other.cold_left = cold_requests
    for second in seconds:
        sent = [msgspec.structs.replace(outcome, weight=weight) for outcome in second]
        if cold_requests and one.cold_left > 0:  # one by one it warms up within a look, at once it does after it
            sent = [outcome for outcome in sent if outcome.failed or not outcome.is_candidate]
            sent += [ok(True, weight, 60.0)] * max(one.cold_left, 0)
        feed(policy, one, sent)
        good = [o for o in sent if not o.failed]
        mine, theirs = [o for o in good if o.is_candidate], [o for o in good if not o.is_candidate]
        observe_slice(
            policy,
            other,
            Slice(
                weight,
                candidate_ok=len(mine),
                candidate_failed=sum(o.failed and o.is_candidate for o in sent),
                stable_ok=len(theirs),
                stable_failed=sum(o.failed and not o.is_candidate for o in sent),
                candidate_times=times_of(policy, mine) if mine else None,
                stable_times=times_of(policy, theirs) if theirs else None,
            ),
        )
        tick(policy, other, other.last_now + 1)
    assert strengths(one) == pytest.approx(strengths(other))
    assert (one.total, one.clients_failed, one.cold_left) == (other.total, other.clients_failed, other.cold_left)
    assert one.block == other.block


def times_of(policy: Policy, seen: list[Outcome]) -> Times:
    tolerance = policy.margins.slower_ask if seen[0].is_candidate else 1.0
    return Times(
        number=len(seen),
        slow=sum(o.latency_ms > policy.limits.p95_ms for o in seen),
        buckets=Counter(bucket(o.latency_ms, tolerance) for o in seen),
        buckets_back=Counter(bucket(o.latency_ms, policy.slower_back) for o in seen),
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(outcomes, st.floats(-1e9, 1e9)), min_size=1, max_size=15))
def test_a_clock_that_jumps_neither_promotes_nor_accuses(seconds: list[tuple[list[Outcome], float]]) -> None:
    state = at_weight(POLICY, 0.5)
    for second, now in seconds:
        before = state.clock
        for outcome in second:
            observe(POLICY, state, outcome)
        tick(POLICY, state, now)
        assert 0 <= state.clock - before <= 60.001
    assert state.clock <= 60.001 * len(seconds)


@settings(max_examples=40, deadline=None)
@given(st.lists(outcomes, min_size=1, max_size=10), st.integers(0, 9))
def test_an_agent_that_restarts_goes_on_with_the_same_evidence(seconds: list[list[Outcome]], at: int) -> None:
    steady, restarted = at_weight(POLICY, 0.5), at_weight(POLICY, 0.5)
    for number, second in enumerate(seconds):
        if number == at:
            for outcome in second[: len(second) // 2]:
                observe(POLICY, restarted, outcome)
            restarted = msgspec.json.decode(msgspec.json.encode(restarted), type=Evidence)
            feed(POLICY, restarted, second[len(second) // 2 :])
        else:
            feed(POLICY, restarted, second)
        feed(POLICY, steady, second)
    assert restarted == steady
    assert judge(POLICY, restarted) == judge(POLICY, steady)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_without_a_comparison_nothing_is_compared(weight: float) -> None:
    state = at_weight(POLICY, weight)
    before = state.errors.stakes, state.slower_back.stakes
    for _ in range(60):
        requests = [ok(weight == 1.0, weight) for _ in range(20)]
        for outcome in requests:
            observe(POLICY, state, outcome)
    assert (state.errors.stakes, state.slower_back.stakes) == before
    assert judge(POLICY, state).action is Action.WAIT


def test_when_everything_fails_everywhere_nobody_is_blamed() -> None:
    state = begin(POLICY, known(), 0.0)
    chance = Random(3)
    for _ in range(1200):
        weight = state.weight
        feed(POLICY, state, [failed(chance.random() < weight, weight) for _ in range(20)])
        verdict = judge(POLICY, state)
        assert verdict.action is not Action.ROLL_BACK
        carried_out(POLICY, state, verdict)
    assert state.weight == 0.0


def test_a_thousand_million_requests_overflow_nothing() -> None:
    state = at_weight(POLICY, 0.5)
    for failing in (0, 10**6, 10**8):
        for _ in range(5):
            state.pending_weight = 0.5
            state.pending.add(
                Counts(
                    candidate=10**8,
                    candidate_failed=failing,
                    candidate_timed=10**8 - failing,
                    stable=10**8,
                    stable_timed=10**8,
                )
            )
            state.clients_failed += failing
            tick(POLICY, state, state.last_now + 1)
            assert all(isfinite(value) for value in strengths(state))
    assert judge(POLICY, state).action is Action.ROLL_BACK
    assert len(msgspec.json.encode(state)) < 100_000


numbers = st.integers(0, 10**9)
slices = st.lists(
    st.builds(
        lambda weight, ok, bad, theirs, their_bad: Slice(
            weight,
            candidate_ok=ok if weight > 0 else 0,
            candidate_failed=bad if weight > 0 else 0,
            stable_ok=theirs if weight < 1 else 0,
            stable_failed=their_bad if weight < 1 else 0,
            candidate_times=Times(number=ok, buckets={120: ok}, buckets_back={118: ok}) if weight > 0 and ok else None,
            stable_times=Times(number=theirs, buckets={121: theirs}) if weight < 1 and theirs else None,
        ),
        st.sampled_from([0.0, 0.001, 0.05, 0.5, 0.999, 1.0]),
        numbers,
        numbers,
        numbers,
        numbers,
    ),
    max_size=12,
)


@settings(max_examples=80, deadline=None)
@given(slices, st.integers(0, 11), st.sampled_from([0.0, 0.3, 1.0, 59.0, -5.0, 1e9]))
def test_any_traffic_gives_finite_evidence_and_survives_the_agents_end(
    seen: list[Slice], at: int, seconds: float
) -> None:
    """No requests, only failures, 10⁹ of them in a look, weights of 0 and 1, a clock that stands still or jumps."""
    steady, restarted = begin(POLICY, known(), 0.0), begin(POLICY, known(), 0.0)
    for number, part in enumerate(seen):
        for state in (steady, restarted):
            set_weight(state, part.weight)
            observe_slice(POLICY, state, part)
        if number == at:
            restarted = msgspec.json.decode(msgspec.json.encode(restarted), type=Evidence)
        for state in (steady, restarted):
            tick(POLICY, state, state.last_now + seconds)
            verdict = judge(POLICY, state)
            assert all(isfinite(value) and value >= 0 for value in strengths(state))
            carried_out(POLICY, state, verdict)
            assert 0 <= state.weight <= 1
        assert judge(POLICY, steady) == judge(POLICY, restarted)
    assert steady == restarted
    assert len(msgspec.json.encode(steady)) < 100_000


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 10**6)] * 4), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_evidence_merged_in_another_order_is_the_same(counts: list[tuple[int, int, int, int]], chance: Random) -> None:
    one, other = at_weight(POLICY, 0.5), at_weight(POLICY, 0.5)
    for state, parts in ((one, counts), (other, chance.sample(counts, len(counts)))):
        for part in parts:
            observe_slice(POLICY, state, Slice(0.5, *part))
        tick(POLICY, state, 1.0)
    assert strengths(one) == pytest.approx(strengths(other))
    assert (one.total, one.clients_failed) == (other.total, other.clients_failed)


@settings(max_examples=60, deadline=None)
@given(st.lists(outcomes, min_size=1, max_size=8), st.integers(1, 4))
def test_looking_more_often_loses_nothing_and_counts_nothing_twice(seconds: list[list[Outcome]], parts: int) -> None:
    one, other = at_weight(POLICY, 0.5), at_weight(POLICY, 0.5)
    for second in seconds:
        feed(POLICY, one, second)
        for start in range(parts):
            for outcome in second[start::parts]:
                observe(POLICY, other, outcome)
            if start < parts - 1:
                tick(POLICY, other, other.last_now)
        tick(POLICY, other, other.last_now + 1)
    assert (one.total, one.block, one.clients_failed) == (other.total, other.block, other.clients_failed)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_a_clock_that_jumps_back_and_forward_changes_no_count(jumps: list[float]) -> None:
    steady, jumping = at_weight(POLICY, 0.5), at_weight(POLICY, 0.5)
    for jump in jumps:
        for state in (steady, jumping):
            observe(POLICY, state, ok(True, 0.5))
            observe(POLICY, state, failed(False, 0.5))
        tick(POLICY, steady, steady.last_now)
        tick(POLICY, jumping, jumping.last_now + jump)
        tick(POLICY, jumping, jumping.last_now - jump)
    assert steady.total == jumping.total
    assert 0 <= jumping.clock <= 60.001 * len(jumps)
    assert judge(POLICY, jumping).action is not Action.ROLL_BACK


@pytest.mark.parametrize("swapped", [False, True])
def test_swapping_the_names_swaps_the_blame(swapped: bool) -> None:
    """Whoever fails is blamed, whichever of the two is called the candidate; the other one never is."""
    state, chance = at_weight(POLICY, 0.5), Random(5)
    for _ in range(120):
        sent = []
        for _ in range(20):
            is_worse = chance.random() < 0.5
            bad = chance.random() < (0.2 if is_worse else 0.001)
            sent.append((failed if bad else ok)(is_worse != swapped, 0.5))
        feed(POLICY, state, sent)
    assert (state.errors.strength >= 1 / POLICY.error_alpha) is not swapped
    if swapped:
        assert state.errors.strength < 0.01
