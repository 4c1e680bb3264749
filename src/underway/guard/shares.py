"""How much traffic a step gives the candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from underway.guard.rates import clean_requests_to_pass, grid

if TYPE_CHECKING:
    from underway.guard.evidence import Evidence
    from underway.guard.policy import Policy

FIRST_STEP_WITHIN_S = 180.0
LONG_S = 400.0
WIDEST = 0.5
OPENING_PER_S = 5.0
"""Requests per second that the candidate gets until its first gate is passed, where the share would bring twice as
many: a crash is told by three failures, and heavy traffic brings many more before anybody can move it."""


def share_for(policy: Policy, state: Evidence, step: int) -> float:
    """The candidate's share at `step` (1.0 after the last).

    At least what the policy says. When so little traffic comes that the gate could not pass within a few minutes, the
    step is widened: at one request in two seconds, 5 % is one request in forty, and nothing could be learned. The first
    step stays at or below `quiet_share`, where a failure tells the releases apart quickly, unless even that takes long.
    Where traffic is heavy the first step opens narrower, until its gate is passed.
    """
    if step >= len(policy.steps):
        return 1.0
    least = policy.steps[step]
    if least <= 0:
        return 0.0
    per_s = state.baseline.per_s
    needed = clean_requests_to_pass(
        policy.gate(step), grid(state.baseline.error_rate), policy.beta, max(state.gates[step].errors, 0.0)
    )
    if not needed:
        return least
    if per_s <= 0:
        return max(least, policy.quiet_share)
    is_first = step == 0 or policy.steps[step - 1] <= 0
    if is_first and per_s * least > 2 * OPENING_PER_S:
        return round(OPENING_PER_S / per_s, 4)
    within_s = FIRST_STEP_WITHIN_S if is_first else policy.step_s
    wanted = needed / (per_s * within_s)
    widest = WIDEST
    if is_first and needed / (per_s * policy.quiet_share) <= LONG_S:
        widest = policy.quiet_share
    return max(least, round(min(wanted, widest), 2))
