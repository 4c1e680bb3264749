"""Carry out a plan to its end, whatever the end is."""

from __future__ import annotations

import asyncio
from typing import Literal

from underway.execute.engine import Stopped, run, undo
from underway.flows.counting import counting_of
from underway.flows.rollout import RollingOut, roll_out
from underway.flows.watch import last_words, watch
from underway.journal.act_state import ActState, StepState
from underway.journal.app_state import AppState
from underway.journal.events.acts import ActKind, Counts, Finished, Judged, StepTime, Weighed
from underway.journal.journal import Journal
from underway.observe.chronicle import Chronicle, Side
from underway.observe.traffic import Tally
from underway.plan.model import Plan, Stage
from underway.ports.drivers import Drivers
from underway.steps.step import Act
from underway.terms.outcome import Outcome
from underway.terms.problem import Problem
from underway.terms.record import Record
from underway.terms.rehearsal import Fit, Runs
from underway.terms.verdict import Action

_COUNT_EVERY_S = 1.0
Rollouts = dict[str, RollingOut]
"""The rollouts under way, by app."""


async def carry_out(
    plan: Plan,
    act: Act,
    on: Drivers,
    journal: Journal,
    start: Literal["go_on", "undo"],
    rollouts: Rollouts | None = None,
) -> Finished:
    """Run the stages one by one, each watched where the plan says so; take everything back when one goes wrong.

    `start` is "undo" for an interrupted act that is to be taken back. `rollouts` shows a rollout to others while it
    lasts. Returns the event that ended the act.
    """
    held = journal.state(act.app).act
    tally = Tally(act.app, held.log_offset) if held else None
    counting = asyncio.create_task(_count(tally, plan, on, journal)) if tally else None
    try:
        if start == "go_on":
            problem, because = await _forward(plan, act, on, journal, rollouts if rollouts is not None else {})
            if not problem and not because:
                good = Outcome.LIVE if plan.kind in (ActKind.DEPLOY, ActKind.ROLLBACK) else Outcome.DONE
                return _finish(plan, act, good, tally, on, journal, because=_good(act, journal))
        else:
            problem, because = None, "the agent ended in the middle of it"
        because = because or (problem.why if problem else "")
        stuck = no_way_back(journal.state(act.app), plan)
        if stuck and journal.state(act.app).live == plan.release:
            told = f"{because}. It stays live: {stuck.release} does not run on this database ({stuck.because})"
            return _finish(plan, act, Outcome.UNWELL, tally, on, journal, because=told)
        moved = _held(act, journal).has_moved_traffic
        await undo(plan.steps, act, on, journal)
        outcome = Outcome.ROLLED_BACK if moved else Outcome.FAILED
        if stuck:
            because += f". {stuck.release} serves, and does not run on the database that was migrated: {stuck.because}"
        return _finish(plan, act, outcome, tally, on, journal, because=because)
    finally:
        if counting:
            counting.cancel()


async def _forward(
    plan: Plan, act: Act, on: Drivers, journal: Journal, rollouts: Rollouts
) -> tuple[Problem | None, str]:
    """Run what is left. Returns the problem or the verdict's reason that stopped it; (None, "") when all is well."""
    for stage in plan.stages:
        try:
            await run(stage.steps, act, on, journal)
        except Stopped as stopped:
            return stopped.problem, ""
        is_split = stage.rollout and not (stage.steps and no_way_back(journal.state(act.app), plan))
        if stage.rollout and is_split and not _is_past(stage, plan, act, journal):
            rollouts[act.app] = RollingOut(plan, stage.rollout, act, on, journal)
            try:
                verdict = await roll_out(rollouts[act.app])
            finally:
                rollouts.pop(act.app, None)  # whoever ends a watch has already taken it out
            if verdict.action is Action.ROLL_BACK:
                return await _take_back(stage, act, on, journal), verdict.because
        if stage.watch and not _was_watched(act, journal):
            verdict = await watch(act.app, plan.release, stage.watch, on)
            tail = last_words(journal.state(act.app), plan.release, verdict)
            journal.record(Judged(app=act.app, act=act.id, release=plan.release, verdict=verdict, log_tail=tail))
            if verdict.action is Action.ROLL_BACK:
                return None, verdict.because
    return None, ""


async def _take_back(stage: Stage, act: Act, on: Drivers, journal: Journal) -> Problem | None:
    """Go the way back of a stage that has one; the others are undone by the caller."""
    try:
        await run(stage.back, act, on, journal)
    except Stopped as stopped:
        return stopped.problem
    return None


def no_way_back(state: AppState, plan: Plan) -> Fit | None:
    """Why the release before cannot take over again: it was seen not to run on what this release's migration made of
    the database. None while nothing like it is known."""
    it = state.releases.get(plan.release)
    if plan.kind not in (ActKind.DEPLOY, ActKind.WATCH) or it is None or not it.has_migrated:
        return None
    return it.old_code if it.old_code and it.old_code.runs is Runs.NO else None


def _is_past(stage: Stage, plan: Plan, act: Act, journal: Journal) -> bool:
    """The rollout was over before an interruption: a step of a later stage had begun."""
    later = plan.stages[plan.stages.index(stage) + 1 :]
    begun = _held(act, journal).steps
    return any(step.id in begun for it in later for step in it.steps)


def end_watch(state: AppState, journal: Journal, because: str) -> None:
    """Close the watch of a release that is live and stays so."""
    if state.act is None or state.act.kind is not ActKind.WATCH:
        return
    ended = Finished(
        app=state.app,
        act=state.act.id,
        kind=ActKind.WATCH,
        release=state.act.release,
        outcome=Outcome.DONE,
        because=because,
        live=state.live,
    )
    journal.record(ended)


def _was_watched(act: Act, journal: Journal) -> bool:
    held = _held(act, journal)
    return held.verdict is not None and held.verdict.rule == ""


async def _count(tally: Tally, plan: Plan, on: Drivers, journal: Journal) -> None:
    while True:
        tally.catch_up(on.request_log, counting_of(journal.state(plan.app), plan.release))
        await on.clock.sleep(_COUNT_EVERY_S)


def _good(act: Act, journal: Journal) -> str:
    held = _held(act, journal)
    verdict = held.rollout_verdict or held.verdict
    return verdict.because if verdict else ""


def _finish(
    plan: Plan, act: Act, outcome: Outcome, tally: Tally | None, on: Drivers, journal: Journal, *, because: str
) -> Finished:
    held = _held(act, journal)
    if tally:
        tally.catch_up(on.request_log, counting_of(journal.state(act.app), plan.release))
    if tally and plan.kind is ActKind.DEPLOY:
        _weigh(plan, act, tally, on, journal)
    live = journal.state(act.app).live
    event = Finished(
        app=act.app,
        act=act.id,
        kind=plan.kind,
        release=plan.release,
        outcome=outcome,
        url=plan.url if live else "",
        duration_s=round(max(0.0, on.clock.now() - held.started_at), 3),
        steps=tuple(StepTime(id=step, took_s=round(took_s, 3)) for step, took_s in held.took_s.items()),
        requests=Counts(served=tally.served, failed=tally.failed) if tally else Counts(),
        changes=_changes(plan, held),
        problems=tuple(held.problems),
        because=because,
        live=live,
        traffic=tally.by_release() if tally else {},
        strategy=plan.strategy,
    )
    journal.record(event)
    return event


def _weigh(plan: Plan, act: Act, tally: Tally, on: Drivers, journal: Journal) -> None:
    """Keep what a release answered that was watched but not compared with another; a rollout has kept its own."""
    known = journal.state(act.app).releases.get(plan.release)
    if known is None or known.record_seq or not tally.of(plan.release).last_at:
        return
    seen = Chronicle(candidate=Side(whole=tally.of(plan.release)), stable=Side(whole=tally.of(plan.was)))
    record = Record(
        began_at=round(_held(act, journal).started_at, 3),
        ended_at=round(on.clock.now(), 3),
        candidate=seen.candidate.record(plan.release),
        stable=seen.stable.record(plan.was) if plan.was else None,
        p95_change=seen.p95_change(),
    )
    journal.record(Weighed(app=act.app, act=act.id, release=plan.release, record=record))


def _changes(plan: Plan, held: ActState) -> tuple[str, ...]:
    """What is different now, one line each."""
    done = [step for step in plan.steps if held.steps.get(step.id) is StepState.DONE]
    if plan.kind is ActKind.RETIRE:
        return ()
    return tuple(step.says() for step in done if step.id in _CHANGING)


_CHANGING = {"swap_data", "migrate", "route", "switch", "swap_workers", "prune", "unroute", "stop"}


def _held(act: Act, journal: Journal) -> ActState:
    held = journal.state(act.app).act
    if held is None or held.id != act.id:
        raise RuntimeError(f"act {act.id} does not hold {act.app}")
    return held
