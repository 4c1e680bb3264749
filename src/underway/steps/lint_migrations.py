from __future__ import annotations

import msgspec

from underway.journal.events.database import MigrationsLinted
from underway.lint.lint import lint, mark_allowed, stopping
from underway.manifest.migrate import Migrate
from underway.ports.drivers import Drivers
from underway.ports.migrations import MigrationsAsk, Pending
from underway.ports.schemas import Login, Purpose
from underway.ports.services import DatabaseAddress
from underway.steps.build_release import find_build
from underway.steps.environment import EnvAsk, environment
from underway.steps.step import Act, Did
from underway.terms.count import counted
from underway.terms.migration import Hazard
from underway.terms.problem import Problem, Refusal
from underway.terms.release import Build
from underway.terms.secret import Secret

LOOK_PASSWORD = "UNDERWAY_LOOK_PASSWORD"  # noqa: S105 - the name under which the vault keeps it
_PATIENCE_S = 30.0
NOWHERE = Login(
    address=DatabaseAddress(host="127.0.0.1", port=1, user="nobody", database="nowhere"), password=Secret("none")
)
"""A database that is not there, for tools that only want its address."""


class Linted(msgspec.Struct, frozen=True, kw_only=True):
    """What is pending, and what is wrong with it."""

    pending: Pending
    hazards: tuple[Hazard, ...] = ()


class LintMigrations(msgspec.Struct, frozen=True, kw_only=True, tag="lint_migrations", tag_field="step"):
    """Read the SQL of what is pending, and stop before anything is changed where it would harm those who use the
    database. `allowed` says why it may, empty when it may not."""

    release: str
    key: str
    migrate: Migrate
    env: EnvAsk
    was_key: str = ""
    allowed: str = ""

    id: str = "lint"
    is_one_way: bool = False

    def says(self) -> str:
        return "read the SQL of the pending migrations" + (
            f"; what it does is allowed: {self.allowed}" * bool(self.allowed)
        )

    def undo_says(self) -> str:
        return "nothing to undo"

    async def apply(self, act: Act, on: Drivers) -> Did:
        build = find_build(act.app, self.key, on)
        was = on.builds.find(act.app, self.was_key) if self.was_key else None
        linted = await linted_migrations(
            act.app, self.release, self.migrate, self.env, build, was.dir if was else "", on
        )
        hazards = mark_allowed(linted.hazards, self.allowed) if self.allowed else linted.hazards
        if found := stopping(hazards):
            raise Refusal([hazard_problem(hazard) for hazard in found])
        told = MigrationsLinted(
            app=act.app,
            act=act.id,
            release=self.release,
            tool=linted.pending.tool,
            migrations=tuple(script.name for script in linted.pending.scripts),
            hazards=hazards,
            why_not=linted.pending.why_not,
        )
        return Did((told,), _result(linted.pending, hazards))

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()


async def linted_migrations(
    app: str,
    release: str,
    migrate: Migrate,
    ask: EnvAsk,
    build: Build,
    was_dir: str,
    on: Drivers,
    *,
    is_new: bool = False,
) -> Linted:
    """What the migrations of a build would do that the app's database does not carry yet. Changes nothing.

    `is_new` for an app that was never deployed here: all of them are pending, and there is nothing to ask.
    """
    is_ours = ask.postgres is not None and not ask.postgres.url
    through = NOWHERE if is_ours and is_new else None
    if is_ours and not is_new:
        password = on.vault.ensure(app, LOOK_PASSWORD, "password")
        through = await on.schemas.open_login(
            app, Purpose.LOOK, password, lock_timeout_s=2.0, statement_timeout_s=_PATIENCE_S
        )
    env = await environment(ask, build, on, through)
    if not is_ours:
        env = env | {"PGOPTIONS": "-c default_transaction_read_only=on -c lock_timeout=2s"}
    pending = await on.migrations.pending(
        MigrationsAsk(
            app=app, release=release, tree_dir=build.dir, migrate=migrate, env=env, was_dir=was_dir, is_new=is_new
        )
    )
    if not pending.scripts:
        return Linted(pending=pending)
    is_known = is_ours and not is_new
    spotted = await on.migrations.spot(pending.scripts, await on.schemas.major() if is_known else 0)
    tables = await on.schemas.tables(app) if is_known else None
    return Linted(pending=pending, hazards=lint(pending.scripts, spotted, tables))


def hazard_problem(hazard: Hazard) -> Problem:
    """A hazard that stops a deploy, for people."""
    return Problem(
        code="migrate.hazard",
        where=f"{hazard.where}  {hazard.statement}",
        why=f"{hazard.harm.value} ({hazard.rule}): it {hazard.says}",
        remedy=f"{hazard.recipe}. When you mean it: [migrate] contract = true for this release, or --allow contract",
        command="underway db lint",
    )


def _result(pending: Pending, hazards: tuple[Hazard, ...]) -> str:
    if not pending.tool:
        return f"not read: {pending.why_not}"
    count = len(pending.scripts)
    read = counted(count, "migration") if count else "nothing is pending"
    return read + (f"; {len(hazards)} allowed: {hazards[0].rule}, {hazards[0].allowed}" if hazards else "")
