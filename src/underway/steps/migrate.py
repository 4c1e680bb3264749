from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from underway.errors.told import told_in
from underway.errors.unset import settings_in
from underway.journal.events.database import Migrated
from underway.lint.shape import differences
from underway.manifest.migrate import Migrate
from underway.ports.drivers import Drivers
from underway.ports.schemas import Purpose
from underway.steps.back_up import find_backup
from underway.steps.build_release import find_build
from underway.steps.environment import EnvAsk, environment
from underway.steps.step import Act, Did
from underway.terms.environment import Environ, hidden_names
from underway.terms.problem import Failure, Problem
from underway.terms.process import Task, TaskEnd
from underway.terms.release import Build

MIGRATE_PASSWORD = "UNDERWAY_MIGRATE_PASSWORD"  # noqa: S105 - the name under which the vault keeps it
_LONGEST_PAUSE_S = 30.0
MOST_CHANGES = 100


class MigrateDatabase(msgspec.Struct, frozen=True, kw_only=True, tag="migrate_database", tag_field="step"):
    """Run the new release's migrations with the new code and the new environment, before any traffic."""

    release: str
    key: str
    migrate: Migrate
    env: EnvAsk
    digest: str = ""
    backup: str = ""
    """The backup that was made just before, empty for none."""
    is_in_files: bool = False
    """The app's databases are SQLite files among what is shared."""

    id: str = "migrate"
    is_one_way: bool = True

    def says(self) -> str:
        return f"migrate the database: {self.migrate.command}"

    def undo_says(self) -> str:
        kept = f"; backup {self.backup} holds {self._held} as it was" if self.backup else ""
        return f"cannot be undone: the database keeps what a migration did{kept}"

    async def apply(self, act: Act, on: Drivers) -> Did:
        build = find_build(act.app, self.key, on)
        env = await self._environment(act, build, on)
        place = on.schemas if self.is_ours else on.shadows if self.is_in_files else None
        before = await place.shape(act.app) if place else None
        was_head = await place.head(act.app) if place else ""
        began = await on.instants.now(act.app) if self.is_ours else None
        tries = 0
        while True:
            tries += 1
            end = await on.commands.run(self.task(act.app, build, env, on))
            if not end.exit_code and not end.timed_out:
                break
            if end.timed_out or tries >= self.migrate.lock_tries or not waited_for_lock(end):
                raise Failure(self._failed(end, tries, act, on), end.log_tail)
            await on.clock.sleep(min(2.0 ** (tries - 1), _LONGEST_PAUSE_S))
        said = f"at the {ordinal(tries)} try: a lock was not to be had before" if tries > 1 else ""
        if place is None or before is None:
            return Did((Migrated(app=act.app, act=act.id, release=self.release, digest=self.digest),), said)
        if self.is_ours:
            await on.schemas.close_login(act.app, Purpose.MIGRATE)
        after = await place.shape(act.app)
        changes, is_additive = differences(before, after)
        told = Migrated(
            app=act.app,
            act=act.id,
            release=self.release,
            digest=self.digest,
            was_schema=before.digest,
            schema=after.digest,
            is_additive=is_additive,
            changes=tuple(changes[:MOST_CHANGES]),
            between=(began, await on.instants.now(act.app)) if began else None,
            was_head=was_head,
            head=await place.head(act.app),
        )
        return Did((told,), "; ".join(filter(None, (told.head and f"now at {_shortly(told.head)}", said))))

    async def _environment(self, act: Act, build: Build, on: Drivers) -> Environ:
        """The app's environment, its database through a login of which every session has the two limits."""
        keys = self.migrate
        through = None
        if self.is_ours:
            through = await on.schemas.open_login(
                act.app,
                Purpose.MIGRATE,
                on.vault.ensure(act.app, MIGRATE_PASSWORD, "password"),
                lock_timeout_s=keys.lock_timeout_s,
                statement_timeout_s=keys.statement_timeout_s,
            )
        env = await environment(self.env, build, on, through)
        if not self.is_ours:  # a server of the user's own: what libpq and its like read
            limits = f"-c lock_timeout={keys.lock_timeout_s * 1000:.0f}"
            limits += f" -c statement_timeout={keys.statement_timeout_s * 1000:.0f}"
            env["PGOPTIONS"] = f"{env.get('PGOPTIONS', '')} {limits}".strip()
        return env

    @property
    def is_ours(self) -> bool:
        """True when the home's own server has the database."""
        return self.env.postgres is not None and not self.env.postgres.url

    @property
    def _held(self) -> str:
        """What the backup holds."""
        return "the database" if self.is_ours else "what is shared"

    def task(self, app: str, build: Build, env: Mapping[str, str], on: Drivers) -> Task:
        """The command, as it is run."""
        return migration_task(app, self.release, self.migrate, build, env, on, "migrate")

    def _failed(self, end: TaskEnd, tries: int, act: Act, on: Drivers) -> Problem:
        is_kept = self.backup and find_backup(act.app, self.backup, on)
        kept = f"; backup {self.backup} holds {self._held} as it was before" if is_kept else ""
        serves = f"no traffic was switched, and what ran goes on{kept}"
        command = f"underway logs {act.app} --process migrate"
        if waited_for_lock(end):
            return Problem(
                code="migrate.lock",
                where=f"migrate.command: {self.migrate.command}",
                why=f"a statement waited {self.migrate.lock_timeout_s:g} s for a lock, at each of {tries} tries, and"
                f" gave up so that nobody waits behind it; {serves}",
                remedy="see which session holds the table (a long transaction, often) and deploy again; or raise"
                " migrate.lock_timeout or migrate.lock_tries",
                command=f"underway db stats {act.app}",
            )
        error, settings = told_in(end.log_tail), settings_in(end.log_tail)
        ended = f"ended with exit code {end.exit_code}" + (f": {error}" if error else "")
        how = f"took longer than {self.migrate.timeout_s:.0f} s" if end.timed_out else ended
        is_unset = bool(settings) and not end.timed_out
        return Problem(
            code="migrate.timeout" if end.timed_out else "migrate.failed",
            where=f"migrate.command: {self.migrate.command}",
            why=f"the migration {how}; {serves}",
            remedy="see what it waits for (a lock of the release that runs, often); raise migrate.timeout when it only"
            " needs longer"
            if end.timed_out
            else settings.remedy()
            if is_unset
            else "mend the migration and deploy again; what it had already committed is still in the database",
            command=settings.command() if is_unset else command,
        )

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()


def migration_task(
    app: str, release: str, migrate: Migrate, build: Build, env: Mapping[str, str], on: Drivers, kind: str
) -> Task:
    """The command of `[migrate]` in a build; `kind` names its log."""
    return Task(
        id=f"{app}.{release}.{kind}",
        argv=("sh", "-c", migrate.command),
        cwd=f"{build.dir}/{migrate.cwd}",
        env=Environ({"PORT": _NO_PORT, **env}, hidden_names(env)),
        log_path=str(on.home.logs(app) / f"{kind}-{release}.log"),
        timeout_s=migrate.timeout_s,
    )


_NO_PORT = "8000"
"""For settings that are not complete without a port; a migration listens on none."""
_NO_LOCK = re.compile(r"due to lock timeout|\b55P03\b|LockNotAvailable|could not obtain lock")
"""What PostgreSQL says and how drivers name it (SQLSTATE 55P03, lock_not_available)."""


def waited_for_lock(end: TaskEnd) -> bool:
    """True when a command failed because a statement of it did not get a lock in time."""
    return bool(end.exit_code) and not end.timed_out and any(_NO_LOCK.search(line) for line in end.log_tail)


def ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")


def _shortly(head: str) -> str:
    """`django accounts.0008_profile_image and 11 more`: the head that a line has room for."""
    first, *more = head.split(",")
    return f"{first} and {len(more)} more" if more else first
