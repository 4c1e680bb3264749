"""The act in progress, as the journal tells of it."""

from __future__ import annotations

from enum import Enum
from typing import assert_never

import msgspec

from underway.journal.events.acts import (
    ActKind,
    BudgetOverdrawn,
    Interrupted,
    Order,
    Ordered,
    Paused,
    Planned,
    ProbesMade,
    ShareMoved,
    StepDone,
    StepFailed,
    StepStarted,
    UndoDone,
    UndoFailed,
    UndoStarted,
)
from underway.terms.problem import Problem
from underway.terms.route import LogOffset
from underway.terms.verdict import Verdict


class Phase(Enum):
    """Where an act is."""

    NONE = "none"
    STARTED = "started"
    RUNNING = "running"
    UNDOING = "undoing"


class StepState(Enum):
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"
    UNDO_FAILED = "undo-failed"


ActEvent = (
    Planned
    | BudgetOverdrawn
    | StepStarted
    | StepDone
    | StepFailed
    | UndoStarted
    | UndoDone
    | UndoFailed
    | ShareMoved
    | ProbesMade
    | Paused
    | Ordered
    | Interrupted
)
"""What comes in an act only and tells of nothing else."""


class ActState(msgspec.Struct, kw_only=True):
    """The act in progress."""

    id: str
    kind: ActKind
    release: str
    owner: str
    started_at: float
    log_offset: LogOffset
    path: str = ""
    by: str = ""
    """Who asked for it, empty for the agent itself."""
    phase: Phase = Phase.STARTED
    plan: bytes = b"null"
    digest: str = ""
    steps: dict[str, StepState] = msgspec.field(default_factory=dict)
    took_s: dict[str, float] = msgspec.field(default_factory=dict)
    problems: list[Problem] = msgspec.field(default_factory=list)
    verdict: Verdict | None = None
    rollout_verdict: Verdict | None = None
    """The guard's, after comparing two releases; `verdict` is the latest of all."""
    has_moved_traffic: bool = False
    share: float = 0.0
    """Of visitors, to the release that is on its way."""
    moves: list[tuple[float, float]] = msgspec.field(default_factory=list)
    """When the share was moved, and to what."""
    orders: list[tuple[float, Order, str]] = msgspec.field(default_factory=list)
    """What people said: when, what, who."""
    paused: str = ""
    interruptions: int = 0
    overdrawn: str = ""
    """Why it was begun though the error budget was spent."""
    backup: str = ""
    """The backup that the act made before it changed anything."""
    changes: list[str] = msgspec.field(default_factory=list)

    def enter(self, event: ActEvent, at: float) -> None:
        """Advance by one event of this act."""
        match event:
            case Planned():
                self.plan, self.digest = bytes(event.plan), event.digest
            case StepStarted():
                self.steps[event.step] = StepState.STARTED
            case StepDone():
                self.steps[event.step] = StepState.DONE
                self.took_s[event.step] = event.took_s
                if event.result:
                    self.changes.append(event.result)
            case StepFailed():
                self.steps[event.step] = StepState.FAILED
                self.took_s[event.step] = event.took_s
                self.problems += [event.problem, *event.further]
            case UndoStarted():
                self.steps[event.step] = StepState.UNDOING
            case UndoDone():
                self.steps[event.step] = StepState.UNDONE
            case UndoFailed():
                self.steps[event.step] = StepState.UNDO_FAILED
                self.problems.append(event.problem)
            case ShareMoved():
                self.share = event.share
                self.moves.append((at, event.share))
                self.has_moved_traffic = self.has_moved_traffic or event.share > 0
                self.paused = ""
            case Paused():
                self.paused = event.because
            case BudgetOverdrawn():
                self.overdrawn = event.because
            case Ordered():
                self.orders.append((at, event.order, event.by))
                self.paused = ""
            case Interrupted():
                self.interruptions += 1
            case ProbesMade():
                pass
            case _:
                assert_never(event)
