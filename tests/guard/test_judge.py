"""What the guard does, and what it says, in the situations a user meets."""

from __future__ import annotations

import pytest
from tests.guard.scenes import Rehearsal, at_weight, failed, feed, known, ok

from underway.guard.decide import Decision, Reason
from underway.guard.evidence import Health
from underway.guard.judge import judge
from underway.guard.observe import begin, observe, tick
from underway.guard.policy import Policy, WhenQuiet
from underway.guard.words import because
from underway.terms.verdict import Action

POLICY = Policy()


def test_a_healthy_release_walks_the_steps_and_is_told_what_would_have_been_noticed() -> None:
    rollout = Rehearsal(Policy(bake_s=60.0), rps=20)
    verdict = rollout.run(600, candidate=0.001, stable=0.001, until=Action.CONTINUE)
    assert verdict.action is Action.CONTINUE
    weights = [said.weight for said in rollout.said if said.action is Action.ADVANCE]
    assert weights == [0.25, 0.5, 1.0]
    assert "would have been noticed with 95 % probability" in verdict.because
    assert 355 <= rollout.state.clock <= 365


def test_a_crash_is_taken_back_after_three_to_five_failures() -> None:
    for seed in range(10):
        rollout = Rehearsal(POLICY, rps=5, seed=seed)
        verdict = rollout.run(120, candidate=1.0, stable=0.001, until=Action.ROLL_BACK)
        assert verdict.action is Action.ROLL_BACK
        assert verdict.rule == "more-errors"
        assert 3 <= rollout.state.total.candidate_failed <= 5


def test_the_sentence_counts_both_releases_in_the_same_time() -> None:
    state = at_weight(POLICY, 0.05)
    feed(POLICY, state, [ok(False, 0.05)] * 600 + [ok(True, 0.05)] * 31, seconds=30.0)
    feed(POLICY, state, [failed(True, 0.05)] * 7 + [failed(False, 0.05)] + [ok(False, 0.05)] * 300, seconds=7.0)
    verdict = judge(POLICY, state, "01KF", "01KA")
    assert verdict.action is Action.ROLL_BACK
    assert "7 of 7 requests failed on 01KF, 1 of 301 on 01KA in the same" in verdict.because
    assert verdict.because.endswith("a healthy release would look this bad less than once in 200 rollouts")


def test_two_failures_do_nothing() -> None:
    state = at_weight(POLICY, 0.05)
    feed(POLICY, state, [failed(True, 0.05)] * 2 + [ok(False, 0.05)] * 40)
    assert judge(POLICY, state).action is Action.WAIT


def test_a_slow_release_is_taken_back_and_a_little_slower_one_is_shown_to_a_person() -> None:
    rollout = Rehearsal(POLICY, rps=40)
    verdict = rollout.run(300, slower=2.0, until=Action.ROLL_BACK)
    assert (verdict.action, verdict.rule) == (Action.ROLL_BACK, "slower")
    assert "p95" in verdict.because
    rollout = Rehearsal(POLICY, rps=60)
    verdict = rollout.run(600, slower=1.2, until=Action.INCONCLUSIVE)
    assert (verdict.action, verdict.rule) == (Action.INCONCLUSIVE, "a-little-slower")


def test_a_shared_incident_withdraws_the_release_and_brings_it_back() -> None:
    rollout = Rehearsal(POLICY, rps=20)
    rollout.run(150, candidate=0.001, stable=0.001)
    rollout.run(40, candidate=0.5, stable=0.5)
    assert rollout.state.weight == 0.0
    rollout.run(600, candidate=0.001, stable=0.001)
    assert rollout.rules[-1] in ("baking", "step-young")
    order = [rule for rule in rollout.rules if rule in ("withdraw", "come-back", "resume")]
    assert order == ["withdraw", "come-back", "resume"]


def test_a_release_that_breaks_both_is_taken_back_when_it_did_so_each_time_it_came() -> None:
    rollout = Rehearsal(POLICY, rps=20)
    verdict = rollout.run(1)
    for _ in range(900):
        sick = 0.4 if rollout.state.weight > 0 else 0.001
        verdict = rollout.run(1, candidate=sick, stable=sick)
        if verdict.action is Action.ROLL_BACK:
            break
    assert verdict.rule == "breaks-both"
    assert rollout.rules.count("withdraw") == 3
    assert "recovered each time without it" in verdict.because


def test_a_fault_at_full_traffic_is_found_at_a_small_share() -> None:
    rollout = Rehearsal(Policy(steps=()), rps=20)
    assert rollout.state.weight == 1.0
    rollout.run(100, candidate=0.001)
    verdict = rollout.run(300, candidate=0.3, stable=0.001, until=Action.ROLL_BACK)
    assert verdict.action is Action.ROLL_BACK
    assert rollout.rules[-1] == "more-errors"


def test_one_looping_client_takes_nothing_back() -> None:
    state = at_weight(POLICY, 0.25)
    for _ in range(300):
        feed(
            POLICY,
            state,
            [failed(True, 0.25, client="sick") for _ in range(5)]
            + [ok(True, 0.25, client=f"c{n}") for n in range(2)]
            + [ok(False, 0.25, client=f"s{n}") for n in range(6)],
        )
        assert judge(POLICY, state).action is not Action.ROLL_BACK
    assert state.clients_failed == 1
    assert any(
        "further failures came from clients that had already failed" in line for line in judge(POLICY, state).evidence
    )


def test_without_traffic_nothing_advances_silently() -> None:
    for when_quiet, action in (
        (WhenQuiet.WAIT, Action.INCONCLUSIVE),
        (WhenQuiet.PROBE, Action.INCONCLUSIVE),
        (WhenQuiet.ADVANCE, Action.ADVANCE),
    ):
        policy = Policy(when_quiet=when_quiet)
        state = begin(policy, known(requests=30), 0.0)
        for second in range(1, 1801, 30):
            tick(policy, state, float(second))
            assert judge(policy, state).action in (Action.WAIT, action)
        tick(policy, state, state.last_now + 31)
        verdict = judge(policy, state)
        assert verdict.action is action
        assert "not enough traffic" in verdict.because


def test_a_waiting_verdict_says_how_many_requests_and_how_long() -> None:
    state = begin(POLICY, known(requests=300), 0.0)
    for second in range(1, 120):
        if second % 20 == 0:
            observe(POLICY, state, ok(True, state.weight))
        tick(POLICY, state, float(second))
    verdict = judge(POLICY, state)
    assert verdict.rule == "needs-requests"
    assert verdict.waiting_for.split(" at this pace: ")[0].endswith("more requests")
    assert verdict.waiting_for[-3:] in ("min", " s") or verdict.waiting_for.endswith("s")


def test_too_little_traffic_is_told_with_the_bound() -> None:
    state = begin(POLICY, known(requests=30), 0.0)
    for second in range(1, 1900, 10):
        if second in (101, 301, 501, 701, 901, 1101):
            observe(POLICY, state, ok(True, state.weight))
        tick(POLICY, state, float(second))
    verdict = judge(POLICY, state)
    assert verdict.action is Action.INCONCLUSIVE
    assert "6 requests, 0 failed; the error rate is below 4" in verdict.because


def test_failed_health_checks_in_a_row_act_at_once_unless_the_old_release_fails_too() -> None:
    state = at_weight(POLICY, 0.25)
    tick(POLICY, state, 1.0, Health(candidate_in_a_row=2))
    assert judge(POLICY, state).action is Action.WAIT
    tick(POLICY, state, 2.0, Health(candidate_in_a_row=3, said="/health answered 503"))
    verdict = judge(POLICY, state, "B", "A")
    assert verdict.action is Action.ROLL_BACK
    assert verdict.because == "3 health checks in a row failed on B: /health answered 503"
    tick(POLICY, state, 3.0, Health(candidate_in_a_row=4, stable_in_a_row=4))
    assert judge(POLICY, state).action is Action.WAIT


def test_probes_have_evidence_of_their_own() -> None:
    policy = Policy(steps=(0.0, 0.05))
    state = begin(policy, known(), 0.0)
    assert state.weight == 0.0
    for second in range(1, 40):
        observe(policy, state, ok(True, 0.0))
        tick(policy, state, float(second))
    assert state.gates[0].errors == 0.0
    assert judge(policy, state).rule == "dark"
    for second in range(40, 60):
        observe(policy, state, failed(True, 0.0))
        tick(policy, state, float(second))
    verdict = judge(policy, state)
    assert (verdict.action, verdict.rule) == (Action.ROLL_BACK, "probes-fail")


def test_probes_count_towards_promotion_only_when_asked() -> None:
    for may, passed in ((False, False), (True, True)):
        policy = Policy(probes_may_promote=may)
        state = at_weight(policy, 0.05)
        for _ in range(30):
            observe(policy, state, ok(True, 0.0))
        assert (state.gates[0].errors > 3.0) is passed


@pytest.mark.parametrize(("rps", "share"), [(0.5, 0.16), (5.0, 0.05), (50.0, 0.05)])
def test_thin_traffic_widens_the_first_step(rps: float, share: float) -> None:
    state = begin(POLICY, known(requests=round(600 * rps)), 0.0)
    assert state.weight == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("reason", Reason)
def test_every_rule_has_a_sentence_with_the_release_in_it(reason: Reason) -> None:
    state = at_weight(POLICY, 0.25)
    feed(POLICY, state, [failed(True, 0.25), ok(True, 0.25), ok(False, 0.25)])
    for second in range(3):
        tick(POLICY, state, 2.0 + second, memory_bytes=1.2e9)
    sentence = because(POLICY, state, Decision(Action.WAIT, reason), "01KF", "01KA")
    assert len(sentence) > 20
    assert sentence.count("  ") == 0
    assert "01KF" in sentence or "not enough traffic" in sentence or "recovered" in sentence
