"""Facts → the plan of a rollback, and of taking an app down. Pure."""

from __future__ import annotations

from underway.journal.events import ActKind
from underway.plan.facts import DownFacts, RollbackFacts
from underway.plan.model import Plan, Stage
from underway.plan.parts import backup_ask, env_of, free_slot, start_steps, swap_workers, workers_of
from underway.steps.back_up import BackUp
from underway.steps.every_step import EveryStep
from underway.steps.free_slot import FreeSlot
from underway.steps.pause_app import PauseApp, ShowApp
from underway.steps.restore import RestoreBeside, SwapData
from underway.steps.route_app import UnrouteApp
from underway.steps.stop_app import StopApp
from underway.steps.switch_traffic import SwitchTraffic
from underway.steps.warm_up import WarmUp
from underway.terms.backup import Backup, Content, Reason
from underway.terms.rehearsal import Runs
from underway.terms.release import Slot


def plan_rollback(facts: RollbackFacts) -> Plan:
    """Back to a warm release: switch first, then everything else. To a cold one: start it as a deploy would.

    With a restore point the data goes back too: what is live is paused, its data replaced, and the release started on
    it.
    """
    if facts.point is not None:
        return _plan_with_data(facts, facts.point)
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
    state, manifest, slot = facts.state, facts.manifest, facts.state.idle_slot
    held, live, at = state.slots.get(slot), state.live_release, state.live_slot
    former = f"former-{facts.safety}"
    prepare: list[EveryStep] = [
        BackUp(ask=backup_ask(facts.live_manifest or manifest, facts.safety, Reason.RESTORE, state)),
        RestoreBeside(backup=point.id),
    ]
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
    shared = tuple(part.source for part in point.parts if part.content is not Content.POSTGRES)
    start = start_steps(manifest, facts.to, facts.key, slot, facts.ports, facts.other_ports, state.route)
    steps += [
        *free_slot(held.release if held else "", slot, 0.0),
        SwapData(backup=point.id, former=former, has_postgres=point.database is not None, shared=shared),
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
        notes=(
            f"The data goes back to backup {point.id}: what was written since is not in it. It stays in backup"
            f" {facts.safety}, which is made first, and in the data that is replaced.",
        ),
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
