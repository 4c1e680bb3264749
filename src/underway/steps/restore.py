"""Putting an app's data back: beside what is live first, then in its place, while the app does not run."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from underway.journal.events.backups import BackupMade, BackupProven
from underway.journal.events.database import DatabaseRestored
from underway.ports.drivers import Drivers
from underway.steps.back_up import damaged, find_backup, identity_of
from underway.steps.step import Act, Did
from underway.terms.backup import Backup, Content, Measured, Proof, Reason, differences, held_by, no_such_backup
from underway.terms.problem import Failure, Problem


class RecoverPoint(msgspec.Struct, frozen=True, kw_only=True, tag="recover_point", tag_field="step"):
    """Make a backup of the app's databases as they were at a moment, from the server's log and SQLite's replicas."""

    backup: str
    until: float
    release: str = ""
    recipients: tuple[str, ...] = ()
    has_postgres: bool = True
    shared: tuple[str, ...] = ()
    """The SQLite databases among the shared files."""

    id: str = "recover"
    is_one_way: bool = False

    def says(self) -> str:
        return f"recover {self._what()} as it was at {moment(self.until)}, somewhere else"

    def _what(self) -> str:
        return ", ".join((*(["the database"] if self.has_postgres else []), *self.shared))

    def undo_says(self) -> str:
        return "nothing to undo: the recovered database is kept as a backup"

    async def apply(self, act: Act, on: Drivers) -> Did:
        if find_backup(act.app, self.backup, on):
            return Did()
        began = on.clock.monotonic()
        folder = on.backups.begin(act.app, self.backup)
        try:
            parts = [
                await on.replicas.recover(act.app, source, self.until, folder, self.recipients)
                for source in self.shared
            ]
            if self.has_postgres:
                parts.insert(0, await on.points.recover(act.app, self.until, folder, self.recipients))
            made = Backup(
                id=self.backup,
                app=act.app,
                reason=Reason.RESTORE,
                at=self.until,
                took_s=round(on.clock.monotonic() - began, 3),
                parts=tuple(parts),
                release=self.release,
                recipients=self.recipients,
            )
            on.backups.finish(made)
        except BaseException:
            on.backups.abandon(act.app, self.backup)
            raise
        return Did(
            (BackupMade(app=act.app, act=act.id, backup=made),),
            f"backup {made.id}, {sum(part.rows for part in parts):,} rows",
        )

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()


def moment(at: float) -> str:
    """In UTC: a plan says the same wherever it is made."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"


class RestoreBeside(msgspec.Struct, frozen=True, kw_only=True, tag="restore_beside", tag_field="step"):
    """Restore every part of a backup beside what is live, and compare it with the backup's manifest. The app runs
    on meanwhile."""

    backup: str

    id: str = "restore_beside"
    is_one_way: bool = False

    def says(self) -> str:
        return f"restore backup {self.backup} beside the live data, and compare"

    def undo_says(self) -> str:
        return "leave it: the next restore replaces it"

    async def apply(self, act: Act, on: Drivers) -> Did:
        kept = find_backup(act.app, self.backup, on)
        if kept is None:
            raise Failure(no_such_backup(act.app, self.backup))
        if damage := await on.backups.damage(act.app, self.backup):
            raise Failure(damaged(act.app, self.backup, damage))
        began = on.clock.monotonic()
        rows = tables = files = 0
        for part in kept.backup.parts:
            file = on.backups.file(act.app, self.backup, part.file, identity_of(act.app, on))
            found: Measured
            if part.content is Content.POSTGRES:
                found = await on.dumps.restore_beside(act.app, file)
            else:
                found = await on.file_copies.restore_beside(act.app, file)
            if wrong := differences(part, found):
                raise Failure(_differs(act.app, self.backup, wrong))
            tables += len(found.tables)
            rows += sum(found.tables.values())
            files += 0 if found.tables else found.files
        proof = Proof(
            backup=self.backup,
            at=on.clock.now(),
            how="restore",
            server=kept.backup.server_version,
            restore_s=round(on.clock.monotonic() - began, 3),
            lost_s=round(max(0.0, on.clock.now() - kept.backup.at), 3),
            tables=tables,
            rows=rows,
            files=files,
        )
        on.backups.note(act.app, self.backup, proof=proof)
        return Did((BackupProven(app=act.app, act=act.id, proof=proof),), held_by(tables, rows, files))

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()


class SwapData(msgspec.Struct, frozen=True, kw_only=True, tag="swap_data", tag_field="step"):
    """Put the restored data in the place of the live one, which is kept under the name `former`."""

    backup: str
    former: str
    has_postgres: bool = False
    shared: tuple[str, ...] = ()
    older: str = ""
    """The name that the restore before this one kept its former data under: it goes."""

    id: str = "swap_data"
    is_one_way: bool = False

    def says(self) -> str:
        return f"put the restored data in the place of the live one, which is kept as {self.former}"

    def undo_says(self) -> str:
        return "put the former data back"

    async def apply(self, act: Act, on: Drivers) -> Did:
        await on.replicas.pause()
        if self.has_postgres:
            await on.dumps.swap(act.app, self.former)
        for source in self.shared:
            await on.file_copies.swap(act.app, source, self.former)
        return Did((DatabaseRestored(app=act.app, act=act.id, backup=self.backup, former=self.former),))

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        await on.replicas.pause()
        if self.has_postgres:
            await on.dumps.swap_back(act.app, self.former)
        for source in self.shared:
            await on.file_copies.swap_back(act.app, source, self.former)
        return Did((DatabaseRestored(app=act.app, act=act.id, backup="", former=""),))


class DropFormer(msgspec.Struct, frozen=True, kw_only=True, tag="drop_former", tag_field="step"):
    """Remove the data that an earlier restore replaced: one former is kept, not all of them."""

    former: str
    has_postgres: bool = False
    shared: tuple[str, ...] = ()

    id: str = "drop_former"
    is_one_way: bool = True

    def says(self) -> str:
        return f"remove {self.former}, which an earlier restore replaced"

    def undo_says(self) -> str:
        return "cannot be undone: it is older than the data that this restore replaced"

    async def apply(self, act: Act, on: Drivers) -> Did:
        if self.has_postgres:
            await on.dumps.drop_former(act.app, self.former)
        for source in self.shared:
            await on.file_copies.drop_former(act.app, source, self.former)
        return Did()

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()


def _differs(app: str, backup: str, wrong: tuple[str, ...]) -> Problem:
    return Problem(
        code="backup.differs",
        where=f"{app} {backup}",
        why=f"what was restored is not what was backed up: {'; '.join(wrong[:5])}",
        remedy="use another backup; the live data was not touched",
        command=f"underway db backups {app}",
    )
