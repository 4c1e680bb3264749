"""What the evidence must know of what was done: the share of traffic moved."""

from __future__ import annotations

from underway.guard.decide import Reason
from underway.guard.errors import SEVERITY_PRIORS
from underway.guard.evidence import Evidence, Gate, LimitWatch, alarm_wager
from underway.guard.fold import fold
from underway.guard.latency import LATENCY_PRIORS
from underway.guard.limits import broke_again
from underway.guard.observe import set_weight
from underway.guard.policy import Policy
from underway.guard.wager import release_stake

AT_A_STEP = 0.2
"""More traffic is a change: this part of what is held back enters play."""


def carried_out(policy: Policy, state: Evidence, reason: Reason, weight: float | None) -> None:
    """Record that the share of traffic is now `weight`, because of `reason` (both from the verdict)."""
    if weight is None:
        return
    fold(policy, state)
    away = state.withdrawal
    match reason:
        case Reason.WITHDRAW:
            if away.returned_at is None:
                away.left_at = state.clock
            away.breaks = away.breaks + 1 if broke_again(state) else 1
            away.times += 1
            away.withdrawn_at, away.returned_at, away.suspected_at = state.clock, None, None
        case Reason.COME_BACK:
            away.withdrawn_at, away.returned_at, away.requests_since = None, state.clock, 0
            state.limits = LimitWatch()
            state.gates = [Gate() for _ in state.gates]
        case Reason.NARROW | Reason.LIMIT_SUSPECTED:
            if away.returned_at is None:
                away.left_at = state.clock
            away.returned_at, away.requests_since, away.breaks = state.clock, 0, 0
            state.limits = LimitWatch()
            state.gates = [Gate() for _ in state.gates]
        case Reason.RESUME:
            away.returned_at, away.breaks = None, 0
            state.step_at += state.clock - away.left_at
            state.alarm = alarm_wager()
        case Reason.WIDEN | Reason.OPEN:
            pass
        case _:
            go_to(policy, state, state.step + 1)
    set_weight(state, weight)


def go_to(policy: Policy, state: Evidence, step: int) -> None:
    """The rollout is at `step` from now on, by verdict or by a person's word.

    A person who goes on with a release that is a little slower has accepted that: the question is not asked again.
    """
    state.step = min(max(step, 0), len(policy.steps))
    state.step_at = state.clock
    state.withdrawal.withdrawn_at = state.withdrawal.returned_at = None
    state.withdrawal.breaks = 0
    if state.slower_ask.strength >= 1 / policy.latency_alpha:
        state.is_slowness_accepted = True
    for wager, priors in (
        (state.errors, SEVERITY_PRIORS),
        (state.slower_ask, LATENCY_PRIORS),
        (state.slower_back, LATENCY_PRIORS),
    ):
        release_stake(wager, priors, AT_A_STEP)
