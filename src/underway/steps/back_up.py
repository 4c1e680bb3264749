"""Taking a backup: every part into a hidden folder, the manifest last."""

from __future__ import annotations

import msgspec

from underway.journal.events.backups import BackupMade
from underway.ports.copies import Progress, unheard
from underway.ports.drivers import Drivers
from underway.steps.step import Act, Did
from underway.terms.backup import Backup, Kept, Part, Reason
from underway.terms.problem import Failure, Problem
from underway.terms.secret import Secret

BACKUP_IDENTITY = "UNDERWAY_BACKUP_IDENTITY"
"""Name in the vault of the app's own age identity: without it this machine could not drill an encrypted backup."""


class BackupAsk(msgspec.Struct, frozen=True, kw_only=True):
    """What to back up. `shared` are paths in the app's shared storage: SQLite files are copied as databases, all
    else as files; with `only_databases` plain files are left out."""

    app: str
    id: str
    reason: Reason
    has_postgres: bool = False
    shared: tuple[str, ...] = ()
    only_databases: bool = False
    recipients: tuple[str, ...] = ()
    release: str = ""
    migrations: str = ""
    name: str = ""


async def take_backup(ask: BackupAsk, on: Drivers, progress: Progress = unheard) -> Backup:
    """Make the backup, or return the one that is there under this id. Raises `Failure`; nothing half-made is listed."""
    if done := find_backup(ask.app, ask.id, on):
        return done.backup
    began, at = on.clock.monotonic(), on.clock.now()
    recipients = _recipients(ask, on)
    folder = on.backups.begin(ask.app, ask.id)
    parts: list[Part] = []
    try:
        if ask.has_postgres:
            parts.append(await on.dumps.dump(ask.app, folder, recipients, progress))
        for source in ask.shared:
            part = await on.file_copies.take(
                ask.app, source, folder, recipients, only_databases=ask.only_databases, progress=progress
            )
            parts += [part] if part else []
        if not parts:
            raise Failure(nothing_to_back_up(ask.app))
        backup = Backup(
            id=ask.id,
            app=ask.app,
            reason=ask.reason,
            at=at,
            took_s=round(on.clock.monotonic() - began, 3),
            parts=tuple(parts),
            release=ask.release,
            migrations=ask.migrations,
            recipients=recipients,
            name=ask.name,
        )
        on.backups.finish(backup)
    except BaseException:
        on.backups.abandon(ask.app, ask.id)
        raise
    return backup


def find_backup(app: str, backup_id: str, on: Drivers) -> Kept | None:
    return next((kept for kept in on.backups.all(app) if kept.backup.id == backup_id), None)


def identity_of(app: str, on: Drivers) -> Secret | None:
    """The app's own key, None when no backup of it was ever encrypted."""
    return on.vault.values(app).get(BACKUP_IDENTITY)


def _recipients(ask: BackupAsk, on: Drivers) -> tuple[str, ...]:
    if not ask.recipients:
        return ()
    identity = identity_of(ask.app, on)
    if identity is None:
        identity = on.seals.new_identity()
        on.vault.put(ask.app, BACKUP_IDENTITY, identity)
    own = on.seals.recipient_of(identity)
    return (*ask.recipients, *(() if own in ask.recipients else (own,)))


def nothing_to_back_up(app: str) -> Problem:
    return Problem(
        code="backup.nothing",
        where=app,
        why=f"{app} has no database that Underway provides, and no shared files",
        remedy="name what must outlive a release under shared in underway.toml, or ask for PostgreSQL in [services]",
    )


class BackUp(msgspec.Struct, frozen=True, kw_only=True, tag="back_up", tag_field="step"):
    """Back up the app's data before something changes it."""

    ask: BackupAsk

    id: str = "back_up"
    is_one_way: bool = False

    def says(self) -> str:
        before = {Reason.MIGRATION: "migrating", Reason.RESTORE: "restoring", Reason.RESET: "the reset"}
        return f"back up the data before {before[self.ask.reason]}" if self.ask.reason in before else "back up the data"

    def undo_says(self) -> str:
        return "nothing to undo: the backup is kept"

    async def apply(self, act: Act, on: Drivers) -> Did:
        try:
            backup = await take_backup(self.ask, on)
        except Failure as failure:
            if failure.problem.code != "backup.nothing" or self.ask.reason is not Reason.MIGRATION:
                raise
            return Did((), "there is nothing to back up yet")
        rows = f", {backup.database.rows:,} rows" if backup.database else ""
        made = BackupMade(app=act.app, act=act.id, backup=backup)
        return Did((made,), f"backup {backup.id} ({backup.size_bytes / 1e6:.2f} MB{rows})")

    async def verify(self, act: Act, on: Drivers) -> None:
        if not find_backup(act.app, self.ask.id, on):
            return  # there was nothing to back up
        if damage := await on.backups.damage(act.app, self.ask.id):
            raise Failure(damaged(act.app, self.ask.id, damage))

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()


def damaged(app: str, backup_id: str, damage: str) -> Problem:
    return Problem(
        code="backup.damaged",
        where=f"{app} {backup_id}",
        why=f"the backup is damaged: {damage}",
        remedy="use another backup, or fetch this one from where a copy of it is kept",
        command=f"underway db backups {app}",
    )
