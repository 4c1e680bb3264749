"""A migration that is run back: tried there and back with the release, tried again on today's data, and then done."""

from __future__ import annotations

import dataclasses

import msgspec

from underway.journal.events.database import CodeTried, Migrated
from underway.lint.shape import differences
from underway.ports.copies import Scratch
from underway.ports.drivers import Drivers
from underway.ports.migrations import MigrationsAsk
from underway.ports.schemas import Purpose
from underway.steps.build_release import find_build
from underway.steps.environment import DATABASE_PASSWORD, environment
from underway.steps.migrate import MIGRATE_PASSWORD, MOST_CHANGES, migration_task
from underway.steps.on_a_copy import Migrating, how_it_ended, is_good, migrated_on, require_room
from underway.steps.step import Act, Did
from underway.steps.try_code import CodeAsk, tried
from underway.terms.problem import Failure, Problem
from underway.terms.rehearsal import Fit, Lost, Observed, Runs, WayBack, said_lost


async def there_and_back(ask: Migrating, there: Observed, act: Act, on: Drivers) -> WayBack:
    """Whether the migrations of a release, which did `there` on a copy, can be run back: tried on another copy, on
    which nothing else happens. What that one held before is compared with what it holds after both ways."""
    build = find_build(act.app, ask.key, on)
    printing = MigrationsAsk(app=act.app, release=ask.release, tree_dir=build.dir, migrate=ask.migrate, env={})
    command = await on.migrations.way_back(printing, there.was_head, there.now_head)
    if not command:
        because = "no tool is known that runs it back; [migrate] back can name a command"
        return WayBack(goes=Runs.NO, because=because)
    scratch = await _copy(act, on)
    try:
        await on.rehearsals.hold(scratch)
        forward, end = await migrated_on(scratch, ask, act, on)
        if not is_good(end):
            return WayBack(
                goes=Runs.UNKNOWN, command=command, because=f"forward it {how_it_ended(end)} the second time"
            )
        back, end = await migrated_on(scratch, ask, act, on, command)
        if not is_good(end):
            tail = next((line.strip() for line in reversed(end.log_tail) if line.strip()), "")
            because = f"run back on a copy it {how_it_ended(end)}" + f": {tail[:200]}" * bool(tail)
            return WayBack(goes=Runs.NO, command=command, because=because)
        lost = await on.rehearsals.lost(scratch)
    finally:
        await on.scratches.drop(scratch)
    if back.now_schema != forward.was_schema:
        because = "run back on a copy it left another schema than there was"
        return WayBack(goes=Runs.NO, command=command, because=because, schema=back.now_schema, lost=lost)
    return WayBack(
        goes=Runs.YES,
        because=f"it was run forward and back on a copy, back in {back.took_s:.1f} s, and the schema is what it was",
        command=command,
        schema=back.now_schema,
        head=back.now_head,
        took_s=back.took_s,
        lost=lost,
    )


async def _copy(act: Act, on: Drivers) -> Scratch:
    await require_room(act.app, on)
    await on.scratches.sweep_clones()
    return await on.scratches.clone(act.app, on.vault.ensure(act.app, DATABASE_PASSWORD, "password"))


class BackAsk(msgspec.Struct, frozen=True, kw_only=True):
    """The migrations of a release that are to be run back. `command` does it; `schema` and `head` are what it must
    leave, as it did when it was rehearsed with the release. `digest` names the migrations of the release that is gone
    back to (`to`), `was_digest` those that are run back."""

    migrating: Migrating
    command: str
    to: str
    schema: str
    head: str = ""
    digest: str = ""
    was_digest: str = ""


class RehearseBack(msgspec.Struct, frozen=True, kw_only=True, tag="rehearse_back", tag_field="step"):
    """Run the migrations back on a copy of today's database, count what it would lose, and try the release that is
    gone back to on what is left. Anything that is not as it was when it was rehearsed stops here."""

    ask: BackAsk
    target: CodeAsk | None = None
    may_lose: bool = False

    id: str = "rehearse_back"
    is_one_way: bool = False

    def says(self) -> str:
        return f"run the migration of {self.ask.migrating.release} back on a copy of today's database, and count"

    def undo_says(self) -> str:
        return "nothing to undo: the copy is gone"

    async def apply(self, act: Act, on: Drivers) -> Did:
        scratch = await _copy(act, on)
        try:
            await on.rehearsals.hold(scratch)
            back, end = await migrated_on(scratch, self.ask.migrating, act, on, self.ask.command)
            if not is_good(end):
                raise Failure(self._fails(f"it {how_it_ended(end)}", act), end.log_tail)
            if back.now_schema != self.ask.schema:
                raise Failure(self._fails(f"it leaves another schema than {self.ask.to} ran on", act))
            lost = await on.rehearsals.lost(scratch)
            if lost and not self.may_lose:
                raise Failure(_loses(lost, self.ask, act))
            fit = await self._tried(scratch, on)
        finally:
            await on.scratches.drop(scratch)
        if fit and fit.runs is Runs.NO:
            raise Failure(self._fails(f"{self.ask.to} does not run on what it leaves: {fit.because}", act))
        told = f"it loses {said_lost(lost)}" if lost else "nothing is lost"
        events = (CodeTried(app=act.app, act=act.id, fit=fit),) if fit else ()
        return Did(events, f"back in {back.took_s:.1f} s on a copy; {told}")

    async def _tried(self, scratch: Scratch, on: Drivers) -> Fit | None:
        if self.target is None or self.target.web is None:
            return None
        async with tried(self.target, scratch, on, "rehearsal") as running:
            trouble = await running.trouble()
        because = trouble or "it was started on a copy of the database after its migration was run back"
        runs = Runs.NO if trouble else Runs.YES
        return Fit(release=self.target.release, schema=self.ask.schema, runs=runs, because=because)

    def _fails(self, why: str, act: Act) -> Problem:
        return Problem(
            code="rollback.back-fails",
            where=f"release {self.ask.migrating.release}",
            why=f"on a copy of today's database its migration does not run back: {why}; nothing was changed",
            remedy="mend it forward with a new release, or take the data back to the restore point: underway rollback"
            f" {act.app} names it",
            command=f"underway logs {act.app} --process rehearsal",
        )

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()


class MigrateBack(msgspec.Struct, frozen=True, kw_only=True, tag="migrate_back", tag_field="step"):
    """Run the migrations back, with the code of the release that has them, while nobody writes."""

    ask: BackAsk
    backup: str = ""

    id: str = "migrate_back"
    is_one_way: bool = False

    def says(self) -> str:
        return f"run the migration of {self.ask.migrating.release} back: {self.ask.command.splitlines()[-1]}"

    def undo_says(self) -> str:
        return f"run it forward again; what it took away on its way back is in backup {self.backup}"

    async def apply(self, act: Act, on: Drivers) -> Did:
        ask = self.ask
        if await self._is_back(act, on):
            return Did()
        told = await self._run(ask.command, act, on, is_back=True)
        if told.schema != ask.schema:
            raise Failure(self._failed("left another schema than on the copy", act))
        return Did((told,))

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did((await self._run(self.ask.migrating.migrate.command, act, on, is_back=False),))

    async def _is_back(self, act: Act, on: Drivers) -> bool:
        """It was done before a crash: not every tool can be asked twice."""
        is_there = (await on.schemas.shape(act.app)).digest == self.ask.schema
        return is_there and await on.schemas.head(act.app) == self.ask.head

    async def _run(self, command: str, act: Act, on: Drivers, *, is_back: bool) -> Migrated:
        ask, keys = self.ask.migrating, self.ask.migrating.migrate
        build = find_build(act.app, ask.key, on)
        before, was_head, began = (
            await on.schemas.shape(act.app),
            await on.schemas.head(act.app),
            await on.instants.now(act.app),
        )
        login = await on.schemas.open_login(
            act.app,
            Purpose.MIGRATE,
            on.vault.ensure(act.app, MIGRATE_PASSWORD, "password"),
            lock_timeout_s=keys.lock_timeout_s,
            statement_timeout_s=keys.statement_timeout_s,
        )
        env = await environment(ask.env, build, on, login)
        migrate = dataclasses.replace(keys, command=command)
        try:
            end = await on.commands.run(migration_task(act.app, ask.release, migrate, build, env, on, "migrate"))
        finally:
            await on.schemas.close_login(act.app, Purpose.MIGRATE)
        if not is_good(end):
            raise Failure(self._failed(how_it_ended(end), act), end.log_tail)
        after = await on.schemas.shape(act.app)
        changes, is_additive = differences(before, after)
        return Migrated(
            app=act.app,
            act=act.id,
            release=ask.release,
            digest=self.ask.digest if is_back else self.ask.was_digest,
            was_schema=before.digest,
            schema=after.digest,
            is_additive=is_additive,
            changes=tuple(changes[:MOST_CHANGES]),
            between=(began, await on.instants.now(act.app)),
            was_head=was_head,
            head=await on.schemas.head(act.app),
            is_back=is_back,
        )

    def _failed(self, why: str, act: Act) -> Problem:
        return Problem(
            code="migrate.back-failed",
            where=f"release {self.ask.migrating.release}",
            why=f"running its migration back {why}; backup {self.backup} holds the data as it was",
            remedy="read its last lines below; the release that ran is started again",
            command=f"underway logs {act.app} --process migrate",
        )


def _loses(lost: tuple[Lost, ...], ask: BackAsk, act: Act) -> Problem:
    return Problem(
        code="rollback.loses",
        where=act.app,
        why=f"running the migration of {ask.migrating.release} back would lose {said_lost(lost)}; nothing was changed",
        remedy="when that may go: --migrate-back --allow loss. A backup of it all is made before",
        command=f"underway rollback {act.app} --to {ask.to} --migrate-back --allow loss",
    )
