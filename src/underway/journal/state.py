"""State is a fold over events, with a table of what may follow what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NamedTuple, assert_never

import msgspec

from underway.journal.alert_book import AlertBook
from underway.journal.events import (
    AccessChanged,
    Acted,
    ActKind,
    ActStarted,
    AgentStarted,
    AlertAcknowledged,
    AlertCleared,
    AlertRaised,
    AlertSilenced,
    AnyEvent,
    AppRemoved,
    BackupCopied,
    BackupFailed,
    BackupFoundDamaged,
    BackupMade,
    BackupProven,
    BackupsRemoved,
    BudgetOverdrawn,
    ClockJumped,
    CodeTried,
    DatabaseRestored,
    EnvironmentChanged,
    EnvironmentGiven,
    EnvironmentRead,
    Event,
    Finished,
    IncidentOpened,
    IncidentUpdated,
    InstanceLost,
    Interrupted,
    Judged,
    LoggedIn,
    LogInRefused,
    MaintenanceSet,
    MessageDecided,
    MessageGivenUp,
    MessageSent,
    Migrated,
    MigrationsLinted,
    Order,
    Ordered,
    Paused,
    Planned,
    ProbesMade,
    Recorded,
    Rehearsed,
    ReleaseMade,
    ReleasePruned,
    Routed,
    ScheduleMissed,
    ShareMoved,
    SlotFreed,
    SlotTaken,
    StepDone,
    StepFailed,
    StepStarted,
    TrafficSwitched,
    UndoDone,
    UndoFailed,
    UndoStarted,
    Weighed,
)
from underway.terms.app_error import ErrorCount
from underway.terms.incident import Incident, IncidentStage, IncidentUpdate
from underway.terms.outcome import Outcome
from underway.terms.problem import Problem
from underway.terms.rehearsal import Fit, WayBack
from underway.terms.release import Release, Slot
from underway.terms.route import AppRoute, LogOffset
from underway.terms.since import Instant
from underway.terms.verdict import Action, Traffic, Verdict


class IllegalTransition(Exception):
    """The journal says something that cannot follow what it said before. A fault of Underway."""


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


_ANY_ACT = frozenset({Phase.STARTED, Phase.RUNNING, Phase.UNDOING})
_LEGAL: Mapping[type[Event], Mapping[Phase, Phase]] = {
    ActStarted: {Phase.NONE: Phase.STARTED},
    Planned: {Phase.STARTED: Phase.RUNNING},
    BudgetOverdrawn: {Phase.RUNNING: Phase.RUNNING},
    StepStarted: {Phase.RUNNING: Phase.RUNNING},
    StepDone: {Phase.RUNNING: Phase.RUNNING},
    StepFailed: {Phase.RUNNING: Phase.UNDOING},
    Judged: {Phase.RUNNING: Phase.RUNNING},
    Weighed: {Phase.RUNNING: Phase.RUNNING, Phase.UNDOING: Phase.UNDOING},
    ShareMoved: {Phase.RUNNING: Phase.RUNNING, Phase.UNDOING: Phase.UNDOING},
    ProbesMade: {Phase.RUNNING: Phase.RUNNING},
    Paused: {Phase.RUNNING: Phase.RUNNING},
    Ordered: {Phase.RUNNING: Phase.RUNNING},
    UndoStarted: {Phase.RUNNING: Phase.UNDOING, Phase.UNDOING: Phase.UNDOING},
    UndoDone: {Phase.UNDOING: Phase.UNDOING},
    UndoFailed: {Phase.UNDOING: Phase.UNDOING},
    Interrupted: {Phase.STARTED: Phase.STARTED, Phase.RUNNING: Phase.RUNNING, Phase.UNDOING: Phase.UNDOING},
    Finished: dict.fromkeys(_ANY_ACT, Phase.NONE),
    ReleaseMade: {Phase.RUNNING: Phase.RUNNING},
    SlotTaken: {Phase.RUNNING: Phase.RUNNING, Phase.UNDOING: Phase.UNDOING},
    SlotFreed: {Phase.RUNNING: Phase.RUNNING, Phase.UNDOING: Phase.UNDOING},
    Routed: {Phase.RUNNING: Phase.RUNNING, Phase.UNDOING: Phase.UNDOING},
    MigrationsLinted: {Phase.RUNNING: Phase.RUNNING},
    DatabaseRestored: {Phase.RUNNING: Phase.RUNNING, Phase.UNDOING: Phase.UNDOING},
    CodeTried: {Phase.RUNNING: Phase.RUNNING},
    Rehearsed: {Phase.RUNNING: Phase.RUNNING},
    Migrated: {Phase.RUNNING: Phase.RUNNING, Phase.UNDOING: Phase.UNDOING},
    TrafficSwitched: {Phase.RUNNING: Phase.RUNNING, Phase.UNDOING: Phase.UNDOING},
    ReleasePruned: {Phase.RUNNING: Phase.RUNNING},
    AppRemoved: {Phase.RUNNING: Phase.RUNNING},
    InstanceLost: {phase: phase for phase in Phase},
    MaintenanceSet: {phase: phase for phase in Phase},
    EnvironmentChanged: {phase: phase for phase in Phase},
    EnvironmentRead: {phase: phase for phase in Phase},
    EnvironmentGiven: {phase: phase for phase in Phase},
    AccessChanged: {phase: phase for phase in Phase},
    LoggedIn: {phase: phase for phase in Phase},
    LogInRefused: {phase: phase for phase in Phase},
    Acted: {phase: phase for phase in Phase},
    IncidentOpened: {phase: phase for phase in Phase},
    IncidentUpdated: {phase: phase for phase in Phase},
    AgentStarted: {phase: phase for phase in Phase},
    BackupMade: {phase: phase for phase in Phase},
    BackupFailed: {phase: phase for phase in Phase},
    BackupProven: {phase: phase for phase in Phase},
    BackupFoundDamaged: {phase: phase for phase in Phase},
    BackupCopied: {phase: phase for phase in Phase},
    BackupsRemoved: {phase: phase for phase in Phase},
    ScheduleMissed: {phase: phase for phase in Phase},
    ClockJumped: {phase: phase for phase in Phase},
    AlertRaised: {phase: phase for phase in Phase},
    AlertCleared: {phase: phase for phase in Phase},
    AlertAcknowledged: {phase: phase for phase in Phase},
    AlertSilenced: {phase: phase for phase in Phase},
    MessageDecided: {phase: phase for phase in Phase},
    MessageSent: {phase: phase for phase in Phase},
    MessageGivenUp: {phase: phase for phase in Phase},
}
"""Which event may come in which phase of the app's act, and the phase after it."""


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


class ReleaseState(msgspec.Struct, kw_only=True):
    """One release and what became of it."""

    release: Release
    manifest: str
    migrations: str = ""
    outcome: Outcome | None = None
    live_since: float | None = None
    because: str = ""
    duration_s: float = 0.0
    traffic: Traffic | None = None
    is_pruned: bool = False
    strategy: str = ""
    overdrawn: str = ""
    """Why it was released though the error budget was spent; empty where it was not."""
    is_watched: bool = False
    """Its watch at 100 % is over."""
    schema: str = ""
    """Digest of the schema that it was made live on, empty when that is not known."""
    fits: dict[str, Fit] = msgspec.field(default_factory=dict)
    """Whether its code runs on other schemas, by their digests, where that was tried."""
    old_code: Fit | None = None
    """Whether the release before it runs on its schema, where that was tried."""
    back: WayBack | None = None
    """Whether its migration can be run back, where that was tried."""
    head: str = ""
    """What the migration tool calls what it made of the database, empty where that is not known."""
    verdict: Verdict | None = None
    """The last one that says something: a quiet watch after a rollout adds nothing to what the rollout showed."""
    judged_seq: int = 0
    record_seq: int = 0
    """The event that holds its evidence, 0 for none."""
    p95_change: float | None = None
    new_errors: tuple[ErrorCount, ...] = ()
    given: dict[str, str] = msgspec.field(default_factory=dict)
    """The fingerprints of its environment, by name."""
    has_migrated: bool = False
    migrated: tuple[Instant, Instant] | None = None
    """When its migration began and was over, by the transactions of the home's own server."""


class SlotState(msgspec.Struct, kw_only=True):
    release: str
    ports: tuple[int, ...]


class AppState(msgspec.Struct, kw_only=True):
    """Everything the journal says about one app."""

    app: str
    seq: int = 0
    as_of: int = 0
    """The number of the last event that a plan may rest on: a watch that only looks changes nothing for it."""
    releases: dict[str, ReleaseState] = msgspec.field(default_factory=dict)
    slots: dict[Slot, SlotState] = msgspec.field(default_factory=dict)
    live: str = ""
    live_slot: Slot | None = None
    previous: str = ""
    warm_until: float = 0.0
    route: AppRoute | None = None
    migrations: str = ""
    """Digest of the migrations the database carries."""
    schema: str = ""
    """Digest of its schema after the last migration, empty when that is not known."""
    head: str = ""
    """What the migration tool calls it ("alembic 3f2a91c"), empty when that is not known."""
    run_back: list[tuple[Instant, Instant]] = msgspec.field(default_factory=list)
    """When migrations were run back, by the transactions of the home's own server."""
    additions: dict[str, str] = msgspec.field(default_factory=dict)
    """Schemas that a migration made by only adding to another: the new digest, and the old one."""
    act: ActState | None = None
    path: str = ""
    last: Finished | None = None
    is_in_maintenance: bool = False
    backup_failures: dict[str, tuple[float, Problem]] = msgspec.field(default_factory=dict)
    """What of the backups failed last and has not succeeded since: backup, copy, drill, verify."""
    alerts: AlertBook = msgspec.field(default_factory=AlertBook)
    """What was raised, and what people were told of it."""
    incidents: dict[str, Incident] = msgspec.field(default_factory=dict)
    """What the status page tells, by id, oldest first."""
    former_database: str = ""
    """The name of the database that the last restore replaced."""
    lost: list[InstanceLost] = msgspec.field(default_factory=list)
    """The latest instances that ended by themselves (at most ten)."""

    @property
    def is_free(self) -> bool:
        """An act may begin: none is under way, or only a watch, which gives way."""
        return self.act is None or (self.act.kind is ActKind.WATCH and not self.act.steps)

    @property
    def given(self) -> Mapping[str, str]:
        """The fingerprints of the live release's environment, by name."""
        live = self.live_release
        return live.given if live else {}

    @property
    def live_release(self) -> ReleaseState | None:
        return self.releases.get(self.live)

    @property
    def idle_slot(self) -> Slot:
        """The slot a new release starts on."""
        return self.live_slot.other if self.live_slot else Slot.A

    def slot_of(self, release: str) -> Slot | None:
        """The slot on which `release` runs, None when it does not."""
        return next((slot for slot, state in self.slots.items() if state.release == release), None)


class Hold(NamedTuple):
    """Who holds an app and how far it got: all that decides which event may come next."""

    act: str
    phase: Phase


def holder(state: AppState | None) -> Hold:
    return Hold(state.act.id, state.act.phase) if state and state.act else Hold("", Phase.NONE)


def follow_on(hold: Hold, event: Event) -> Hold:
    """The hold after `event`. Raises `IllegalTransition` when it may not come now."""
    if not event.app:
        return hold
    after = _LEGAL[type(event)].get(hold.phase)
    if after is None:
        raise IllegalTransition(f"{type(event).__name__} while {event.app} is in phase {hold.phase.value}")
    if hold.act and event.act and event.act != hold.act:
        raise IllegalTransition(f"{type(event).__name__} of act {event.act} while {hold.act} holds {event.app}")
    return Hold((hold.act or event.act) if after is not Phase.NONE else "", after)


def fold(records: Iterable[Recorded]) -> dict[str, AppState]:
    """The state of every app. Raises `IllegalTransition`."""
    states: dict[str, AppState] = {}
    for record in records:
        apply(states, record)
    return states


def apply(states: dict[str, AppState], record: Recorded) -> None:
    """Advance `states` by one event, in place. Raises `IllegalTransition` and leaves the state as it was."""
    event = record.event
    if not event.app:
        return
    state = states.get(event.app) or AppState(app=event.app)
    after = follow_on(holder(state), event)
    states[event.app] = state
    state.seq = record.seq
    if not _only_looks(state, event):
        state.as_of = record.seq
    _enter(state, event, record.at, record.seq)
    if state.act:
        state.act.phase = after.phase


_COPIES = (
    BackupMade
    | BackupFailed
    | BackupProven
    | BackupFoundDamaged
    | BackupCopied
    | BackupsRemoved
    | ScheduleMissed
    | ClockJumped
    | AlertRaised
    | AlertCleared
    | AlertAcknowledged
    | AlertSilenced
    | MessageDecided
    | MessageSent
    | MessageGivenUp
)
"""What is told of copies of the data: none of it changes what a plan rests on."""


def _only_looks(state: AppState, event: Event) -> bool:
    if isinstance(event, EnvironmentRead | Acted | IncidentOpened | IncidentUpdated | _COPIES):
        return True
    if isinstance(event, ActStarted | Finished):
        return event.kind is ActKind.WATCH and (isinstance(event, ActStarted) or event.outcome is Outcome.DONE)
    is_watch = state.act is not None and state.act.kind is ActKind.WATCH
    return is_watch and isinstance(
        event, Planned | Judged | Weighed | ShareMoved | Paused | Ordered | ProbesMade | Interrupted
    )


def _enter(state: AppState, event: AnyEvent, at: float, seq: int) -> None:
    act = state.act
    match event:
        case ActStarted():
            state.act = ActState(
                id=event.act,
                kind=event.kind,
                release=event.release,
                owner=event.owner,
                started_at=at,
                log_offset=event.log_offset,
                path=event.path,
                by=event.by,
            )
        case Planned() if act:
            act.plan, act.digest = bytes(event.plan), event.digest
        case StepStarted() if act:
            act.steps[event.step] = StepState.STARTED
        case StepDone() if act:
            act.steps[event.step] = StepState.DONE
            act.took_s[event.step] = event.took_s
            if event.result:
                act.changes.append(event.result)
        case StepFailed() if act:
            act.steps[event.step] = StepState.FAILED
            act.took_s[event.step] = event.took_s
            act.problems += [event.problem, *event.further]
        case UndoStarted() if act:
            act.steps[event.step] = StepState.UNDOING
        case UndoDone() if act:
            act.steps[event.step] = StepState.UNDONE
        case UndoFailed() if act:
            act.steps[event.step] = StepState.UNDO_FAILED
            act.problems.append(event.problem)
        case Judged():
            if act:
                act.verdict = event.verdict
                act.rollout_verdict = event.verdict if event.verdict.rule else act.rollout_verdict
            if (release := state.releases.get(event.release)) and _outweighs(event.verdict, release.verdict):
                release.verdict, release.judged_seq = event.verdict, seq
        case Weighed():
            if release := state.releases.get(event.release):
                release.record_seq = seq
                release.p95_change = event.record.p95_change
                release.new_errors = event.record.new_errors
        case ShareMoved() if act:
            act.share = event.share
            act.moves.append((at, event.share))
            act.has_moved_traffic = act.has_moved_traffic or event.share > 0
            act.paused = ""
        case Paused() if act:
            act.paused = event.because
        case BudgetOverdrawn() if act:
            act.overdrawn = event.because
        case Ordered() if act:
            act.orders.append((at, event.order, event.by))
            act.paused = ""
        case Interrupted() if act:
            act.interruptions += 1
        case ReleaseMade():
            state.releases[event.release.id] = ReleaseState(
                release=event.release,
                manifest=event.manifest,
                migrations=event.migrations,
                overdrawn=act.overdrawn if act and act.release == event.release.id else "",
            )
        case SlotTaken():
            state.slots[event.slot] = SlotState(release=event.release, ports=event.ports)
        case SlotFreed():
            state.slots.pop(event.slot, None)
        case Routed():
            state.route = event.route
        case BackupMade():
            state.backup_failures.pop("backup", None)
            if act and event.act == act.id:
                act.backup = event.backup.id
        case DatabaseRestored():
            state.former_database, state.schema, state.migrations, state.head = event.former, "", "", ""
        case BackupCopied():
            state.backup_failures.pop("copy", None)
        case BackupFailed():
            state.backup_failures[event.what] = (at, event.problem)
        case BackupProven():
            state.backup_failures.pop("drill", None)
        case AlertRaised():
            state.alerts.raised(event, at, seq, state.live)
        case AlertCleared():
            state.alerts.cleared(event, at)
        case AlertAcknowledged():
            state.alerts.acknowledged(event)
        case AlertSilenced():
            state.alerts.silenced(event)
        case MessageDecided():
            state.alerts.decided(event, at)
        case MessageSent():
            state.alerts.told(event.message, at)
        case MessageGivenUp():
            state.alerts.told(event.message, at, event.problem.why)
        case Migrated():
            _migrated(state, event)
        case Rehearsed():
            _rehearsed(state, event)
        case CodeTried():
            if release := state.releases.get(event.fit.release):
                release.fits[event.fit.schema] = event.fit
        case TrafficSwitched():
            state.live, state.live_slot = event.release, event.slot if event.release else None
            state.previous = event.was
            state.warm_until = at + event.keep_warm_s
            if act:
                act.has_moved_traffic = True
            if release := state.releases.get(event.release):
                release.live_since = at
                release.schema = release.schema or state.schema
        case Finished():
            _finish(state, event)
        case EnvironmentGiven():
            if release := state.releases.get(event.release):
                release.given = event.fingerprints
        case EnvironmentChanged() | EnvironmentRead() | AccessChanged() | LoggedIn() | LogInRefused() | Acted():
            pass
        case IncidentOpened():
            first = IncidentUpdate(at=at, stage=IncidentStage.INVESTIGATING, text=event.text, by=event.by)
            state.incidents[event.incident] = Incident(
                id=event.incident,
                app=event.app,
                title=event.title,
                impact=event.impact,
                opened_at=at,
                updates=(first,),
                alert=event.alert,
            )
        case IncidentUpdated():
            if incident := state.incidents.get(event.incident):
                told = IncidentUpdate(at=at, stage=event.stage, text=event.text, by=event.by)
                ended_at = at if event.stage is IncidentStage.RESOLVED else 0.0
                state.incidents[event.incident] = msgspec.structs.replace(
                    incident, updates=(*incident.updates, told), ended_at=ended_at
                )
        case MaintenanceSet():
            state.is_in_maintenance = event.is_on
        case InstanceLost():
            state.lost = [*state.lost[-9:], event]
        case ReleasePruned():
            if release := state.releases.get(event.release):
                release.is_pruned = True
        case AppRemoved():
            state.live, state.live_slot, state.previous = "", None, ""
            state.slots, state.route, state.lost = {}, None, []
        case (
            AgentStarted()
            | Planned()
            | StepStarted()
            | StepDone()
            | StepFailed()
            | UndoStarted()
            | UndoDone()
            | UndoFailed()
            | ShareMoved()
            | ProbesMade()
            | Paused()
            | BudgetOverdrawn()
            | Ordered()
            | Interrupted()
            | MigrationsLinted()
            | BackupFoundDamaged()
            | BackupsRemoved()
            | ScheduleMissed()
            | ClockJumped()
        ):
            pass
        case _:
            assert_never(event)


def _migrated(state: AppState, event: Migrated) -> None:
    state.migrations, state.schema, state.head = event.digest, event.schema, event.head
    release = state.releases.get(event.release)
    if event.is_back:
        state.run_back += [event.between] if event.between else []
        if release:
            release.has_migrated = False
    elif release:
        release.head = event.head
        release.schema, release.has_migrated, release.migrated = event.schema, True, event.between
    if event.is_additive and event.was_schema and event.was_schema != event.schema:
        state.additions[event.schema] = event.was_schema


def _rehearsed(state: AppState, event: Rehearsed) -> None:
    fit = event.rehearsal.old_code
    if release := state.releases.get(event.release):
        release.old_code, release.back = fit, event.rehearsal.back
    if fit and (old := state.releases.get(fit.release)):
        old.fits[fit.schema] = fit


def _outweighs(verdict: Verdict, known: Verdict | None) -> bool:
    return known is None or bool(verdict.rule) or verdict.action is Action.ROLL_BACK or not known.rule


def _finish(state: AppState, event: Finished) -> None:
    if event.kind is ActKind.DEPLOY and state.act and state.act.path and event.outcome is Outcome.LIVE:
        state.path = state.act.path
    if event.kind is ActKind.DEPLOY and (release := state.releases.get(event.release)):
        release.outcome = event.outcome
        release.because = event.because
        release.duration_s = event.duration_s
        release.traffic = event.traffic.get(event.release)
        release.strategy = event.strategy
    if event.kind is ActKind.WATCH:
        _watched(state, event)
    else:
        state.last = event
    state.act = None


def _watched(state: AppState, event: Finished) -> None:
    """A good watch changes nothing but that it is over; a bad one is what last happened to the app."""
    if release := state.releases.get(event.release):
        release.is_watched = True
        if event.outcome is Outcome.ROLLED_BACK:
            release.outcome, release.because = event.outcome, event.because
    if event.outcome is not Outcome.DONE:
        state.last = event
