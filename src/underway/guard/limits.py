"""Is a limit broken, by whom, and did it break because the candidate came back?"""

from __future__ import annotations

from underway.guard.evidence import Evidence
from underway.guard.policy import Policy
from underway.guard.rates import SLOW_SHARE, effective_limit

LEAST_CLIENTS = 3
"""Failures of fewer distinct clients do nothing by themselves."""
PROBATION_S = 10.0
PROBATION_REQUESTS = 50
"""A limit that breaks within both of these (whichever is longer) broke right after the candidate came back."""


def is_broken(policy: Policy, state: Evidence) -> bool:
    """The candidate is over a limit; on probation also when the stable release is."""
    threshold = 2 / policy.alpha_limit
    watch = state.limits
    if watch.candidate_slow.strength >= threshold:
        return True
    if watch.candidate_errors.strength >= threshold:
        return state.clients_failed >= LEAST_CLIENTS
    return state.withdrawal.returned_at is not None and stable_is_over(policy, state)


def stable_is_over(policy: Policy, state: Evidence) -> bool:
    watch = state.limits
    return max(watch.stable_errors.strength, watch.stable_slow.strength) >= 2 / policy.alpha_limit


def is_on_probation(state: Evidence) -> bool:
    back = state.withdrawal
    if back.returned_at is None:
        return False
    return state.clock - back.returned_at <= PROBATION_S or back.requests_since <= PROBATION_REQUESTS


def broke_again(state: Evidence) -> bool:
    """A break now would be one right after coming back."""
    return state.withdrawal.breaks > 0 and is_on_probation(state)


def is_calm(policy: Policy, state: Evidence) -> bool:
    """The stable release has been within the limits lately."""
    calm, base = state.calm, state.baseline
    errors = effective_limit(policy.limits.error_rate, base.error_rate)
    slow = effective_limit(SLOW_SHARE, base.slow_rate)
    return calm.failed <= errors * calm.requests + 0.05 and calm.slow <= slow * calm.timed + 0.05


def note_suspicion(policy: Policy, state: Evidence) -> None:
    """Start or clear the clock that runs while the candidate is over a limit."""
    away = state.withdrawal
    if state.weight > 0 and is_broken(policy, state):
        if away.suspected_at is None:
            away.suspected_at = state.clock
    else:
        away.suspected_at = None
