"""What a way back would mean for the data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from underway.journal.app_state import AppState
from underway.journal.fits import fit_of
from underway.manifest.read import read_manifest
from underway.plan.parts import env_of
from underway.ports.drivers import Drivers
from underway.steps.back_up import damaged, identity_of
from underway.steps.on_a_copy import Migrating
from underway.steps.way_back import BackAsk
from underway.terms.backup import Kept, no_such_backup
from underway.terms.count import counted
from underway.terms.problem import Failure, Problem, Refusal
from underway.terms.rehearsal import Fit, Runs, said_lost
from underway.terms.since import Since

_MOST_TABLES = 6


async def fit_now(state: AppState, release: str, on: Drivers) -> Fit:
    """Whether the code of `release` runs on the database as it is this moment, whoever changed it."""
    live = state.live_release
    postgres = read_manifest(live.manifest).services.postgres if live else None
    schema = ""
    if postgres is not None and not postgres.url:
        schema = (await on.schemas.shape(state.app)).digest
    elif postgres is None and state.schema:
        schema = (await on.shadows.shape(state.app)).digest
    return fit_of(state, release, schema)


def migration_back(state: AppState, fit: Fit, on: Drivers) -> BackAsk | None:
    """The migration that leads back to what `fit.release` ran on, where it was seen to run back with its release: one
    migration alone, the database is as that one left it, and its code is still here. None where there is none."""
    target = state.releases[fit.release]
    later = [it for r, it in state.releases.items() if r > fit.release and it.has_migrated]
    if len(later) != 1:
        return None
    it = later[0]
    back, key = it.back, it.release.build_key
    if back is None or back.goes is not Runs.YES or back.schema != target.schema or it.schema != fit.schema:
        return None
    manifest = read_manifest(it.manifest)
    if it.is_pruned or manifest.migrate is None or on.builds.find(state.app, key) is None:
        return None
    release = it.release.id
    asked = Migrating(release=release, key=key, migrate=manifest.migrate, env=env_of(manifest, release))
    return BackAsk(
        migrating=asked,
        command=back.command,
        to=fit.release,
        schema=back.schema,
        head=back.head,
        digest=target.migrations,
        was_digest=it.migrations,
    )


def require_back(state: AppState, fit: Fit, on: Drivers) -> BackAsk:
    """Raises `Refusal` (`rollback.not-rehearsed`)."""
    ask = migration_back(state, fit, on)
    if ask is not None:
        return ask
    tried = [it for r, it in state.releases.items() if r > fit.release and it.has_migrated and it.back]
    why = "; ".join(f"{it.release.id}: {it.back.says()}" for it in tried if it.back) or "none was tried"
    problem = Problem(
        code="rollback.not-rehearsed",
        where=state.app,
        why=f"no migration is known to run back from today's database to the one that {fit.release} ran on ({why})."
        " A migration is run back only where its release's rehearsal did so, and nothing was migrated since",
        remedy="go back by code or to a restore point; without this option it is told which",
        command=f"underway rollback {state.app} --to {fit.release}",
    )
    raise Refusal([problem])


def restore_point(state: AppState, release: str, on: Drivers) -> Kept | None:
    """The backup made just before the first migration that left the schema `release` runs on; None when there is none
    any more, or it is damaged."""
    for later in sorted(r for r, it in state.releases.items() if r > release and it.has_migrated):
        if fit_of(state, release, state.releases[later].schema).runs is not Runs.YES:
            kept = {it.backup.id: it for it in on.backups.all(state.app) if not it.damage}
            return kept.get(later)
    return None


def point_of(state: AppState, backup: str, on: Drivers) -> Kept:
    """The backup of this id. Raises `Refusal` (`backup.unknown`, `backup.damaged`)."""
    found = next((it for it in on.backups.all(state.app) if it.backup.id == backup), None)
    if found is None or not found.backup.parts:
        raise Refusal([no_such_backup(state.app, backup, tuple(it.backup.id for it in on.backups.all(state.app)[:5]))])
    if found.damage:
        raise Refusal([damaged(state.app, found.backup.id, found.damage)])
    return found


async def lost_since(state: AppState, point: Kept, on: Drivers) -> Since:
    """What was written to the database since the restore point. Raises `Failure` (`postgres.instants`)."""
    held = point.backup.database
    if held is None:
        identity = identity_of(state.app, on)
        parts = [on.backups.file(state.app, point.backup.id, part.file, identity) for part in point.backup.parts]
        return await on.file_copies.since(state.app, parts)
    if held.instant is None:
        return Since(why_not="the backup does not say at which moment of the server it was made")
    migrated = [*state.run_back, *(it.migrated for it in state.releases.values() if it.migrated is not None)]
    return await on.instants.since(state.app, held.instant, held.tables, migrated)


async def unfit(state: AppState, fit: Fit, on: Drivers) -> Problem:
    """Why the code alone does not go back, where to, and what that would cost."""
    known = "does not run" if fit.runs is Runs.NO else "is not known to run"
    point = restore_point(state, fit.release, on)
    why = f"{fit.release} {known} on the database as it is now: {fit.because}. {state.live} stays live"
    rehearse = f"underway db migrate {state.app} --rehearse --release {fit.release}"
    tell = f"to see whether it runs: {rehearse}" if fit.runs is Runs.UNKNOWN else "mend it forward with a new release"
    if ask := migration_back(state, fit, on):
        tell += f"; or run the migration back as well{_as_rehearsed(state, ask)}: --migrate-back"
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


def _as_rehearsed(state: AppState, ask: BackAsk) -> str:
    back = state.releases[ask.migrating.release].back
    if back is None:
        return ""
    lost = f"; what it did not bring back then: {said_lost(back.lost)}" if back.lost else ""
    return f" ({back.because}{lost}; what it loses of what was written since is counted on a copy first)"


async def _loss(state: AppState, point: Kept, on: Drivers) -> str:
    try:
        return says_lost(await lost_since(state, point, on))
    except Failure as failure:
        return f"how much was written since could not be counted: {failure.problem.why}"


def says_lost(since: Since) -> str:
    """What going back would lose, and what would come back, in one sentence."""
    if since.why_not:
        return f"how much was written since cannot be counted: {since.why_not}"
    least = "at least " if since.uncounted else ""
    said = []
    if since.rows:
        said.append(f"going back to it loses {least}{_counted(since.rows, 'written since')}")
    if since.gone:
        said.append(f"{least}{_counted(since.gone, 'of it changed or deleted since')}, which would come back")
    if since.unsure:
        told = "written while a migration ran, by it or by others, or as the backup was made"
        said.append(f"{least}{_counted(since.unsure, told)}")
    if since.uncounted:
        named = ", ".join(since.uncounted[:_MOST_TABLES])
        more = f" and {len(since.uncounted) - _MOST_TABLES} more" * (len(since.uncounted) > _MOST_TABLES)
        said.append(f"what was written to {named}{more} could not be counted in time")
    return "; ".join(said) or "no row was written since"


def _counted(by_table: Mapping[str, int], told: str) -> str:
    """ "3 rows written since (notes 2, tags 1)"."""
    tables = sorted(by_table, key=lambda name: -by_table[name])
    named = ", ".join(f"{name} {by_table[name]:,}" for name in tables[:_MOST_TABLES])
    more = f" and {len(tables) - _MOST_TABLES} more tables" if len(tables) > _MOST_TABLES else ""
    total = sum(by_table.values())
    return f"{counted(total, 'row')} {told} ({named}{more})"


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
