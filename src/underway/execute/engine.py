"""The engine: every step's intent is in the journal before it touches anything, and its outcome after."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from underway.journal.act_state import StepState
from underway.journal.events.acts import StepDone, StepFailed, StepStarted, UndoDone, UndoFailed, UndoStarted
from underway.journal.journal import Journal
from underway.ports.drivers import Drivers
from underway.steps.step import Act, Step
from underway.terms.problem import Failure, Problem, Refusal

_log = logging.getLogger(__name__)


class Stopped(Exception):
    """A step failed; its `StepFailed` is in the journal."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.why)


async def run(steps: Sequence[Step], act: Act, on: Drivers, journal: Journal) -> None:
    """Run those of `steps` that are not done yet, in order. Raises `Stopped` at the first that fails.

    A step that had begun when a former agent ended is applied again from its start: steps are idempotent.
    """
    for step in steps:
        if _states(act, journal).get(step.id) is StepState.DONE:
            continue
        journal.record(StepStarted(app=act.app, act=act.id, step=step.id, says=step.says()))
        began = on.clock.monotonic()
        try:
            did = await step.apply(act, on)
            await step.verify(act, on)
        except Exception as error:
            problem, further, log_tail = _told(step.id, error)
            took_s = on.clock.monotonic() - began
            journal.record(
                StepFailed(
                    app=act.app,
                    act=act.id,
                    step=step.id,
                    took_s=took_s,
                    problem=problem,
                    log_tail=tuple(log_tail),
                    further=tuple(further),
                )
            )
            raise Stopped(problem) from error
        took_s = on.clock.monotonic() - began
        journal.record(*did.events, StepDone(app=act.app, act=act.id, step=step.id, took_s=took_s, result=did.result))


async def undo(steps: Sequence[Step], act: Act, on: Drivers, journal: Journal) -> None:
    """Undo whatever of `steps` was begun, last first. An undo that fails is journaled and the others go on."""
    for step in reversed(steps):
        state = _states(act, journal).get(step.id)
        if step.is_one_way or state not in _TO_UNDO:
            continue
        journal.record(UndoStarted(app=act.app, act=act.id, step=step.id, says=step.undo_says()))
        began = on.clock.monotonic()
        try:
            did = await step.undo(act, on)
        except Exception as error:
            problem, _, _ = _told(step.id, error)
            took_s = on.clock.monotonic() - began
            journal.record(UndoFailed(app=act.app, act=act.id, step=step.id, took_s=took_s, problem=problem))
            continue
        took_s = on.clock.monotonic() - began
        journal.record(*did.events, UndoDone(app=act.app, act=act.id, step=step.id, took_s=took_s))


_TO_UNDO = {StepState.STARTED, StepState.DONE, StepState.FAILED, StepState.UNDOING}


def _states(act: Act, journal: Journal) -> dict[str, StepState]:
    held = journal.state(act.app).act
    return held.steps if held else {}


def _told(step: str, error: Exception) -> tuple[Problem, Sequence[Problem], Sequence[str]]:
    """The problem to show, what else was wrong, and the lines of a log that explain it. What is no `Failure` is a
    fault of Underway: its traceback goes to the agent's log."""
    if isinstance(error, Failure):
        return error.problem, (), error.log_tail
    if isinstance(error, Refusal):
        return error.problems[0], error.problems[1:], ()
    _log.exception("step %s raised", step)
    return (
        Problem(
            code="underway.fault",
            where=f"step {step}",
            why=f"Underway itself failed: {type(error).__name__}: {str(error)[:300]}",
            remedy="what ran goes on running; the agent's log has the traceback: please report it",
            command="underway agent status",
        ),
        (),
        (),
    )
