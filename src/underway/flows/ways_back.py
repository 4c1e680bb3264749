"""What a way back would mean for the data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from underway.journal.fits import fit_of
from underway.journal.state import AppState
from underway.manifest.read import read_manifest
from underway.ports.drivers import Drivers
from underway.steps.back_up import damaged
from underway.terms.backup import Kept
from underway.terms.problem import Failure, Problem, Refusal
from underway.terms.rehearsal import Fit, Runs

_MOST_TABLES = 6


async def fit_now(state: AppState, release: str, on: Drivers) -> Fit:
    """Whether the code of `release` runs on the database as it is this moment, whoever changed it."""
    live = state.live_release
    postgres = read_manifest(live.manifest).services.postgres if live else None
    schema = ""
    if postgres is not None and not postgres.url:
        schema = (await on.schemas.shape(state.app)).digest
    return fit_of(state, release, schema)


def restore_point(state: AppState, release: str, on: Drivers) -> Kept | None:
    """The backup made just before the first migration that left the schema `release` runs on; None when there is none
    any more, or it is damaged."""
    for later in sorted(r for r, it in state.releases.items() if r > release and it.written is not None):
        if fit_of(state, release, state.releases[later].schema).runs is not Runs.YES:
            kept = {it.backup.id: it for it in on.backups.all(state.app) if not it.damage}
            return kept.get(later)
    return None


def point_of(state: AppState, backup: str, on: Drivers) -> Kept:
    """The backup of this id. Raises `Refusal` (`backup.unknown`, `backup.damaged`)."""
    found = next((it for it in on.backups.all(state.app) if it.backup.id == backup), None)
    if found is None or found.backup.database is None:
        there = ", ".join(it.backup.id for it in on.backups.all(state.app)[:5]) or "none"
        raise Refusal(
            [
                Problem(
                    code="backup.unknown",
                    where=f"{state.app} {backup[:40]!r}",
                    why=f"there is no backup of this name with a database; the newest are {there}",
                    remedy="choose one of those that are kept; nothing was changed",
                    command=f"underway db backups {state.app}",
                )
            ]
        )
    if found.damage:
        raise Refusal([damaged(state.app, found.backup.id, found.damage)])
    return found


async def lost_since(state: AppState, point: Kept, on: Drivers) -> Mapping[str, int]:
    """Rows written to each table since the restore point, by the server's own counters."""
    it = state.releases.get(point.backup.id)
    then = it.written if it and it.written is not None else {}
    now = await on.schemas.tables(state.app)
    changed = {name: table.written - then.get(name, 0) for name, table in now.items()}
    return {name: count for name, count in changed.items() if count > 0}


async def unfit(state: AppState, fit: Fit, on: Drivers) -> Problem:
    """Why the code alone does not go back, where to, and what that would cost."""
    known = "does not run" if fit.runs is Runs.NO else "is not known to run"
    point = restore_point(state, fit.release, on)
    why = f"{fit.release} {known} on the database as it is now: {fit.because}. {state.live} stays live"
    rehearse = f"underway db migrate {state.app} --rehearse --release {fit.release}"
    tell = f"to see whether it runs: {rehearse}" if fit.runs is Runs.UNKNOWN else "mend it forward with a new release"
    if point is None:
        return Problem(
            code="rollback.schema",
            where=state.app,
            why=f"{why}. There is no backup from before the migration any more",
            remedy=f"{tell}; or take the code alone back and see: --code-only",
            command=rehearse if fit.runs is Runs.UNKNOWN else f"underway releases {state.app}",
        )
    return Problem(
        code="rollback.schema",
        where=state.app,
        why=f"{why}. The restore point is backup {point.backup.id} of {_when(point.backup.at)}, made before the"
        f" migration; {await _loss(state, point, on)}",
        remedy=f"{tell}; or take the data back as well, which loses what was written since: --restore"
        f" {point.backup.id}; or take the code alone back and see: --code-only",
        command=f"underway rollback {state.app} --to {fit.release} --restore {point.backup.id}",
    )


async def _loss(state: AppState, point: Kept, on: Drivers) -> str:
    try:
        lost = await lost_since(state, point, on)
    except Failure:
        return "how much was written since could not be counted"
    if not lost:
        return "no row was written since"
    tables = sorted(lost, key=lambda name: -lost[name])
    named = ", ".join(f"{name} {lost[name]:,}" for name in tables[:_MOST_TABLES])
    more = f" and {len(tables) - _MOST_TABLES} more tables" if len(tables) > _MOST_TABLES else ""
    total = sum(lost.values())
    return f"going back to it loses {total:,} row change{'s' * (total != 1)} since: {named}{more}"


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
