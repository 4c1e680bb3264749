"""Does what the guard says in a simulated rollout, and notes how it ended. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from underway.guard.carry import carried_out
from underway.guard.decide import Reason, decide
from underway.guard.evidence import Evidence
from underway.guard.judge import strengths
from underway.guard.policy import Policy
from underway.terms.verdict import Action

PAUSED_FOR_S = 600
"""A release that is held for a person this long ends as paused."""


@dataclass(frozen=True)
class Look:
    """What one look of the guard saw, for a picture: the candidate's share, its failed requests so far, how strong the
    evidence is (for each kind, in `judge.strengths` order), and the rule that spoke."""

    at_s: float
    weight: float
    failed: int
    rule: str
    strengths: tuple[float, ...]


@dataclass(frozen=True)
class Ending:
    """How a rollout ended: `how` is rolled-back, promoted or paused; `failed` counts failed requests of users on the
    candidate since the fault began.

    `at_s` is when the traffic was taken back, when a person was asked, or when the watch was over.
    """

    how: str
    reason: str
    at_s: float
    promoted_at_s: float | None
    failed: int


class Helm:
    """Moves the share as the guard decides. `linger` is called before the candidate loses traffic: requests on their
    way still reach it, and it returns how many of them fail."""

    def __init__(self, policy: Policy, state: Evidence, linger: Callable[[], int], looks: list[Look] | None) -> None:
        self.policy, self.state, self.linger, self.looks = policy, state, linger, looks
        self.failed = 0
        self.promoted_at: float | None = None
        self.paused_at: float | None = None

    def look(self, at_s: float) -> Ending | None:
        """Ask the guard and do what it says; how the rollout ended, if it did."""
        state = self.state
        decision = decide(self.policy, state)
        if self.looks is not None:
            seen = tuple(strength.value for strength in strengths(self.policy, state))
            self.looks.append(Look(at_s, state.weight, self.failed, decision.reason.value, seen))
        if decision.action is Action.ROLL_BACK:
            self.failed += self.linger()
            return self.end("rolled-back", decision.reason.value, at_s)
        if decision.action is Action.CONTINUE:
            return self.end("promoted", decision.reason.value, at_s)
        if decision.action is Action.INCONCLUSIVE:
            if decision.reason is not Reason.A_LITTLE_SLOWER:
                return self.end("paused", decision.reason.value, at_s)
            self.paused_at = at_s if self.paused_at is None else self.paused_at
            if at_s - self.paused_at > PAUSED_FOR_S:
                return self.end("paused", decision.reason.value, self.paused_at)
            return None
        self.paused_at = None
        if decision.weight is not None:
            if decision.weight < state.weight:
                self.failed += self.linger()
            carried_out(self.policy, state, decision.reason, decision.weight)
            if state.weight >= 1 and self.promoted_at is None:
                self.promoted_at = at_s
        return None

    def end(self, how: str, reason: str, at_s: float) -> Ending:
        return Ending(how, reason, at_s, self.promoted_at, self.failed)
