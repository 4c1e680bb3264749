"""The rules, in the order in which they are asked. Pure: it reads the evidence and changes nothing."""

from __future__ import annotations

from enum import Enum
from math import log

import msgspec

from underway.guard import memory
from underway.guard.evidence import Evidence
from underway.guard.limits import LEAST_CLIENTS, broke_again, is_broken, is_calm
from underway.guard.policy import Policy, WhenQuiet
from underway.guard.shares import WIDEST, share_for
from underway.terms.verdict import Action

POINTS_AT_CANDIDATE = 20.0
"""From this strength on a broken limit is not yet called shared: the comparison gets `ASK_S` more to finish."""
ASK_S = 60.0
WAITS_S = (30.0, 45.0, 60.0)
"""How long the candidate stays out of traffic, the first, second and third time in a row."""
BREAKS_BOTH = 4
"""The first break and three more, each right after coming back: with waits this long a chance in hundreds."""
QUESTION_GATE = 1
"""The gate it must pass to go on: the second one, 10 %."""
QUESTION_S = 60.0
"""How long the candidate stays at a small share after coming back."""
WIDEST_QUESTION = 0.25
QUESTION_PER_S = 0.5
"""Requests per second of the candidate while it is asked."""
ALARM, ALARM_AT_FULL = 20.0, 200.0
"""Strengths at which the share is narrowed: one healthy rollout in twenty loses a minute or two by it."""
SHARED = 0.1
"""Below this the failures fall on both alike: no reason to narrow."""
LEANING, LEANING_LAST = 1.0, 0.5
"""From this strength on a step waits, because the evidence grows; the last one, before everybody, waits sooner."""
WIDEN_AFTER_STEPS = 3
"""A share that has not brought enough requests in the time of three steps is doubled."""
ENOUGH_WITHDRAWALS = 24
"""A rollout disturbed so often ends with a person."""


class Reason(Enum):
    """Why the guard decided so. One sentence each, in `words`."""

    UNHEALTHY = "unhealthy"
    MEMORY_OVER = "memory-over"
    MEMORY_SOON = "memory-soon"
    MORE_ERRORS = "more-errors"
    SLOWER = "slower"
    PROBES_FAIL = "probes-fail"
    BREAKS_BOTH = "breaks-both"
    LIMIT_SUSPECTED = "limit-suspected"
    WITHDRAW = "withdraw"
    WITHDRAWN = "withdrawn"
    COME_BACK = "come-back"
    NARROW = "narrow"
    QUESTIONED = "questioned"
    RESUME = "resume"
    NO_CALM = "no-calm"
    FEW_CLIENTS = "few-clients"
    A_LITTLE_SLOWER = "a-little-slower"
    DARK = "dark"
    STEP_YOUNG = "step-young"
    NEEDS_REQUESTS = "needs-requests"
    WIDEN = "widen"
    OPEN = "open"
    LEANS = "leans"
    STEP_PASSED = "step-passed"
    QUIET = "quiet"
    QUIET_ADVANCE = "quiet-advance"
    BAKING = "baking"
    DONE = "done"


class Decision(msgspec.Struct, frozen=True):
    """What to do, why, and the share of traffic that goes with it (None: as it is)."""

    action: Action
    reason: Reason
    weight: float | None = None


def decide(policy: Policy, state: Evidence) -> Decision:
    """The first rule that speaks wins: signs of life, comparison, limits, soft signs, then the way forward."""
    return (
        _signs(policy, state)
        or _comparison(policy, state)
        or _limits(policy, state)
        or _return(policy, state)
        or _alarm(policy, state)
        or _soft(policy, state)
        or _forward(policy, state)
    )


def _signs(policy: Policy, state: Evidence) -> Decision | None:
    """Health and memory act at once: they are facts about the process, not about luck."""
    worst = policy.limits.failed_health_checks
    if state.health.candidate_in_a_row >= worst > state.health.stable_in_a_row:
        return Decision(Action.ROLL_BACK, Reason.UNHEALTHY)
    if memory.is_over(state.memory, policy.limits.memory_bytes):
        return Decision(Action.ROLL_BACK, Reason.MEMORY_OVER)
    if state.memory_left_s is not None and state.memory_left_s < memory.NEAR_S:
        return Decision(Action.ROLL_BACK, Reason.MEMORY_SOON)
    return None


def _comparison(policy: Policy, state: Evidence) -> Decision | None:
    if state.errors.strength >= 1 / policy.error_alpha and state.clients_failed >= LEAST_CLIENTS:
        return Decision(Action.ROLL_BACK, Reason.MORE_ERRORS)
    if state.slower_back.strength >= 1 / policy.latency_alpha:
        return Decision(Action.ROLL_BACK, Reason.SLOWER)
    if state.probe_limit.strength >= 1 / policy.alpha_limit and is_calm(policy, state):
        return Decision(Action.ROLL_BACK, Reason.PROBES_FAIL)
    return None


def _limits(policy: Policy, state: Evidence) -> Decision | None:
    """A limit broke and the comparison cannot say that it is the candidate: withdraw it and see."""
    if state.weight <= 0 or not is_broken(policy, state):
        return None
    suspected_at = state.withdrawal.suspected_at
    if state.errors.strength >= POINTS_AT_CANDIDATE and (suspected_at is None or state.clock - suspected_at < ASK_S):
        narrow = question_share(state)
        return Decision(Action.WAIT, Reason.LIMIT_SUSPECTED, narrow if narrow < 0.8 * state.weight else None)
    if broke_again(state) and state.withdrawal.breaks + 1 >= BREAKS_BOTH:
        return Decision(Action.ROLL_BACK, Reason.BREAKS_BOTH)
    return Decision(Action.WAIT, Reason.WITHDRAW, 0.0)


def _return(policy: Policy, state: Evidence) -> Decision | None:
    """The way back into traffic of a candidate that was withdrawn."""
    away = state.withdrawal
    if away.withdrawn_at is not None:
        if away.times >= ENOUGH_WITHDRAWALS or state.clock - away.withdrawn_at > policy.patience_s:
            return Decision(Action.INCONCLUSIVE, Reason.NO_CALM)
        waited_s = state.clock - away.withdrawn_at
        if waited_s >= WAITS_S[min(away.breaks, len(WAITS_S)) - 1] and is_calm(policy, state):
            return Decision(Action.WAIT, Reason.COME_BACK, question_share(state))
        return Decision(Action.WAIT, Reason.WITHDRAWN)
    if away.returned_at is None:
        return None
    asked_s = state.clock - away.returned_at
    leans = points(policy, state)
    if asked_s < QUESTION_S or leans or not passes(policy, state, QUESTION_GATE):
        if asked_s > policy.patience_s * (1 + leans):
            return Decision(Action.INCONCLUSIVE, Reason.LEANS if leans else Reason.QUIET)
        return _widened(policy, state) if not leans else Decision(Action.WAIT, Reason.QUESTIONED)
    return Decision(Action.WAIT, Reason.RESUME, share_for(policy, state, state.step))


def _widened(policy: Policy, state: Evidence) -> Decision:
    """Wait for requests; when few of the visitors fell into the share, or none, double it."""
    waits = Reason.NEEDS_REQUESTS if state.withdrawal.returned_at is None else Reason.QUESTIONED
    if state.clock - state.share_at < WIDEN_AFTER_STEPS * policy.step_s or state.weight >= WIDEST:
        return Decision(Action.WAIT, waits)
    return Decision(Action.WAIT, Reason.WIDEN, min(round(2 * state.weight, 2), WIDEST))


def question_share(state: Evidence) -> float:
    """Small enough that one failure tells the releases apart, large enough for an answer every few seconds."""
    return round(min(max(QUESTION_PER_S / max(state.baseline.per_s, 0.01), 0.05), WIDEST_QUESTION), 2)


def points(policy: Policy, state: Evidence) -> bool:
    """The evidence leans against the candidate, however weakly: no reason to act, but none to hurry.

    Without a single user's request (probes may have passed the gate) nothing leans.
    """
    if not state.total.candidate:
        return False
    leaning = LEANING_LAST if state.step == len(policy.steps) - 1 else LEANING
    is_slow_judged = state.blocks > 0 and not state.is_slowness_accepted
    return state.errors.strength >= leaning or (is_slow_judged and state.slower_ask.strength >= leaning)


def _alarm(policy: Policy, state: Evidence) -> Decision | None:
    """The candidate fails more than is usual: narrow its share and ask who fails, for a minute at least.

    A slow poison alone is no reason to narrow: it takes many requests to see and each costs little, so the steps go on.
    At 100 %, where nothing is compared, it is: half of the traffic goes back to the stable release.
    """
    if state.weight <= 0:
        return None
    poison, *worse = state.alarm.stakes
    if state.weight >= 1:
        if state.alarm.strength < ALARM_AT_FULL:
            return None
        share = WIDEST if poison > sum(worse) else question_share(state)
        return Decision(Action.WAIT, Reason.NARROW, share)
    if sum(worse) < ALARM or state.errors.strength < SHARED:
        return None
    return Decision(Action.WAIT, Reason.NARROW, min(state.weight, question_share(state)))


def passes(policy: Policy, state: Evidence, step: int) -> bool:
    """The gate of `step` is passed: worse rates than the gate are ruled out, for errors and for slow requests."""
    gate = state.gates[min(step, len(state.gates) - 1)]
    return min(gate.errors, gate.slow) >= -log(policy.beta)


def _soft(policy: Policy, state: Evidence) -> Decision | None:
    """Signs that hold a release but never take it back by themselves."""
    if state.errors.strength >= 1 / policy.error_alpha:
        patient = state.clock - state.step_at <= policy.patience_s
        return Decision(Action.WAIT if patient else Action.INCONCLUSIVE, Reason.FEW_CLIENTS)
    if state.slower_ask.strength >= 1 / policy.latency_alpha and not state.is_slowness_accepted:
        return Decision(Action.INCONCLUSIVE, Reason.A_LITTLE_SLOWER)
    return None


def least_step_s(policy: Policy, state: Evidence) -> float:
    """How long the present step lasts at least. The last one is the last chance to compare: where a hundred seconds
    bring few requests it takes longer."""
    if state.step != len(policy.steps) - 1 or policy.thorough_s <= policy.step_s:
        return policy.step_s
    weight, answered = state.at_weights[-1] if state.at_weights else (0.0, 0)
    if weight == state.weight and answered >= policy.thorough_requests:
        return policy.step_s
    return policy.thorough_s


def _forward(policy: Policy, state: Evidence) -> Decision:
    age_s = state.clock - state.step_at
    if state.step >= len(policy.steps):
        if age_s < policy.bake_s:
            return Decision(Action.WAIT, Reason.BAKING)
        return Decision(Action.CONTINUE, Reason.DONE)
    following = share_for(policy, state, state.step + 1)
    is_passed = passes(policy, state, state.step)
    if is_passed and 0 < state.weight < policy.steps[state.step] and not points(policy, state):
        return Decision(Action.WAIT, Reason.OPEN, share_for(policy, state, state.step))
    if state.weight <= 0:
        if age_s < policy.step_s:
            return Decision(Action.WAIT, Reason.DARK)
        return Decision(Action.ADVANCE, Reason.STEP_PASSED, following)
    if age_s < least_step_s(policy, state):
        return Decision(Action.WAIT, Reason.STEP_YOUNG)
    if is_passed:
        if not points(policy, state):
            return Decision(Action.ADVANCE, Reason.STEP_PASSED, following)
        if age_s < policy.patience_s:
            return Decision(Action.WAIT, Reason.LEANS)
        return Decision(Action.INCONCLUSIVE, Reason.LEANS)
    if age_s < policy.patience_s:
        return _widened(policy, state)
    if policy.when_quiet is WhenQuiet.ADVANCE and state.errors.strength < 1 and state.slower_back.strength < 1:
        return Decision(Action.ADVANCE, Reason.QUIET_ADVANCE, following)
    return Decision(Action.INCONCLUSIVE, Reason.QUIET)
