"""Facts → the plan of a rollback, and of taking an app down. Pure."""

from __future__ import annotations

import msgspec

from underway.journal.events.acts import ActKind
from underway.plan.facts import DownFacts, RollbackFacts
from underway.plan.model import Plan, Stage
from underway.plan.parts import backup_ask, code_of, env_of, free_slot, start_steps, swap_workers, workers_of
from underway.steps.back_up import BackUp
from underway.steps.every_step import EveryStep
from underway.steps.free_slot import FreeSlot
from underway.steps.pause_app import PauseApp, ShowApp
from underway.steps.restore import RestoreBeside, SwapData
from underway.steps.route_app import UnrouteApp
from underway.steps.stop_app import StopApp
from underway.steps.switch_traffic import SwitchTraffic
from underway.steps.warm_up import WarmUp
from underway.steps.way_back import BackAsk, MigrateBack, RehearseBack
from underway.terms.backup import Backup, Content, Reason
from underway.terms.rehearsal import Runs
from underway.terms.release import Slot


def plan_rollback(facts: RollbackFacts) -> Plan:
    """Back to a warm release: switch first, then everything else. To a cold one: start it as a deploy would.

    With a restore point the data goes back too: what is live is paused, its data replaced, and the release started on
    it. With a migration that runs back, that is done in its place.
    """
    if facts.point is not None:
        return _plan_with_data(facts, facts.point)
    if facts.back is not None:
        return _plan_back(facts, facts.back)
    state, manifest = facts.state, facts.manifest
    slot = state.idle_slot
    held = state.slots.get(slot)
    switch = SwitchTraffic(
        release=facts.to,
        slot=slot,
        was=state.live,
        was_slot=state.live_slot,
        keep_warm_s=manifest.release.keep_warm_s,
    )
    workers = swap_workers(manifest, facts.to, facts.key, slot, facts.live_manifest, state.live, facts.live_key)
    steps: list[EveryStep]
    if facts.is_warm:
        steps = [switch, *workers]
    else:
        steps = [
            *free_slot(held.release if held else "", slot, manifest.release.drain_s),
            *start_steps(manifest, facts.to, facts.key, slot, facts.ports, facts.other_ports, state.route),
            switch,
            *workers,
        ]
    return Plan(
        kind=ActKind.ROLLBACK,
        app=state.app,
        release=facts.to,
        was=state.live,
        url=facts.url,
        stages=(Stage(name="rollback", steps=tuple(steps)),),
        notes=_database_notes(facts),
    )


def _plan_with_data(facts: RollbackFacts, point: Backup) -> Plan:
    prepare: list[EveryStep] = [
        BackUp(ask=backup_ask(facts.live_manifest or facts.manifest, facts.safety, Reason.RESTORE, facts.state)),
        RestoreBeside(backup=point.id),
    ]
    shared = tuple(part.source for part in point.parts if part.content is not Content.POSTGRES)
    former = f"former-{facts.safety}"
    swap = SwapData(backup=point.id, former=former, has_postgres=point.database is not None, shared=shared)
    note = (
        f"The data goes back to backup {point.id}: what was written since is not in it. It stays in backup"
        f" {facts.safety}, which is made first, and in the data that is replaced."
    )
    return _plan_paused(facts, prepare, swap, note)


def _plan_back(facts: RollbackFacts, back: BackAsk) -> Plan:
    """The migration is run back once more on a copy before anything is changed, and then while nobody writes."""
    ask = backup_ask(facts.live_manifest or facts.manifest, facts.safety, Reason.MIGRATION, facts.state)
    prepare: list[EveryStep] = [
        BackUp(ask=msgspec.structs.replace(ask, only_databases=True)),
        RehearseBack(ask=back, target=code_of(facts.manifest, facts.to, facts.key), may_lose=facts.may_lose),
    ]
    note = (
        f"The migration of {back.migrating.release} is run back, first on a copy of today's database: what it would"
        " lose is counted there" + ("." if facts.may_lose else ", and anything stops it.")
    )
    return _plan_paused(facts, prepare, MigrateBack(ask=back, backup=facts.safety), note)


def _plan_paused(facts: RollbackFacts, prepare: list[EveryStep], change: EveryStep, note: str) -> Plan:
    """What is live is paused, `change` is made to its data, and the release that is gone back to is started on it."""
    state, manifest, slot = facts.state, facts.manifest, facts.state.idle_slot
    held, live, at = state.slots.get(slot), state.live_release, state.live_slot
    steps: list[EveryStep] = []
    if live and at and facts.live_manifest:
        was = facts.live_manifest
        pause = PauseApp(
            release=state.live,
            slot=at,
            key=facts.live_key,
            ports=state.slots[at].ports,
            web=was.processes.get("web"),
            workers=workers_of(was),
            env=env_of(was, state.live),
        )
        steps.append(pause)
    start = start_steps(manifest, facts.to, facts.key, slot, facts.ports, facts.other_ports, state.route)
    steps += [
        *free_slot(held.release if held else "", slot, 0.0),
        change,
        *(step for step in start if not isinstance(step, WarmUp)),  # visitors have the maintenance page
        SwitchTraffic(
            release=facts.to,
            slot=slot,
            was=state.live,
            was_slot=at,
            keep_warm_s=manifest.release.keep_warm_s,
        ),
        *swap_workers(manifest, facts.to, facts.key, slot, facts.live_manifest, state.live, facts.live_key),
        ShowApp(stays=state.is_in_maintenance),
    ]
    stages = [Stage(name="prepare", steps=tuple(prepare)), Stage(name="rollback", steps=tuple(steps))]
    return Plan(
        kind=ActKind.ROLLBACK,
        app=state.app,
        release=facts.to,
        was=state.live,
        url=facts.url,
        stages=tuple(stages),
        notes=(note,),
    )


def _database_notes(facts: RollbackFacts) -> tuple[str, ...]:
    if not any(it.has_migrated for it in facts.state.releases.values()):
        return ()
    kept = "The database stays as it is."
    if facts.fit.runs is Runs.YES:
        return (f"{kept} {facts.to} runs on its schema: {facts.fit.because}.",)
    return (f"{kept} It is NOT known that {facts.to} runs on its schema: {facts.fit.because}.",)


def plan_down(facts: DownFacts) -> Plan:
    """Close the route, then stop everything."""
    state = facts.state
    steps: list[EveryStep] = [UnrouteApp(former=state.route)] if state.route else []
    releases = sorted({instance.spec.release for instance in facts.instances})
    steps.append(StopApp(releases=tuple(releases), has_cache=facts.has_cache))
    return Plan(
        kind=ActKind.DOWN,
        app=state.app,
        release=state.live,
        was=state.live,
        url="",
        stages=(Stage(name="down", steps=tuple(steps)),),
        notes=("The database, backups, releases and shared folders stay.",),
    )


def plan_retire(app: str, release: str, slot: Slot) -> Plan:
    """Stop a release whose warm time is over and whose requests had their time to end."""
    return Plan(
        kind=ActKind.RETIRE,
        app=app,
        release=release,
        was=release,
        url="",
        stages=(Stage(name="retire", steps=(FreeSlot(release=release, slot=slot, drain_s=0.0),)),),
    )
