"""Events of backups: made, proven, copied, removed."""

from __future__ import annotations

from underway.journal.events.event import Event
from underway.terms.backup import Backup, Proof
from underway.terms.problem import Problem


class BackupMade(Event, frozen=True, kw_only=True, tag="backup_made"):
    """A backup is whole on the disk. It proves nothing until it was restored."""

    backup: Backup


class BackupFailed(Event, frozen=True, kw_only=True, tag="backup_failed"):
    """A backup, its copy off the machine, its check or its drill did not succeed. `what` is backup | copy | drill |
    verify; `backup` its id, empty when none came to be."""

    what: str
    problem: Problem
    backup: str = ""


class BackupProven(Event, frozen=True, kw_only=True, tag="backup_proven"):
    """A backup was restored, and the restored database is what was backed up."""

    proof: Proof


class BackupFoundDamaged(Event, frozen=True, kw_only=True, tag="backup_found_damaged"):
    """A backup cannot be what it was: a file is gone, empty, cut short or changed, or a drill found otherwise."""

    backup: str
    damage: str


class BackupCopied(Event, frozen=True, kw_only=True, tag="backup_copied"):
    """A backup lies at a remote as well, and what lies there was compared."""

    backup: str
    remote: str
    took_s: float


class BackupsRemoved(Event, frozen=True, kw_only=True, tag="backups_removed"):
    """Retention removed these, or a person a snapshot; `freed_bytes` is what they took. `remote` is where, empty for
    this machine."""

    backups: tuple[str, ...]
    freed_bytes: int
    remote: str = ""
