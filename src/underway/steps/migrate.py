from __future__ import annotations

import msgspec

from underway.journal.events import DatabaseDumped, Migrated
from underway.manifest.model import Migrate
from underway.ports.drivers import Drivers
from underway.steps.build_release import find_build
from underway.steps.environment import EnvAsk, environment
from underway.steps.step import Act, Did
from underway.terms.problem import Failure, Problem
from underway.terms.process import Task


class DumpDatabase(msgspec.Struct, frozen=True, kw_only=True, tag="dump_database", tag_field="step"):
    """Dump the app's database before its schema changes."""

    name: str

    id: str = "dump"
    is_one_way: bool = False

    def says(self) -> str:
        return "dump the database before migrating"

    def undo_says(self) -> str:
        return "nothing to undo: the dump is kept"

    async def apply(self, act: Act, on: Drivers) -> Did:
        dump = await on.database.dump(act.app, self.name)
        made = DatabaseDumped(app=act.app, act=act.id, path=dump.path, size_bytes=dump.size_bytes)
        return Did((made,), f"{dump.path} ({dump.size_bytes / 1e6:.2f} MB)")

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()


class MigrateDatabase(msgspec.Struct, frozen=True, kw_only=True, tag="migrate_database", tag_field="step"):
    """Run the new release's migrations with the new code and the new environment, before any traffic."""

    release: str
    key: str
    migrate: Migrate
    env: EnvAsk
    digest: str = ""
    dump_name: str = ""

    id: str = "migrate"
    is_one_way: bool = True

    def says(self) -> str:
        return f"migrate the database: {self.migrate.command}"

    def undo_says(self) -> str:
        kept = "; the dump from before is named" if self.dump_name else ""
        return f"cannot be undone: the database keeps what a migration did{kept}"

    async def apply(self, act: Act, on: Drivers) -> Did:
        build = find_build(act.app, self.key, on)
        env = await environment(self.env, build, on)
        log = on.home.logs(act.app) / f"migrate-{self.release}.log"
        task = Task(
            id=f"{act.app}.{self.release}.migrate",
            argv=("sh", "-c", self.migrate.command),
            cwd=f"{build.dir}/{self.migrate.cwd}",
            env=env,
            log_path=str(log),
            timeout_s=self.migrate.timeout_s,
        )
        end = await on.commands.run(task)
        if end.exit_code or end.timed_out:
            raise Failure(self._failed(end.timed_out, end.exit_code, act, on), end.log_tail)
        return Did((Migrated(app=act.app, act=act.id, release=self.release, digest=self.digest),))

    def _failed(self, timed_out: bool, exit_code: int, act: Act, on: Drivers) -> Problem:
        how = f"took longer than {self.migrate.timeout_s:.0f} s" if timed_out else f"ended with exit code {exit_code}"
        dump = on.home.backups(act.app) / f"{self.dump_name}.dump"
        kept = f"; the database as it was before is in {dump}" if self.dump_name else ""
        return Problem(
            code="migrate.timeout" if timed_out else "migrate.failed",
            where=f"migrate.command: {self.migrate.command}",
            why=f"the migration {how}; no traffic was switched and the release that ran still runs{kept}",
            remedy="see what it waits for (a lock of the release that runs, often); raise migrate.timeout when it only"
            " needs longer"
            if timed_out
            else "mend the migration and deploy again; what it had already changed is still in the database",
            command=f"underway logs {act.app} --process migrate",
        )

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()
