"""Facts → the plan of a deploy. Pure."""

from __future__ import annotations

import msgspec

from underway.journal.app_state import AppState
from underway.journal.events.acts import ActKind
from underway.manifest.migrate import Migrate
from underway.manifest.model import Manifest
from underway.manifest.read import read_manifest
from underway.plan.facts import DeployFacts
from underway.plan.model import Plan, Stage
from underway.plan.parts import (
    backup_ask,
    code_of,
    env_of,
    free_slot,
    rollout_of,
    start_steps,
    swap_workers,
    watch_after_s,
    watch_of,
)
from underway.plan.strategy import Strategy, choose
from underway.steps.back_up import BackUp
from underway.steps.build_release import BuildRelease
from underway.steps.every_step import EveryStep
from underway.steps.lint_migrations import LintMigrations
from underway.steps.migrate import MigrateDatabase
from underway.steps.provision import ProvisionPostgres, ProvisionRedis
from underway.steps.prune_releases import PruneReleases
from underway.steps.rehearse import Rehearse
from underway.steps.split_traffic import SplitTraffic
from underway.steps.switch_traffic import SwitchTraffic
from underway.steps.try_code import CodeAsk
from underway.terms.backup import Reason


def plan_deploy(facts: DeployFacts) -> Plan:
    """The steps that make `facts.release` live and leave a way back."""
    manifest, state = facts.manifest, facts.state
    slot = state.idle_slot
    held = state.slots.get(slot)
    start: list[EveryStep] = [
        *free_slot(held.release if held else "", slot, manifest.release.drain_s),
        *start_steps(
            manifest, facts.release, facts.key, slot, facts.ports, facts.other_ports, state.route, is_probed=True
        ),
    ]
    chosen = choose(manifest, facts.pace, facts.strategy, is_first=state.live_slot is None)
    shares = _shares(manifest, chosen.strategy)
    switch: list[EveryStep] = [
        *swap_workers(manifest, facts.release, facts.key, slot, live_manifest(state), state.live, live_key(state)),
        SwitchTraffic(
            release=facts.release,
            slot=slot,
            was=state.live,
            was_slot=state.live_slot,
            keep_warm_s=manifest.release.keep_warm_s,
        ),
    ]
    stages = [Stage(name="prepare", steps=tuple(_prepare(facts)))]
    if state.live_slot and shares:
        split = SplitTraffic(
            release=facts.release,
            slot=slot,
            was=state.live,
            was_slot=state.live_slot,
            steps=shares,
        )
        rollout = rollout_of(manifest, slot, facts.release, state.live, shares)
        stages.append(Stage(name="canary", steps=(*start, split), rollout=rollout))
        stages.append(Stage(name="release", steps=tuple(switch), watch=watch_of(manifest, chosen.strategy)))
    else:
        stages.append(Stage(name="release", steps=(*start, *switch), watch=watch_of(manifest, chosen.strategy)))
    if finish := _prune(facts):
        stages.append(Stage(name="finish", steps=tuple(finish)))
    return Plan(
        kind=ActKind.DEPLOY,
        app=manifest.app,
        release=facts.release,
        was=state.live,
        url=facts.url,
        stages=tuple(stages),
        notes=(*facts.notes, *_migration_notes(facts)),
        path=facts.ask.source.path,
        strategy=chosen.strategy,
        because=chosen.because,
        watch_s=watch_after_s(manifest, chosen.strategy) if state.live else 0.0,
    )


def _shares(manifest: Manifest, strategy: Strategy) -> tuple[int, ...]:
    """The percentages on the way to all traffic. Where somebody must let a blue-green release go on, it waits with
    none."""
    keys = manifest.release
    if strategy == "canary":
        return keys.steps
    is_gated = strategy == "blue-green" and bool(keys.approve or keys.windows.allow or keys.windows.deny)
    return (0,) if is_gated else ()


def _migration_notes(facts: DeployFacts) -> tuple[str, ...]:
    """What a person should know of the way back before it is walked into."""
    migrate = facts.manifest.migrate
    if migrate is None or not has_pending(facts) or not _was_used(facts.state):
        return ()
    if why := allowed(migrate, facts.allow):
        return (
            f"The pending migrations may destroy, break and block ({why}). Where the rehearsal shows that"
            f" {facts.state.live or 'the release that runs'} does not run on what they make, this release cannot be"
            " taken back by code alone: it gets all visitors at once, and a bad verdict is told, not undone.",
        )
    if migrate.rehearse == "never":
        return (
            "The pending migrations are not rehearsed: unless they only add, it will not be known whether"
            f" {facts.state.live or 'the release before'} runs on what they make.",
        )
    return ()


def _was_used(state: AppState) -> bool:
    """False while no release was ever live: then nobody waits for a lock or misses a column."""
    return any(it.live_since for it in state.releases.values())


def has_pending(facts: DeployFacts) -> bool:
    """True unless the database carries the very migrations of the source, and is the one that was migrated."""
    return not facts.migrations or facts.migrations != facts.state.migrations or _has_moved(facts)


def _has_moved(facts: DeployFacts) -> bool:
    """True where the release that runs kept its data elsewhere: in a file that only now outlives releases, on another
    server or on none. What was migrated there says nothing of what is there now."""
    before, now = live_manifest(facts.state), facts.manifest
    if before is None:
        return False
    places = [it.services.postgres and (it.services.postgres.url or "own") for it in (before, now)]
    return places[0] != places[1] or bool(set(now.shared) - set(before.shared))


def live_manifest(state: AppState) -> Manifest | None:
    """What the live release was deployed with, None when nothing is live."""
    live = state.live_release
    return read_manifest(live.manifest) if live else None


def live_key(state: AppState) -> str:
    live = state.live_release
    return live.release.build_key if live else ""


def _migrated_key(state: AppState) -> str:
    """The build whose migrations the database carries: that of the release that is live, or was before `down`."""
    were_live = [r for r, it in state.releases.items() if it.live_since and not it.is_pruned]
    return live_key(state) or (state.releases[max(were_live)].release.build_key if were_live else "")


def live_code(state: AppState) -> CodeAsk | None:
    """The release that runs, as it can be tried; None when nothing does, or it answers nothing itself."""
    manifest = live_manifest(state)
    return code_of(manifest, state.live, live_key(state)) if manifest and manifest.processes.get("web") else None


def allowed(migrate: Migrate, allow: tuple[str, ...]) -> str:
    """Why the pending migrations may harm those who use the database, empty when they may not."""
    if "contract" in allow:
        return "--allow contract"
    return "[migrate] contract = true" if migrate.contract else ""


def _prepare(facts: DeployFacts) -> list[EveryStep]:
    manifest, state = facts.manifest, facts.state
    is_first = not state.releases
    steps: list[EveryStep] = [
        BuildRelease(
            release=facts.release,
            ask=facts.ask,
            key=facts.key,
            manifest=facts.manifest_text,
            migrations=facts.migrations,
            is_reused=facts.is_built,
            shared=manifest.shared,
        )
    ]
    postgres, redis = manifest.services.postgres, manifest.services.redis
    is_ours = postgres is not None and not postgres.url
    if postgres and is_ours:
        steps.append(ProvisionPostgres(extensions=postgres.extensions, is_new=is_first))
    if redis and not redis.url:
        steps.append(ProvisionRedis(is_new=is_first, has_password=redis.has_password))
    if manifest.migrate and has_pending(facts):
        if _was_used(state):
            steps.append(
                LintMigrations(
                    release=facts.release,
                    key=facts.key,
                    migrate=manifest.migrate,
                    env=env_of(manifest, facts.release),
                    was_key=_migrated_key(state),
                    allowed=allowed(manifest.migrate, facts.allow),
                )
            )
        in_files = postgres is None and bool(manifest.shared)  # an SQLite file, alone or in a folder
        has_data = (is_ours or in_files) and not is_first
        if has_data:
            ask = backup_ask(manifest, facts.release, Reason.MIGRATION, state)
            steps.append(BackUp(ask=msgspec.structs.replace(ask, only_databases=is_ours)))
            if manifest.migrate.rehearse != "never" and _was_used(state):
                steps.append(
                    Rehearse(
                        release=facts.release,
                        key=facts.key,
                        migrate=manifest.migrate,
                        env=env_of(manifest, facts.release),
                        was=live_code(state),
                        new=code_of(manifest, facts.release, facts.key),
                        allowed=allowed(manifest.migrate, facts.allow),
                        is_in_files=in_files,
                    )
                )
        steps.append(
            MigrateDatabase(
                release=facts.release,
                key=facts.key,
                migrate=manifest.migrate,
                env=env_of(manifest, facts.release),
                digest=facts.migrations,
                backup=facts.release if has_data else "",
                is_in_files=in_files,
            )
        )
    return steps


def _prune(facts: DeployFacts) -> list[EveryStep]:
    """Keep the new release, the newest that were live, and what a rollback would go to."""
    state = facts.state
    were_live = sorted((r for r, it in state.releases.items() if it.live_since and not it.is_pruned), reverse=True)
    kept = {facts.release, state.live, *were_live[: max(facts.manifest.release.keep - 1, 1)]}
    gone = tuple(sorted(r for r, it in state.releases.items() if r not in kept and not it.is_pruned))
    if not gone:
        return []
    keys = {it.release.build_key for r, it in state.releases.items() if r in kept} | {facts.key}
    return [PruneReleases(releases=gone, keep_builds=tuple(sorted(keys)))]
