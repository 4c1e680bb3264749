"""Quantiles in little space."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from underway.terms.sketch import Sketch

TIMES = st.lists(st.floats(0.02, 1e6), min_size=1, max_size=300)


def sketch_of(times: list[float]) -> Sketch:
    sketch = Sketch()
    for took_ms in times:
        sketch.add(took_ms)
    return sketch


@settings(deadline=None)
@given(TIMES, st.floats(0, 1))
def test_a_quantile_is_within_one_per_cent(times: list[float], q: float) -> None:
    exact = sorted(times)[int(q * (len(times) - 1))]
    assert abs(sketch_of(times).quantile_ms(q) - exact) <= 0.0101 * exact


@settings(deadline=None)
@given(TIMES, TIMES)
def test_merging_is_the_same_as_adding(one: list[float], two: list[float]) -> None:
    merged = sketch_of(one)
    merged.merge(sketch_of(two))
    assert merged == sketch_of(two + one)


@settings(deadline=None)
@given(TIMES)
def test_it_can_be_written_down(times: list[float]) -> None:
    sketch = sketch_of(times)
    assert msgspec.json.decode(msgspec.json.encode(sketch), type=Sketch) == sketch


def test_times_out_of_bounds_stay_in_few_buckets() -> None:
    sketch = sketch_of([0.0, -1.0, 1e-9, 1e30, float("inf")])
    assert sketch.count == 5
    assert len(sketch.buckets) == 2
    assert Sketch().quantile_ms(0.5) == 0.0


@given(st.lists(st.floats(0.02, 1e7), max_size=60))
def test_several_quantiles_at_once_are_those_asked_one_by_one(times: list[float]) -> None:
    sketch = sketch_of(times)
    ranks = (0.0, 0.5, 0.95, 0.99, 1.0)
    assert sketch.quantiles_ms(*ranks) == tuple(sketch.quantile_ms(q) for q in ranks)
