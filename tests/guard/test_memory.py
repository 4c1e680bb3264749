"""A leak is taken back before it hurts; a warm-up is not a leak."""

from __future__ import annotations

import pytest

from underway.guard.memory import MemoryTrend, is_over, seconds_to_limit, slope
from underway.guard.simulate.leaks import GROWTHS, course

MB = 1e6


def growth(name: str) -> list[tuple[float | None, float | None]]:
    return [course(next(g for g in GROWTHS if g.name == name), seed) for seed in range(15)]


@pytest.mark.parametrize("name", ["flat", "warm-up", "steps"])
def test_memory_that_settles_takes_nothing_back(name: str) -> None:
    assert [back for back, _ in growth(name) if back is not None] == []


@pytest.mark.parametrize("name", ["leak", "leak-warm"])
def test_a_leak_of_40_mb_a_minute_is_taken_back_before_the_limit(name: str) -> None:
    for back, reached in growth(name):
        assert back is not None
        assert reached is None


def test_the_limit_acts_at_the_third_sample_in_a_row() -> None:
    trend = MemoryTrend()
    for second, used in enumerate((990, 1010, 995, 1010, 1020)):
        trend.add(float(second), used * MB)
        assert not is_over(trend, 1000 * MB)
    trend.add(9.0, 1015 * MB)
    assert is_over(trend, 1000 * MB)
    assert not is_over(trend, 0)


def test_the_slope_is_the_median_with_an_interval_around_it() -> None:
    found = slope([(10.0 * n, 2.0 * 10 * n + (n % 3)) for n in range(30)])
    assert found is not None
    assert found.low <= found.median <= found.high
    assert found.median == pytest.approx(2.0, rel=0.02)


def test_a_long_rollout_keeps_a_bounded_number_of_samples() -> None:
    trend = MemoryTrend()
    for second in range(0, 100_000, 5):
        trend.add(float(second), 100 * MB + second * 1000)
    assert len(trend.samples) <= 60
    left = seconds_to_limit(trend, 1000 * MB)
    assert left is not None
    assert left == pytest.approx((900 * MB - 100_000 * 1000) / 1000, rel=0.05)


def test_a_clock_that_steps_back_adds_no_sample() -> None:
    trend = MemoryTrend()
    trend.add(10.0, 1.0)
    trend.add(5.0, 2.0)
    assert [at for at, _ in trend.samples] == [10.0]
