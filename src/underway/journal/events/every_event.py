"""All events in one type: what the journal may hold."""

from __future__ import annotations

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

AnyEvent = (
    ActStarted
    | Planned
    | BudgetOverdrawn
    | StepStarted
    | StepDone
    | StepFailed
    | UndoStarted
    | UndoDone
    | UndoFailed
    | ReleaseMade
    | SlotTaken
    | SlotFreed
    | Routed
    | MigrationsLinted
    | Rehearsed
    | CodeTried
    | BackupMade
    | BackupFailed
    | BackupProven
    | BackupFoundDamaged
    | BackupCopied
    | BackupsRemoved
    | ScheduleMissed
    | ClockJumped
    | DatabaseRestored
    | AlertRaised
    | AlertCleared
    | AlertAcknowledged
    | AlertSilenced
    | MessageDecided
    | MessageSent
    | MessageGivenUp
    | Migrated
    | TrafficSwitched
    | ShareMoved
    | ProbesMade
    | Paused
    | Ordered
    | Judged
    | Weighed
    | Interrupted
    | Finished
    | InstanceLost
    | ReleasePruned
    | AppRemoved
    | MaintenanceSet
    | EnvironmentChanged
    | EnvironmentRead
    | EnvironmentGiven
    | AccessChanged
    | LoggedIn
    | LogInRefused
    | Acted
    | IncidentOpened
    | IncidentUpdated
    | AgentStarted
)
