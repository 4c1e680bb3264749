"""A rollout over time, in bounded space."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from underway.observe.chronicle import MOMENTS, Chronicle, is_visitors
from underway.observe.counting import Kind

from .requests import request

NOW = 1_700_000_000.0


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from([0.05, 0.25, 0.5])), max_size=40))
def test_nothing_is_lost_however_coarse_it_gets(ticks: list[tuple[int, int, float]]) -> None:
    chronicle = Chronicle(began_at=NOW)
    good = failed = 0
    for second, (served, lost, share) in enumerate(ticks * 30, start=1):
        for number in range(served + lost):
            kind = Kind.GOOD if number < served else Kind.FAILED
            chronicle.side(number % 2 == 0).add(request(at=NOW + second), kind)
        good, failed = good + served, failed + lost
        chronicle.note(NOW + second, share, (1.0, 2.0))
    assert len(chronicle.moments) <= MOMENTS + 1
    assert sum(m.served + m.stable_served for m in chronicle.moments) == good
    assert sum(m.failed + m.stable_failed for m in chronicle.moments) == failed
    assert [m.at_s for m in chronicle.moments] == sorted(m.at_s for m in chronicle.moments)
    assert len(msgspec.json.encode(chronicle)) < 80_000


def test_it_can_be_written_down_and_goes_on() -> None:
    chronicle = Chronicle(began_at=NOW)
    chronicle.candidate.add(request(took_ms=30.0), Kind.GOOD)
    again = msgspec.json.decode(msgspec.json.encode(chronicle), type=Chronicle)
    for one in (chronicle, again):
        one.note(NOW + 1, 0.05, ())
    assert again == chronicle
    assert chronicle.moments[0].served == 1
    assert abs(chronicle.moments[0].p95_ms - 30) < 0.5


def test_a_change_of_p95_needs_requests_of_both() -> None:
    chronicle = Chronicle(began_at=NOW)
    for number in range(40):
        chronicle.stable.add(request(took_ms=100.0), Kind.GOOD)
        if number == 10:
            assert chronicle.p95_change() is None
        chronicle.candidate.add(request(took_ms=120.0), Kind.GOOD)
    change = chronicle.p95_change()
    assert change is not None
    assert abs(change - 0.2) < 0.03


def test_who_names_a_release_is_no_visitor() -> None:
    assert is_visitors(request(share_of_b=0.1), True)
    assert not is_visitors(request(share_of_b=None), True)
    assert not is_visitors(request(share_of_b=0.1, is_monitor=True), False)
