"""The table of what may follow what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from underway.journal.act_state import Phase
from underway.journal.app_state import AppState
from underway.journal.events.acts import (
    ActStarted,
    BudgetOverdrawn,
    Finished,
    Interrupted,
    Judged,
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


class IllegalTransition(Exception):
    """The journal says something that cannot follow what it said before. A fault of Underway."""


_WHENEVER = {phase: phase for phase in Phase}
_WHILE_RUNNING = {Phase.RUNNING: Phase.RUNNING}
_WHILE_ACTING = {**_WHILE_RUNNING, Phase.UNDOING: Phase.UNDOING}
_LEGAL: Mapping[type[Event], Mapping[Phase, Phase]] = {
    ActStarted: {Phase.NONE: Phase.STARTED},
    Planned: {Phase.STARTED: Phase.RUNNING},
    BudgetOverdrawn: _WHILE_RUNNING,
    StepStarted: _WHILE_RUNNING,
    StepDone: _WHILE_RUNNING,
    StepFailed: {Phase.RUNNING: Phase.UNDOING},
    Judged: _WHILE_RUNNING,
    Weighed: _WHILE_ACTING,
    ShareMoved: _WHILE_ACTING,
    ProbesMade: _WHILE_RUNNING,
    Paused: _WHILE_RUNNING,
    Ordered: _WHILE_RUNNING,
    UndoStarted: {Phase.RUNNING: Phase.UNDOING, Phase.UNDOING: Phase.UNDOING},
    UndoDone: {Phase.UNDOING: Phase.UNDOING},
    UndoFailed: {Phase.UNDOING: Phase.UNDOING},
    Interrupted: {Phase.STARTED: Phase.STARTED, Phase.RUNNING: Phase.RUNNING, Phase.UNDOING: Phase.UNDOING},
    Finished: dict.fromkeys((Phase.STARTED, Phase.RUNNING, Phase.UNDOING), Phase.NONE),
    ReleaseMade: _WHILE_RUNNING,
    SlotTaken: _WHILE_ACTING,
    SlotFreed: _WHILE_ACTING,
    Routed: _WHILE_ACTING,
    MigrationsLinted: _WHILE_RUNNING,
    DatabaseRestored: _WHILE_ACTING,
    CodeTried: _WHILE_RUNNING,
    Rehearsed: _WHILE_RUNNING,
    Migrated: _WHILE_ACTING,
    TrafficSwitched: _WHILE_ACTING,
    ReleasePruned: _WHILE_RUNNING,
    AppRemoved: _WHILE_RUNNING,
    InstanceLost: _WHENEVER,
    MaintenanceSet: _WHENEVER,
    EnvironmentChanged: _WHENEVER,
    EnvironmentRead: _WHENEVER,
    EnvironmentGiven: _WHENEVER,
    AccessChanged: _WHENEVER,
    LoggedIn: _WHENEVER,
    LogInRefused: _WHENEVER,
    Acted: _WHENEVER,
    IncidentOpened: _WHENEVER,
    IncidentUpdated: _WHENEVER,
    AgentStarted: _WHENEVER,
    BackupMade: _WHENEVER,
    BackupFailed: _WHENEVER,
    BackupProven: _WHENEVER,
    BackupFoundDamaged: _WHENEVER,
    BackupCopied: _WHENEVER,
    BackupsRemoved: _WHENEVER,
    ScheduleMissed: _WHENEVER,
    ClockJumped: _WHENEVER,
    AlertRaised: _WHENEVER,
    AlertCleared: _WHENEVER,
    AlertAcknowledged: _WHENEVER,
    AlertSilenced: _WHENEVER,
    MessageDecided: _WHENEVER,
    MessageSent: _WHENEVER,
    MessageGivenUp: _WHENEVER,
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
