"""The engine on steps that leave files behind: intent before, outcome after, everything undone last first."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from underway.drivers.clock.system import SystemClock
from underway.drivers.event_log.sqlite import SqliteEventLog
from underway.execute.engine import Stopped, run, undo
from underway.execute.resume import INTERRUPTIONS_UNTIL_UNDO, next_move
from underway.journal.act_state import StepState
from underway.journal.events.acts import ActKind, ActStarted, Interrupted, Planned
from underway.journal.journal import Journal
from underway.steps.step import Act, Did
from underway.terms.problem import Failure, Problem
from underway.terms.route import LogOffset

ACT = Act("shop", "a1")
ON = SimpleNamespace(clock=SystemClock())


@dataclass(frozen=True)
class Touch:
    """Makes a file; undoing removes it. `breaks` lets one of its methods fail once or always."""

    id: str
    folder: Path
    breaks: str = ""
    is_one_way: bool = False

    def says(self):
        return f"touch {self.id}"

    def undo_says(self):
        return f"remove {self.id}"

    async def apply(self, act, on):
        (self.folder / self.id).touch()
        if self.breaks == "apply":
            raise Failure(Problem(code="t.apply", where=self.id, why="it broke", remedy="mend"), ["last line"])
        if self.breaks == "fault":
            raise ZeroDivisionError("a bug")
        return Did(result="made")

    async def verify(self, act, on):
        if self.breaks == "verify":
            raise Failure(Problem(code="t.verify", where=self.id, why="not there", remedy="mend"))

    async def undo(self, act, on):
        if self.breaks == "undo":
            raise Failure(Problem(code="t.undo", where=self.id, why="stuck", remedy="mend"))
        (self.folder / self.id).unlink(missing_ok=True)
        return Did()


@pytest.fixture
def journal(tmp_path):
    journal = Journal(SqliteEventLog(tmp_path / "journal.db", SystemClock()))
    journal.record(
        ActStarted(app="shop", act="a1", kind=ActKind.DEPLOY, release="r1", owner="", log_offset=LogOffset()),
        Planned(app="shop", act="a1", digest="", steps=(), plan=msgspec.Raw(b"null")),
    )
    return journal


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "made").mkdir()
    return tmp_path / "made"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def kinds(journal):
    return [(type(r.event).__name__, getattr(r.event, "step", "")) for r in journal.read() if r.seq > 2]


def test_each_step_has_its_intent_before_and_its_outcome_after(journal, folder):
    asyncio.run(run([Touch("one", folder), Touch("two", folder)], ACT, ON, journal))
    assert kinds(journal) == [
        ("StepStarted", "one"),
        ("StepDone", "one"),
        ("StepStarted", "two"),
        ("StepDone", "two"),
    ]
    assert names(folder) == ["one", "two"]


@pytest.mark.parametrize("where", ["apply", "verify"])
def test_a_failure_stops_and_all_that_was_begun_is_undone_last_first(journal, folder, where):
    steps = [Touch("one", folder), Touch("two", folder, breaks=where), Touch("three", folder)]
    with pytest.raises(Stopped) as caught:
        asyncio.run(run(steps, ACT, ON, journal))
    assert caught.value.problem.code == f"t.{where}"
    asyncio.run(undo(steps, ACT, ON, journal))
    assert names(folder) == []
    assert [step for kind, step in kinds(journal) if kind == "UndoDone"] == ["two", "one"]


def test_a_fault_is_told_as_a_problem_and_not_as_a_traceback(journal, folder):
    with pytest.raises(Stopped) as caught:
        asyncio.run(run([Touch("one", folder, breaks="fault")], ACT, ON, journal))
    assert caught.value.problem.code == "underway.fault"
    assert "ZeroDivisionError" in caught.value.problem.why


def test_an_undo_that_fails_does_not_keep_the_others_from_being_undone(journal, folder):
    steps = [Touch("one", folder), Touch("two", folder, breaks="undo"), Touch("three", folder, breaks="apply")]
    with pytest.raises(Stopped):
        asyncio.run(run(steps, ACT, ON, journal))
    asyncio.run(undo(steps, ACT, ON, journal))
    assert names(folder) == ["two"]
    assert journal.state("shop").act.steps["two"] is StepState.UNDO_FAILED


def test_a_one_way_step_is_left_as_it_is(journal, folder):
    steps = [Touch("one", folder, is_one_way=True), Touch("two", folder, breaks="apply")]
    with pytest.raises(Stopped):
        asyncio.run(run(steps, ACT, ON, journal))
    asyncio.run(undo(steps, ACT, ON, journal))
    assert names(folder) == ["one"]


class Killed(BaseException):
    """The end of the process, as far as the code can tell."""


@pytest.mark.parametrize("at", range(1, 9))
def test_after_an_end_at_any_write_a_second_run_ends_in_the_same_state(journal, folder, at):
    """Writes are counted: 4 of two steps going forward, the rest of taking a failing third one back."""
    writes = 0
    record = journal.record

    def dying(*events):
        nonlocal writes
        writes += 1
        if writes == at:
            raise Killed
        return record(*events)

    steps = [Touch("one", folder), Touch("two", folder), Touch("three", folder, breaks="apply")]
    journal.record = dying
    with pytest.raises((Killed, Stopped)):
        asyncio.run(run(steps, ACT, ON, journal))
    if writes < at:
        with pytest.raises(Killed):
            asyncio.run(undo(steps, ACT, ON, journal))
    journal.record = record
    if next_move(journal.state("shop").act).kind == "go_on":
        with pytest.raises(Stopped):
            asyncio.run(run(steps, ACT, ON, journal))
    asyncio.run(undo(steps, ACT, ON, journal))
    assert names(folder) == []
    assert set(journal.state("shop").act.steps.values()) == {StepState.UNDONE}


def test_an_act_without_a_plan_is_only_closed(tmp_path):
    journal = Journal(SqliteEventLog(tmp_path / "j.db", SystemClock()))
    journal.record(
        ActStarted(app="shop", act="a1", kind=ActKind.DEPLOY, release="r1", owner="", log_offset=LogOffset())
    )
    assert next_move(journal.state("shop").act).kind == "close"


def test_an_act_that_the_agent_keeps_dying_in_is_taken_back(journal):
    for _ in range(INTERRUPTIONS_UNTIL_UNDO):
        assert next_move(journal.state("shop").act).kind == "go_on"
        journal.record(Interrupted(app="shop", act="a1", goes_on=True, because=""))
    assert next_move(journal.state("shop").act).kind == "undo"
