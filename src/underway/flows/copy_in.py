"""Copy another database's rows into a database beside the app's, to take its place later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from underway.flows.back_up import manifest_of
from underway.journal.journal import Journal
from underway.ports.copies import Progress
from underway.ports.drivers import Drivers
from underway.terms.copied import CopyReport
from underway.terms.problem import Problem, Refusal


async def copy_in(
    app: str, source: str, on: Drivers, journal: Journal, say: Callable[[str], None], progress: Progress
) -> CopyReport:
    """Copy the SQLite file at `source` and prove it. What is live is not touched.

    Raises `Refusal` (`copy.source`, `copy.no-database`) and the `Failure`s of the port.
    """
    postgres = manifest_of(app, journal).services.postgres
    if postgres is None or postgres.url:
        raise Refusal([_no_database(app)])
    if not Path(source).is_absolute() or not on.machine.is_file(source):
        raise Refusal([_no_source(source)])
    say(f"copying {Path(source).name}")
    return await on.copy_in.from_sqlite(app, source, progress)


def _no_database(app: str) -> Problem:
    return Problem(
        code="copy.no-database",
        where=app,
        why=f"{app} has no PostgreSQL database that Underway provides",
        remedy="deploy it with postgres = true under [services] first: its own migrations make the schema",
    )


def _no_source(source: str) -> Problem:
    return Problem(
        code="copy.source",
        where=source[:200],
        why="there is no such file",
        remedy="name the SQLite file by its whole path: sqlite:///srv/app/app.db",
    )
