"""The fold: what may follow what, and what the state says after it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underway.journal.act_state import StepState
from underway.journal.app_state import AppState
from underway.journal.events.acts import (
    ActKind,
    ActStarted,
    Counts,
    Finished,
    Planned,
    StepDone,
    StepFailed,
    StepStarted,
    UndoDone,
    UndoStarted,
)
from underway.journal.events.database import Migrated
from underway.journal.events.releases import AppRemoved, ReleaseMade, SlotFreed, SlotTaken, TrafficSwitched
from underway.journal.fits import fit_of
from underway.journal.fold import fold
from underway.journal.recorded import Recorded, decode, encode
from underway.journal.transitions import IllegalTransition
from underway.terms.outcome import Outcome
from underway.terms.problem import Problem
from underway.terms.rehearsal import Runs
from underway.terms.release import Release, Slot, Source
from underway.terms.route import LogOffset

PROBLEM = Problem(code="x.y", where="here", why="so", remedy="do")


def started(act="a1", kind=ActKind.DEPLOY, release="r1"):
    return ActStarted(app="shop", act=act, kind=kind, release=release, owner="1:2:3", log_offset=LogOffset(), path="/r")


def planned(act="a1"):
    return Planned(app="shop", act=act, digest="d", steps=(), plan=msgspec.Raw(b'{"p":1}'))


def made(release="r1", act="a1"):
    source = Source(path="/r", digest="0" * 64)
    it = Release(id=release, app="shop", created_at=1.0, source=source, build_key="k" + release)
    return ReleaseMade(app="shop", act=act, release=it, manifest="")


def finished(release="r1", act="a1", outcome=Outcome.LIVE, kind=ActKind.DEPLOY):
    return Finished(app="shop", act=act, kind=kind, release=release, outcome=outcome, requests=Counts(served=3))


def a_deploy(release="r1", act="a1", slot=Slot.A, was="", was_slot=None):
    return [
        started(act, release=release),
        planned(act),
        StepStarted(app="shop", act=act, step="build", says=""),
        made(release, act),
        StepDone(app="shop", act=act, step="build", took_s=1.0),
        SlotTaken(app="shop", act=act, release=release, slot=slot, ports=(1, 2)),
        TrafficSwitched(app="shop", act=act, release=release, slot=slot, was=was, was_slot=was_slot, keep_warm_s=600.0),
        finished(release, act),
    ]


def state_after(events) -> AppState:
    return fold(Recorded(seq=n, at=100.0 + n, event=e) for n, e in enumerate(events, start=1))["shop"]


def test_a_deploy_leaves_its_release_live_and_the_lease_free():
    state = state_after(a_deploy())
    assert (state.live, state.live_slot, state.idle_slot) == ("r1", Slot.A, Slot.B)
    assert state.act is None
    assert state.releases["r1"].outcome is Outcome.LIVE
    assert state.path == "/r"


def test_the_release_before_stays_on_its_slot_and_can_be_named():
    state = state_after([*a_deploy(), *a_deploy("r2", "a2", Slot.B, "r1", Slot.A)])
    assert state.live == "r2"
    assert state.previous == "r1"
    assert state.slot_of("r1") is Slot.A
    assert state.warm_until == pytest.approx(100.0 + 15 + 600)


def test_code_goes_back_on_tables_that_the_app_made_itself():
    state = state_after([*a_deploy(), *a_deploy("r2", "a2", Slot.B, "r1", Slot.A)])
    fit = fit_of(state, "r1", "digest of what the app made at its start")
    assert fit.runs is Runs.YES
    assert fit.because.endswith("what the app's own code changes in it is not looked at")


def test_code_does_not_go_back_over_a_migration_unseen():
    migrated = Migrated(app="shop", act="a2", release="r2", digest="m", was_schema="s1", schema="s2")
    second = a_deploy("r2", "a2", Slot.B, "r1", Slot.A)
    state = state_after([*a_deploy(), *second[:4], migrated, *second[4:]])
    assert fit_of(state, "r1", "s2").runs is Runs.UNKNOWN
    assert fit_of(state, "r2", "s2").runs is Runs.YES


def test_an_app_that_was_taken_down_has_nothing_on_its_slots_but_keeps_its_releases():
    down = [started("a2", ActKind.DOWN), planned("a2"), AppRemoved(app="shop", act="a2")]
    state = state_after([*a_deploy(), *down, finished(act="a2", outcome=Outcome.DONE, kind=ActKind.DOWN)])
    assert (state.live, state.live_slot, state.slots, state.route) == ("", None, {}, None)
    assert state.releases["r1"].live_since


def test_a_failed_step_is_undone_and_keeps_its_problem():
    state = state_after(
        [
            started(),
            planned(),
            StepStarted(app="shop", act="a1", step="start", says=""),
            StepFailed(app="shop", act="a1", step="start", took_s=0.1, problem=PROBLEM),
            UndoStarted(app="shop", act="a1", step="start", says=""),
            SlotFreed(app="shop", act="a1", release="r1", slot=Slot.A),
            UndoDone(app="shop", act="a1", step="start", took_s=0.1),
        ]
    )
    assert state.act is not None
    assert state.act.steps == {"start": StepState.UNDONE}
    assert state.act.problems == [PROBLEM]


@pytest.mark.parametrize(
    "events",
    [
        [planned()],
        [started(), started("a2")],
        [started(), StepStarted(app="shop", act="a1", step="x", says="")],
        [started(), planned(), UndoDone(app="shop", act="a1", step="x", took_s=0)],
        [started(), planned(), StepStarted(app="shop", act="a2", step="x", says="")],
        [*a_deploy(), TrafficSwitched(app="shop", release="r9", slot=Slot.A)],
        [*a_deploy(), finished()],
    ],
)
def test_what_cannot_follow_is_refused(events):
    with pytest.raises(IllegalTransition):
        state_after(events)


EVENTS = [*a_deploy(), *a_deploy("r2", "a2"), started("a3", ActKind.DOWN), AppRemoved(app="shop", act="a3")]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(EVENTS), max_size=20))
def test_any_order_of_events_folds_or_is_refused_and_never_breaks(events):
    try:
        state = fold(Recorded(seq=n, at=float(n), event=e) for n, e in enumerate(events, start=1)).get("shop")
    except IllegalTransition:
        return
    assert state is None or (state.live == "") == (state.live_slot is None)


@given(st.sampled_from(EVENTS))
def test_events_are_read_back_as_they_were_written(event):
    assert encode(decode(encode(event))) == encode(event)


def test_the_plan_is_not_part_of_what_followers_get():
    assert "plan" not in Recorded(seq=1, at=1.0, event=planned()).flat()
