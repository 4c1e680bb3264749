"""After the agent's end: go on with what was interrupted, or take it back, and say which."""

from __future__ import annotations

from underway.execute.resume import next_move
from underway.flows.carry_out import Rollouts, carry_out, end_watch
from underway.journal.app_state import AppState
from underway.journal.events.acts import ActKind, Finished, Interrupted
from underway.journal.journal import Journal
from underway.manifest.read import read_manifest
from underway.plan.model import read_plan
from underway.plan.parts import bring_back_steps
from underway.ports.drivers import Drivers
from underway.steps.step import Act
from underway.terms.outcome import Outcome


async def resume(app: str, on: Drivers, journal: Journal, rollouts: Rollouts | None = None) -> Finished | None:
    """End the act that a former agent left unfinished. Returns the event that ended it, None when there was none."""
    state = journal.state(app)
    held = state.act
    if held is None:
        return None
    act = Act(app, held.id)
    move = next_move(held)
    journal.record(Interrupted(app=app, act=act.id, goes_on=move.kind == "go_on", because=move.because))
    if held.kind is ActKind.WATCH and move.kind == "go_on" and not _runs(state, on):
        end_watch(state, journal, "what it watched had been stopped")
        return journal.state(app).last
    if move.kind == "close" and held.kind is ActKind.WATCH:
        end_watch(state, journal, move.because)
        return journal.state(app).last
    if move.kind == "close":
        ended = Finished(
            app=app,
            act=act.id,
            kind=held.kind,
            release=held.release,
            outcome=Outcome.FAILED,
            because=f"the agent ended: {move.because}",
            live=journal.state(app).live,
        )
        journal.record(ended)
        return ended
    return await carry_out(read_plan(held.plan), act, on, journal, move.kind, rollouts)


def _runs(state: AppState, on: Drivers) -> bool:
    """Something of the live release runs: neither the machine nor everything in this home was stopped meanwhile."""
    return any(i.spec.release == state.live for i in on.runtime.instances(state.app))


async def bring_back(app: str, on: Drivers, journal: Journal) -> None:
    """Start what should run and does not: after a reboot, or after everything was stopped. Else changes nothing."""
    state = journal.state(app)
    live = state.live_release
    if state.act or live is None or state.live_slot is None:
        return
    manifest = read_manifest(live.manifest)
    held = state.slots[state.live_slot]
    running = [i.spec.process for i in on.runtime.instances(app) if i.spec.release == state.live]
    wanted = [name for name, keys in manifest.processes.items() for _ in range(keys.instances)]
    if sorted(running) == sorted(wanted):
        return
    for step in bring_back_steps(manifest, state.live, live.release.build_key, state.live_slot, held.ports):
        await step.apply(Act(app, ""), on)
