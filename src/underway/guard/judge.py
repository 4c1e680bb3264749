"""The guard's answer: what to do with the release, and why, in words."""

from __future__ import annotations

from underway.guard.carry import carried_out as _carried_out
from underway.guard.decide import Reason, decide
from underway.guard.evidence import Evidence
from underway.guard.memory import WARN_S
from underway.guard.policy import Policy
from underway.guard.words import because, log_times, span, waiting_for
from underway.terms.verdict import Action, Strength, Verdict


def judge(policy: Policy, state: Evidence, candidate: str = "the candidate", stable: str = "the old one") -> Verdict:
    """Judge the evidence so far. Changes nothing; asking twice gives the same answer.

    CONTINUE: the watch is over, the release stays. ADVANCE: go to the next step, `weight` is its share. WAIT: keep
    watching; with a `weight`, move the share first. INCONCLUSIVE: a person decides. ROLL_BACK: take it back.
    After moving the share call `carried_out`.
    """
    decision = decide(policy, state)
    is_waiting = decision.action in (Action.WAIT, Action.INCONCLUSIVE)
    return Verdict(
        action=decision.action,
        because=because(policy, state, decision, candidate, stable),
        evidence=_evidence(state, candidate, stable),
        waiting_for=waiting_for(policy, state, decision) if is_waiting else "",
        weight=decision.weight,
        rule=decision.reason.value,
        strengths=strengths(policy, state),
    )


def carried_out(policy: Policy, state: Evidence, verdict: Verdict) -> None:
    """Record that the traffic was moved as `verdict` said. Nothing to record when it moved nothing."""
    _carried_out(policy, state, Reason(verdict.rule), verdict.weight)


def strengths(policy: Policy, state: Evidence) -> tuple[Strength, ...]:
    """How strong the evidence is, against the candidate and for it, with what is needed to act."""
    gate = state.gates[state.step]
    watch = state.limits
    limit = 2 / policy.alpha_limit
    return (
        Strength(of="more errors", value=state.errors.strength, needed=1 / policy.error_alpha),
        Strength(of="slower", value=state.slower_back.strength, needed=1 / policy.latency_alpha),
        Strength(of="a little slower", value=state.slower_ask.strength, needed=1 / policy.latency_alpha),
        Strength(of="errors over the limit", value=watch.candidate_errors.strength, needed=limit),
        Strength(of="times over the limit", value=watch.candidate_slow.strength, needed=limit),
        Strength(of="few enough errors", value=log_times(gate.errors), needed=1 / policy.beta),
        Strength(of="fast enough", value=log_times(gate.slow), needed=1 / policy.beta),
    )


def _evidence(state: Evidence, candidate: str, stable: str) -> tuple[str, ...]:
    total = state.total
    lines = [
        f"{candidate}: {total.candidate:,} requests, {total.candidate_failed:,} failed",
        f"{stable}: {total.stable:,} requests, {total.stable_failed:,} failed",
    ]
    if state.clients_failed:
        lines.append(f"users touched by failures on {candidate}: {state.clients_failed:,}")
    if state.repeats:
        lines.append(
            f"{state.repeats:,} further failures came from clients that had already failed and were not counted"
        )
    if state.probes.candidate:
        lines.append(f"probes: {state.probes.candidate_failed} of {state.probes.candidate} failed on {candidate}")
    if state.memory_left_s is not None and state.memory_left_s < WARN_S:
        lines.append(f"memory of {candidate} grows: at this pace it reaches its limit in {span(state.memory_left_s)}")
    return tuple(lines)
