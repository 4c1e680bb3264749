"""Journal → the plan of the watch that goes on after a deploy has ended. Pure."""

from __future__ import annotations

from underway.journal.app_state import AppState
from underway.journal.events.acts import ActKind
from underway.manifest.read import read_manifest
from underway.plan.model import Plan, Stage
from underway.plan.parts import rollout_of, swap_workers, watch_after_s
from underway.steps.every_step import EveryStep
from underway.steps.free_slot import FreeSlot
from underway.steps.start_release import UNDO_DRAIN_S
from underway.steps.switch_traffic import SwitchTraffic
from underway.terms.outcome import Outcome
from underway.terms.rehearsal import Runs


def plan_watch(state: AppState, url: str) -> Plan | None:
    """The watch that the live release still needs, None when it needs none.

    It needs one after a deploy that left the release before it warm, unless its manifest says otherwise. A bad verdict
    runs the stage's way back: switch first, then workers, then stop the bad release.
    """
    live, last, slot = state.live_release, state.last, state.live_slot
    if state.act or live is None or slot is None or last is None:
        return None
    was = state.releases.get(state.previous)
    held = state.slots.get(slot.other)
    is_fresh = last.kind is ActKind.DEPLOY and last.outcome is Outcome.LIVE and last.release == state.live
    manifest = read_manifest(live.manifest)
    is_wanted = watch_after_s(manifest, live.strategy) > 0
    if (
        not is_fresh
        or not is_wanted
        or live.is_watched
        or was is None
        or held is None
        or held.release != state.previous
    ):
        return None
    was_manifest = read_manifest(was.manifest)
    back: tuple[EveryStep, ...] = (
        SwitchTraffic(release=state.previous, slot=slot.other, was=state.live, was_slot=slot),
        *swap_workers(
            was_manifest,
            state.previous,
            was.release.build_key,
            slot.other,
            manifest,
            state.live,
            live.release.build_key,
        ),
        FreeSlot(release=state.live, slot=slot, drain_s=UNDO_DRAIN_S),
    )
    if live.has_migrated and live.old_code and live.old_code.runs is Runs.NO:
        back = ()  # the release before does not run on this database: a bad verdict is told, and nothing is taken back
    steps = manifest.release.steps if live.strategy == "canary" else ()
    rollout = rollout_of(manifest, slot, state.live, state.previous, steps, is_watch=True)
    return Plan(
        kind=ActKind.WATCH,
        app=state.app,
        release=state.live,
        was=state.previous,
        url=url,
        stages=(Stage(name="watch", steps=(), rollout=rollout, back=back),),
        strategy=live.strategy,
    )
