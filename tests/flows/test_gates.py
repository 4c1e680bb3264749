"""Which gate keeps a release where it is, and what a person reads of it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underway.flows.gates import Closed, closed, closed_window
from underway.guard.policy import Policy
from underway.manifest.release import Approve, Windows
from underway.manifest.windows import WEEK_MINUTES, is_open, next_open, spans_of
from underway.plan.model import Rollout, Watch
from underway.terms.release import Slot

HEALTH = Watch(
    for_s=5.0,
    path="/",
    status="200",
    host="",
    interval_s=1.0,
    request_timeout_s=1.0,
    failed_health_checks=3,
    memory_bytes=0,
)


def at(text: str, zone: str = "Europe/Berlin") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def gate(now: float = 0.0, *, held_by: str = "", is_dark: bool = False, is_first: bool = False, **keys: object) -> str:
    ask = Rollout(policy=Policy(), slot=Slot.A, stable="r1", health=HEALTH, **keys)
    found = closed(ask, "shop", now, held_by=held_by, is_dark=is_dark, is_first=is_first)
    return f"{found.kind}: {found.waiting_for}" if found else ""


def test_the_first_gate_that_is_closed_is_told() -> None:
    ana = Approve(by=("ana",))
    assert gate() == ""
    assert gate(held_by="ben", approve=ana).startswith("held: the hold by ben to end")
    assert gate(approve=ana) == "approval: the approval of ana: underway release advance shop --as ana"
    assert gate(approve=Approve(by=("ana", "ben"))).startswith("approval: the approval of ana or ben")
    assert gate(approve=Approve()) == "approval: the approval of a person: underway release advance shop"
    assert gate(approve=ana, is_first=True) == ""
    assert gate(is_dark=True).startswith("dark: a person who has looked at it")


@pytest.mark.parametrize(
    ("now", "waits_for"),
    [
        ("2026-03-20T14:59:59", ""),  # a Friday
        ("2026-03-20T15:00:00", "Sat 00:00 (Europe/Berlin), when the release may go on, in 9.0 h"),
        ("2026-03-21T00:00:00", ""),
    ],
)
def test_not_on_friday_after_three(now: str, waits_for: str) -> None:
    found = closed_window(Windows(deny=("Fri 15:00-24:00",), timezone="Europe/Berlin"), at(now))
    assert (found.waiting_for if found else "") == waits_for


def test_office_hours_in_two_zones() -> None:
    windows = Windows(allow=("Mon-Fri 09:00-17:00",), timezone="America/New_York")
    assert closed_window(windows, at("2026-03-18T14:30:00", "Europe/Berlin")) is None
    found = closed_window(windows, at("2026-03-18T13:30:00", "Europe/Berlin"))
    assert found == Closed("window", "Wed 09:00 (America/New_York), when the release may go on, in 30 min")


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("Mon", ((0, 1440),)),
        ("Mon-Tue 09:00-10:00", ((540, 600), (1980, 2040))),
        ("Sun 22:00-06:00", ((9960, 10080), (0, 360))),
        ("Sat-Mon", ((7200, 8640), (8640, 10080), (0, 1440))),
        ("Fri 15:00-24:00", ((6660, 7200),)),
    ],
)
def test_spans_of_the_week(text: str, minutes: object) -> None:
    assert spans_of(text) == minutes


@pytest.mark.parametrize(
    "text", ["", "fri", "Fri 25:00-26:00", "Fri 15:00", "Fri 24:00-24:00", "Fri-Foo", "15-17", "☃"]
)
def test_what_is_no_span(text: str) -> None:
    assert spans_of(text) is None


SPANS = st.lists(
    st.sampled_from(["Mon-Fri 09:00-17:00", "Sat", "22:00-06:00", "Fri 15:00-24:00", "Sun 23:59-00:01"]), max_size=3
).map(tuple)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, WEEK_MINUTES - 1), SPANS, SPANS)
def test_the_next_opening_is_the_first_minute_allowed(
    minute: int, allow: tuple[str, ...], deny: tuple[str, ...]
) -> None:
    wait = next_open(minute, allow, deny)
    allowed = (n for n in range(WEEK_MINUTES) if is_open((minute + n) % WEEK_MINUTES, allow, deny))
    assert wait == next(allowed, None)


def test_windows_know_their_zone_on_a_machine_without_time_zones() -> None:
    ask = "from underway.flows.gates import zone; print(zone('Europe/Berlin').key)"
    done = subprocess.run(
        [sys.executable, "-c", ask], env={**os.environ, "PYTHONTZPATH": "/nonexistent"}, capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.returncode) == ("Europe/Berlin", 0), done.stderr
