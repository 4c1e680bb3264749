from __future__ import annotations

import asyncio
import contextlib
from typing import NamedTuple

import msgspec

from underway.journal.events.database import Rehearsed
from underway.lint.lint import lint, stopping
from underway.manifest.migrate import Migrate
from underway.ports.copies import Scratch
from underway.ports.drivers import Drivers
from underway.ports.shadows import Shadow
from underway.steps.build_release import find_build
from underway.steps.environment import DATABASE_PASSWORD, EnvAsk
from underway.steps.lint_migrations import hazard_problem
from underway.steps.mentions import gone_names, named_in
from underway.steps.on_a_copy import (
    SPARE_BYTES,
    Migrating,
    how_it_ended,
    is_good,
    migrated_on,
    no_room,
    writes_elsewhere,
)
from underway.steps.step import Act, Did
from underway.steps.try_code import CodeAsk, Tried, tried
from underway.steps.way_back import there_and_back
from underway.terms.migration import Script
from underway.terms.problem import Failure, Problem, Refusal
from underway.terms.process import TaskEnd
from underway.terms.rehearsal import Fit, Observed, Rehearsal, Runs


class Rehearse(msgspec.Struct, frozen=True, kw_only=True, tag="rehearse", tag_field="step"):
    """Try the pending migrations on a copy of the database, and the release that runs on what they make of it.

    `was` is the release that runs, None when nothing does. `allowed` says why hazards, and a release that runs and does
    not run on the new schema, stop nothing; empty when they do. `is_read` when the lint read the SQL before.
    """

    release: str
    key: str
    migrate: Migrate
    env: EnvAsk
    was: CodeAsk | None = None
    new: CodeAsk | None = None
    """The release itself: where the migrations do more than add, it is tried on the copy before anything is changed."""
    allowed: str = ""
    is_asked: bool = False
    """Somebody asked for the rehearsal alone: it is done whatever the size, and judges nothing."""

    is_in_files: bool = False
    """The app's databases are SQLite files among what is shared."""

    id: str = "rehearse"
    is_one_way: bool = False

    def says(self) -> str:
        on_it = f", and {self.was.release} on the result" if self.was else ""
        return f"try the migrations on a copy of the database{on_it}"

    def undo_says(self) -> str:
        return "nothing to undo: the copy is gone"

    async def apply(self, act: Act, on: Drivers) -> Did:
        if why_not := await self._no_copy(act, on):
            return Did((), f"not done: {why_not}")
        began = on.clock.monotonic()
        copy = await self._copy(act, on)
        try:
            observed, fit = await self._on_a_copy(copy, act, on)
        except _Elsewhere:
            return Did((), "not known: the migration writes outside of what is shared, which is not copied")
        finally:
            await (on.scratches.drop(copy) if isinstance(copy, Scratch) else on.shadows.drop(copy))
        rehearsal = Rehearsal(
            how=copy.how,
            copy_took_s=round(copy.took_s, 3),
            took_s=round(on.clock.monotonic() - began, 3),
            observed=observed,
            old_code=fit,
        )
        if not self.is_asked and not self.allowed:
            await self._judge(rehearsal, act, on)
        if fit and fit.runs is not Runs.YES and not self.is_in_files:  # else the code alone goes back
            back = await there_and_back(self._migrating, observed, act, on)
            took_s = round(on.clock.monotonic() - began, 3)
            rehearsal = msgspec.structs.replace(rehearsal, back=back, took_s=took_s)
        told = Rehearsed(app=act.app, act=act.id, release=self.release, rehearsal=rehearsal)
        return Did((told,), rehearsal.says())

    async def _no_copy(self, act: Act, on: Drivers) -> str:
        """Why there will be none. Raises `Failure` (`rehearse.disk-full`) where there must be one."""
        size_bytes = await (on.shadows if self.is_in_files else on.schemas).size_bytes(act.app)
        if self.is_in_files and not size_bytes:
            return "there is no SQLite database among the shared files"
        if self.is_in_files and (why_not := await on.shadows.why_not()):
            return f"on this machine no process can be shown a copy in the place of the shared files ({why_not})"
        is_wanted = self.is_asked or self.migrate.rehearse == "always"
        if not is_wanted and size_bytes > self.migrate.rehearse_limit_bytes:
            limit = self.migrate.rehearse_limit_bytes / 1e6
            return f"the database has {size_bytes / 1e6:,.0f} MB, the limit is {limit:,.0f} MB"
        free = on.machine.disk_free_bytes()
        if free >= 2 * size_bytes + SPARE_BYTES:
            return ""
        if is_wanted:
            raise Failure(no_room(act.app, size_bytes, free))
        return f"a copy of {size_bytes / 1e6:,.0f} MB needs more than the {free / 1e6:,.0f} MB free"

    async def _copy(self, act: Act, on: Drivers) -> Scratch | Shadow:
        if not self.is_in_files:
            await on.scratches.sweep_clones()
            return await on.scratches.clone(act.app, on.vault.ensure(act.app, DATABASE_PASSWORD, "password"))
        builds = [find_build(act.app, key, on).dir for key in (self.key, *((self.was.key,) if self.was else ()))]
        return await on.shadows.cast(act.app, (*builds, str(on.home.logs(act.app))))

    async def _on_a_copy(self, copy: Scratch | Shadow, act: Act, on: Drivers) -> tuple[Observed, Fit | None]:
        """The old release runs before, during and after the migration, as it will; then it is started once more."""
        was = self.was if self.was and self.was.web else None
        observed, fit = await self._with_old_code(was, copy, act, on)
        if self.new and self.new.web and not observed.is_additive:
            async with tried(self.new, copy, on, "rehearsal") as new:
                if trouble := await new.trouble():
                    raise Failure(self._unfit(trouble, act))
        return observed, fit

    async def _with_old_code(
        self, was: CodeAsk | None, copy: Scratch | Shadow, act: Act, on: Drivers
    ) -> tuple[Observed, Fit | None]:
        async with contextlib.AsyncExitStack() as stack:
            baseline = ""
            old: Tried | None = None
            if was:
                old = await stack.enter_async_context(tried(was, copy, on, "rehearsal"))
                baseline = await old.trouble()
            observed = await self._migrated(copy, act, on)
            if was is None or old is None:
                return observed, None
            if baseline:
                because = f"it is not well on a copy of today's database either: {baseline}"
                return observed, _fit(was, observed, Runs.UNKNOWN, because)
            trouble = await old.trouble()
        if not trouble:
            async with tried(was, copy, on, "rehearsal") as again:
                trouble = await again.trouble()
                passed = again.passed
            if trouble:
                trouble = f"started anew, {trouble}"
        if trouble:
            return observed, _fit(was, observed, Runs.NO, trouble)
        named = ""
        if names := gone_names(observed.changes):
            tree = await asyncio.to_thread(on.sources.look, find_build(act.app, was.key, on).dir)
            named = named_in(tree, names, self.migrate.paths)
        return observed, _fit(was, observed, *_judged_well(observed, passed, named))

    async def _migrated(self, copy: Scratch | Shadow, act: Act, on: Drivers) -> Observed:
        """Run the command against the copy, watched. Raises `Failure` (`rehearse.failed`)."""
        observed, end = await migrated_on(copy, self._migrating, act, on)
        if self.is_in_files and writes_elsewhere(end):
            raise _Elsewhere
        if not is_good(end):
            raise Failure(self._failed(end, act), end.log_tail)
        return observed

    @property
    def _migrating(self) -> Migrating:
        return Migrating(release=self.release, key=self.key, migrate=self.migrate, env=self.env)

    async def _judge(self, rehearsal: Rehearsal, act: Act, on: Drivers) -> None:
        """Stop what would harm: statements that nothing could print before, and a release that runs and would not."""
        fit = rehearsal.old_code
        if fit and fit.runs is Runs.NO:
            raise Failure(breaks_old_code(fit))
        if self.is_in_files:
            return  # the rules of the lint are PostgreSQL's
        sql = ";\n".join(ran.statement.rstrip("; ") for ran in rehearsal.observed.statements)
        script = Script(name="rehearsal", sql=sql, is_atomic=False)
        spotted = await on.migrations.spot((script,), await on.schemas.major())
        if found := stopping(lint((script,), spotted, await on.schemas.tables(act.app))):
            raise Refusal([hazard_problem(hazard) for hazard in found])

    def _failed(self, end: TaskEnd, act: Act) -> Problem:
        return Problem(
            code="rehearse.failed",
            where=f"migrate.command: {self.migrate.command}",
            why=f"on a copy of the database the migration {how_it_ended(end)}; the database itself was not touched",
            remedy="mend the migration and deploy again; its last lines are below",
            command=f"underway logs {act.app} --process rehearsal",
        )

    def _unfit(self, trouble: str, act: Act) -> Problem:
        return Problem(
            code="rehearse.new-code",
            where=f"release {self.release}",
            why=f"on a copy of the database that its own migrations changed, it is not well: {trouble}; the database"
            " itself was not touched",
            remedy="mend the app or its migration and deploy again",
            command=f"underway logs {act.app} --process rehearsal",
        )

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()


class _Elsewhere(Exception):
    """A migration wrote to what was not copied."""


class _Judgement(NamedTuple):
    runs: Runs
    because: str


def _judged_well(observed: Observed, passed: list[str], named: str) -> _Judgement:
    """What it means that everything that was asked went well. `named` is where the code names what is gone."""
    if named:
        asked = f"what was asked of it ({', '.join(passed[:3])}) passed" if passed else "it is healthy"
        return _Judgement(Runs.UNKNOWN, f"{asked}, but {named}, which is there no more")
    if passed:
        names = ", ".join(passed[:3]) + (f" and {len(passed) - 3} more" if len(passed) > 3 else "")
        return _Judgement(Runs.YES, f"it ran while the schema changed and was started on it; passed: {names}")
    if observed.is_additive:
        return _Judgement(Runs.YES, "the migrations only add, and it is healthy on what they make")
    return _Judgement(
        Runs.UNKNOWN,
        "it is healthy, but that asks too little: the migrations change what it may use"
        f" ({'; '.join(observed.changes[:3])}), and there is no [[smoke]] that tries it",
    )


def _fit(was: CodeAsk, observed: Observed, runs: Runs, because: str) -> Fit:
    return Fit(release=was.release, schema=observed.now_schema, runs=runs, because=because)


def breaks_old_code(fit: Fit) -> Problem:
    return Problem(
        code="rehearse.old-code",
        where=f"release {fit.release}",
        why=f"the release that runs does not run on the new schema: {fit.because}. It serves until the new one is"
        " started and judged, and nothing could be rolled back by code alone; the database was not touched",
        remedy="expand and contract: let this release only add, and take away what the old one uses in a later one."
        " When you mean it: [migrate] contract = true for this release, or --allow contract",
        command="underway db lint",
    )
