"""All events in one type: what the journal may hold."""

from __future__ import annotations

from underway.journal.events import acts, alerts, backups, database, home, incidents, people, releases

AnyEvent = (
    acts.ActStarted
    | acts.Planned
    | acts.BudgetOverdrawn
    | acts.StepStarted
    | acts.StepDone
    | acts.StepFailed
    | acts.UndoStarted
    | acts.UndoDone
    | acts.UndoFailed
    | releases.ReleaseMade
    | releases.SlotTaken
    | releases.SlotFreed
    | releases.Routed
    | database.MigrationsLinted
    | database.Rehearsed
    | database.CodeTried
    | backups.BackupMade
    | backups.BackupFailed
    | backups.BackupProven
    | backups.BackupFoundDamaged
    | backups.BackupCopied
    | backups.BackupsRemoved
    | home.ScheduleMissed
    | home.ClockJumped
    | database.DatabaseRestored
    | alerts.AlertRaised
    | alerts.AlertCleared
    | alerts.AlertAcknowledged
    | alerts.AlertSilenced
    | alerts.MessageDecided
    | alerts.MessageSent
    | alerts.MessageGivenUp
    | database.Migrated
    | releases.TrafficSwitched
    | acts.ShareMoved
    | acts.ProbesMade
    | acts.Paused
    | acts.Ordered
    | acts.Judged
    | acts.Weighed
    | acts.Interrupted
    | acts.Finished
    | releases.InstanceLost
    | releases.ReleasePruned
    | releases.AppRemoved
    | releases.MaintenanceSet
    | people.EnvironmentChanged
    | people.EnvironmentRead
    | releases.EnvironmentGiven
    | people.AccessChanged
    | people.LoggedIn
    | people.LogInRefused
    | people.Acted
    | incidents.IncidentOpened
    | incidents.IncidentUpdated
    | home.AgentStarted
)
