"""Migration commands run against a copy of the database, watched."""

from __future__ import annotations

import dataclasses
import re

import msgspec

from underway.errors.told import told_in
from underway.manifest.migrate import Migrate
from underway.ports.copies import Scratch
from underway.ports.drivers import Drivers
from underway.ports.schemas import Login, Purpose
from underway.ports.shadows import Shadow
from underway.steps.build_release import find_build
from underway.steps.environment import EnvAsk, environment
from underway.steps.migrate import MIGRATE_PASSWORD, migration_task
from underway.steps.step import Act
from underway.terms.problem import Failure, Problem
from underway.terms.process import TaskEnd
from underway.terms.rehearsal import Observed

SPARE_BYTES = 500_000_000
"""Room that stays free beside a copy."""


class Migrating(msgspec.Struct, frozen=True, kw_only=True):
    """The migrations of a release: its code, what it says of them, and its environment."""

    release: str
    key: str
    migrate: Migrate
    env: EnvAsk


async def migrated_on(
    copy: Scratch | Shadow, ask: Migrating, act: Act, on: Drivers, command: str = ""
) -> tuple[Observed, TaskEnd]:
    """Run `command` (the one of `[migrate]` for none) against the copy, as a deploy would, and tell what it did."""
    build = find_build(act.app, ask.key, on)
    through = await _login(copy, ask, act, on) if isinstance(copy, Scratch) else None
    env = await environment(ask.env, build, on, through)
    migrate = dataclasses.replace(ask.migrate, command=command or ask.migrate.command)
    task = migration_task(act.app, ask.release, migrate, build, env, on, "rehearsal")
    task = msgspec.structs.replace(task, apart=None if isinstance(copy, Scratch) else copy.apart)
    ends: list[TaskEnd] = []

    async def run() -> bool:
        ends.append(await on.commands.run(task))
        return True

    if isinstance(copy, Shadow):
        return await on.shadows.observe(copy, run), ends[0]
    try:
        return await on.rehearsals.observe(copy, run), ends[0]
    finally:
        await on.schemas.close_login(act.app, Purpose.MIGRATE)


async def _login(copy: Scratch, ask: Migrating, act: Act, on: Drivers) -> Login:
    login = await on.schemas.open_login(
        act.app,
        Purpose.MIGRATE,
        on.vault.ensure(act.app, MIGRATE_PASSWORD, "password"),
        lock_timeout_s=ask.migrate.lock_timeout_s,
        statement_timeout_s=ask.migrate.statement_timeout_s,
    )
    at = msgspec.structs.replace(login.address, database=copy.at.database)
    return Login(address=at, password=login.password)


def writes_elsewhere(end: TaskEnd) -> bool:
    """True when a command failed because it wanted to write to what it may not while it is tried on copied files."""
    return bool(end.exit_code) and any(_READ_ONLY.search(line) for line in end.log_tail)


_READ_ONLY = re.compile(r"[Rr]ead-only file ?system|readonly database|EROFS")


def is_good(end: TaskEnd) -> bool:
    return not end.exit_code and not end.timed_out


def how_it_ended(end: TaskEnd) -> str:
    if end.timed_out:
        return "took too long"
    error = told_in(end.log_tail)
    return f"ended with exit code {end.exit_code}" + (f": {error}" if error else "")


async def require_room(app: str, on: Drivers) -> None:
    """Raises `Failure` (`rehearse.disk-full`) where a copy of the database would fill the disk."""
    size_bytes, free = await on.schemas.size_bytes(app), on.machine.disk_free_bytes()
    if free < 2 * size_bytes + SPARE_BYTES:
        raise Failure(no_room(app, size_bytes, free))


def no_room(app: str, size_bytes: int, free_bytes: int) -> Problem:
    return Problem(
        code="rehearse.disk-full",
        where=app,
        why=f"the copy needs about {2 * size_bytes / 1e6:,.0f} MB and {free_bytes / 1e6:,.0f} MB are free",
        remedy='make room, or deploy without a rehearsal: [migrate] rehearse = "never"',
        command=f"underway status {app}",
    )
