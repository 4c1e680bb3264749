"""The table of what may follow what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from underway.journal.act_state import Phase
from underway.journal.app_state import AppState
from underway.journal.events import acts, alerts, backups, database, home, incidents, people, releases
from underway.journal.events.event import Event


class IllegalTransition(Exception):
    """The journal says something that cannot follow what it said before. A fault of Underway."""


_WHENEVER = {phase: phase for phase in Phase}
_WHILE_RUNNING = {Phase.RUNNING: Phase.RUNNING}
_WHILE_ACTING = {**_WHILE_RUNNING, Phase.UNDOING: Phase.UNDOING}
_LEGAL: Mapping[type[Event], Mapping[Phase, Phase]] = {
    acts.ActStarted: {Phase.NONE: Phase.STARTED},
    acts.Planned: {Phase.STARTED: Phase.RUNNING},
    acts.BudgetOverdrawn: _WHILE_RUNNING,
    acts.StepStarted: _WHILE_RUNNING,
    acts.StepDone: _WHILE_RUNNING,
    acts.StepFailed: {Phase.RUNNING: Phase.UNDOING},
    acts.Judged: _WHILE_RUNNING,
    acts.Weighed: _WHILE_ACTING,
    acts.ShareMoved: _WHILE_ACTING,
    acts.ProbesMade: _WHILE_RUNNING,
    acts.Paused: _WHILE_RUNNING,
    acts.Ordered: _WHILE_RUNNING,
    acts.UndoStarted: {Phase.RUNNING: Phase.UNDOING, Phase.UNDOING: Phase.UNDOING},
    acts.UndoDone: {Phase.UNDOING: Phase.UNDOING},
    acts.UndoFailed: {Phase.UNDOING: Phase.UNDOING},
    acts.Interrupted: {Phase.STARTED: Phase.STARTED, Phase.RUNNING: Phase.RUNNING, Phase.UNDOING: Phase.UNDOING},
    acts.Finished: dict.fromkeys((Phase.STARTED, Phase.RUNNING, Phase.UNDOING), Phase.NONE),
    releases.ReleaseMade: _WHILE_RUNNING,
    releases.SlotTaken: _WHILE_ACTING,
    releases.SlotFreed: _WHILE_ACTING,
    releases.Routed: _WHILE_ACTING,
    database.MigrationsLinted: _WHILE_RUNNING,
    database.DatabaseRestored: _WHILE_ACTING,
    database.CodeTried: _WHILE_RUNNING,
    database.Rehearsed: _WHILE_RUNNING,
    database.Migrated: _WHILE_ACTING,
    releases.TrafficSwitched: _WHILE_ACTING,
    releases.ReleasePruned: _WHILE_RUNNING,
    releases.AppRemoved: _WHILE_RUNNING,
    releases.InstanceLost: _WHENEVER,
    releases.MaintenanceSet: _WHENEVER,
    people.EnvironmentChanged: _WHENEVER,
    people.EnvironmentRead: _WHENEVER,
    releases.EnvironmentGiven: _WHENEVER,
    people.AccessChanged: _WHENEVER,
    people.LoggedIn: _WHENEVER,
    people.LogInRefused: _WHENEVER,
    people.Acted: _WHENEVER,
    incidents.IncidentOpened: _WHENEVER,
    incidents.IncidentUpdated: _WHENEVER,
    home.AgentStarted: _WHENEVER,
    backups.BackupMade: _WHENEVER,
    backups.BackupFailed: _WHENEVER,
    backups.BackupProven: _WHENEVER,
    backups.BackupFoundDamaged: _WHENEVER,
    backups.BackupCopied: _WHENEVER,
    backups.BackupsRemoved: _WHENEVER,
    home.ScheduleMissed: _WHENEVER,
    home.ClockJumped: _WHENEVER,
    alerts.AlertRaised: _WHENEVER,
    alerts.AlertCleared: _WHENEVER,
    alerts.AlertAcknowledged: _WHENEVER,
    alerts.AlertSilenced: _WHENEVER,
    alerts.MessageDecided: _WHENEVER,
    alerts.MessageSent: _WHENEVER,
    alerts.MessageGivenUp: _WHENEVER,
}
"""Which event may come in which phase of the app's act, and the phase after it."""


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
