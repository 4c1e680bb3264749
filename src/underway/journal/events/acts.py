"""Events of an act: how a deploy, a rollback or any other act went, step by step, and how it was judged."""

from __future__ import annotations

from enum import Enum

import msgspec

from underway.journal.events.event import Event
from underway.terms.outcome import Outcome
from underway.terms.problem import Problem
from underway.terms.record import Record
from underway.terms.route import LogOffset
from underway.terms.verdict import Traffic, Verdict


class ActKind(Enum):
    """What was asked for."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    DOWN = "down"
    RETIRE = "retire"
    REHEARSE = "rehearse"
    WATCH = "watch"
    RESTORE = "restore"


class Order(Enum):
    """What a person may say to a release that is on its way."""

    HOLD = "hold"
    ADVANCE = "advance"
    PROMOTE = "promote"
    ABORT = "abort"


class StepLine(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a plan for people: what it does and what undoing it means."""

    id: str
    says: str
    undo: str
    is_one_way: bool = False
    stage: str = ""


class StepTime(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    took_s: float


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Requests the proxy answered for the app. A failed one got a 5xx answer."""

    served: int = 0
    failed: int = 0


class ActStarted(Event, frozen=True, kw_only=True, tag="act_started"):
    """The lease on the app was taken. `owner` is the agent's `pid:start_ticks:boot_id`; the lease ends with it. `by` is
    the account that asked for the act, empty where the agent began it itself."""

    kind: ActKind
    release: str
    owner: str
    log_offset: LogOffset
    path: str = ""
    by: str = ""


class Planned(Event, frozen=True, kw_only=True, tag="planned"):
    """The very plan that is run; `plan` is read again when an interrupted act goes on."""

    digest: str
    steps: tuple[StepLine, ...]
    notes: tuple[str, ...] = ()
    plan: msgspec.Raw = msgspec.Raw(b"null")


class BudgetOverdrawn(Event, frozen=True, kw_only=True, tag="budget_overdrawn"):
    """A release was begun though an error budget of the app is spent. `because` is the reason that was given for it,
    `says` how much of which budget is spent."""

    release: str
    because: str
    says: str
    by: str = ""


class StepStarted(Event, frozen=True, kw_only=True, tag="step_started"):
    """Intent: written before the step touches anything."""

    step: str
    says: str


class StepDone(Event, frozen=True, kw_only=True, tag="step_done"):
    """Applied and verified. `result` is a few words of what came out ("reused build 3f2a91c")."""

    step: str
    took_s: float
    result: str = ""


class StepFailed(Event, frozen=True, kw_only=True, tag="step_failed"):
    step: str
    took_s: float
    problem: Problem
    log_tail: tuple[str, ...] = ()
    further: tuple[Problem, ...] = ()
    """What else was wrong at once."""


class UndoStarted(Event, frozen=True, kw_only=True, tag="undo_started"):
    step: str
    says: str


class UndoDone(Event, frozen=True, kw_only=True, tag="undo_done"):
    step: str
    took_s: float


class UndoFailed(Event, frozen=True, kw_only=True, tag="undo_failed"):
    """An undo that did not succeed. The others go on; this is shown until somebody has looked."""

    step: str
    took_s: float
    problem: Problem


class ShareMoved(Event, frozen=True, kw_only=True, tag="share_moved"):
    """From now on this share of visitors (0–1) gets the release that is on its way; the others the live one."""

    release: str
    share: float
    because: str


class ProbesMade(Event, frozen=True, kw_only=True, tag="probes_made"):
    """Smoke requests and journeys were made against a release. `failed` says what was wrong, one line each."""

    release: str
    passed: int
    slowest_ms: float = 0.0
    failed: tuple[str, ...] = ()


class Paused(Event, frozen=True, kw_only=True, tag="paused"):
    """The release on its way goes no further by itself: a person is asked. The guard still takes it back if need be."""

    release: str
    because: str
    waiting_for: str = ""


class Ordered(Event, frozen=True, kw_only=True, tag="ordered"):
    """A person gave an order to the release that is on its way. `by` is who gave it, `account` the account that asked
    for it, where that is another name."""

    order: Order
    by: str
    account: str = ""
    because: str = ""


class Judged(Event, frozen=True, kw_only=True, tag="judged"):
    """`log_tail` is what an instance of the release wrote last before it ended, where that took it back."""

    release: str
    verdict: Verdict
    log_tail: tuple[str, ...] = ()


class Weighed(Event, frozen=True, kw_only=True, tag="weighed"):
    """The evidence on which the release was judged, kept for good: `underway explain` tells it again."""

    release: str
    record: Record


class Interrupted(Event, frozen=True, kw_only=True, tag="interrupted"):
    """The agent ended in the middle of the act; the next one says what it does about it."""

    goes_on: bool
    because: str


class Finished(Event, frozen=True, kw_only=True, tag="finished"):
    """The act is over and its lease released."""

    kind: ActKind
    release: str
    outcome: Outcome
    url: str = ""
    duration_s: float = 0.0
    steps: tuple[StepTime, ...] = ()
    requests: Counts = Counts()
    changes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    because: str = ""
    live: str = ""
    """The release that serves now, empty when none does."""
    traffic: dict[str, Traffic] = msgspec.field(default_factory=dict)
    strategy: str = ""
