"""State is a fold over events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import msgspec

from underway.journal.act_state import ActEvent, ActState
from underway.journal.app_state import AppState, ReleaseState, SlotState
from underway.journal.events.acts import (
    ActKind,
    ActStarted,
    Finished,
    Interrupted,
    Judged,
    Ordered,
    Paused,
    Planned,
    ProbesMade,
    ShareMoved,
    Weighed,
)
from underway.journal.events.alerts import (
    AlertAcknowledged,
    AlertCleared,
    AlertRaised,
    AlertSilenced,
    MessageDecided,
    MessageGivenUp,
    MessageSent,
)
from underway.journal.events.backups import (
    BackupCopied,
    BackupFailed,
    BackupFoundDamaged,
    BackupMade,
    BackupProven,
    BackupsRemoved,
)
from underway.journal.events.database import CodeTried, DatabaseRestored, Migrated, MigrationsLinted, Rehearsed
from underway.journal.events.event import Event
from underway.journal.events.every_event import AnyEvent
from underway.journal.events.home import AgentStarted, ClockJumped, ScheduleMissed
from underway.journal.events.incidents import IncidentOpened, IncidentUpdated
from underway.journal.events.people import (
    AccessChanged,
    Acted,
    EnvironmentChanged,
    EnvironmentRead,
    LoggedIn,
    LogInRefused,
)
from underway.journal.events.releases import (
    AppRemoved,
    EnvironmentGiven,
    InstanceLost,
    MaintenanceSet,
    ReleaseMade,
    ReleasePruned,
    Routed,
    SlotFreed,
    SlotTaken,
    TrafficSwitched,
)
from underway.journal.recorded import Recorded
from underway.journal.transitions import follow_on, holder
from underway.terms.incident import Incident, IncidentStage, IncidentUpdate
from underway.terms.outcome import Outcome
from underway.terms.verdict import Action, Verdict


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
    if isinstance(event, ActEvent):
        assert act is not None  # the table lets it come in an act only
        act.enter(event, at)
        return
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
        case IncidentOpened() | IncidentUpdated():
            _told_visitors(state, event, at)
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
            MigrationsLinted()
            | BackupFoundDamaged()
            | BackupsRemoved()
            | ScheduleMissed()
            | ClockJumped()
            | AgentStarted()
        ):
            pass
        case EnvironmentChanged() | EnvironmentRead() | AccessChanged() | LoggedIn() | LogInRefused() | Acted():
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


def _told_visitors(state: AppState, event: IncidentOpened | IncidentUpdated, at: float) -> None:
    if isinstance(event, IncidentOpened):
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
    elif incident := state.incidents.get(event.incident):
        told = IncidentUpdate(at=at, stage=event.stage, text=event.text, by=event.by)
        ended_at = at if event.stage is IncidentStage.RESOLVED else 0.0
        state.incidents[event.incident] = msgspec.structs.replace(
            incident, updates=(*incident.updates, told), ended_at=ended_at
        )
