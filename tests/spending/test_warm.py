"""What is kept awake stays inside its hours and its allowance, whatever happens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from underway.spending.warm import Awake, Wish, turn

WISH = Wish(every_s=600.0, sleeps_after_s=900.0, allowance_s=3600.0)


@pytest.mark.parametrize(
    ("awake", "is_open", "is_due", "is_cold", "used_s", "says"),
    [
        (Awake(), True, True, True, 900.0, "it is kept awake"),
        (Awake(), False, False, True, 0.0, "it may sleep: outside its hours"),
        (Awake(since=100.0, used_s=900.0, last_at=9_900.0), True, False, False, 900.0, "it is kept awake"),
        (Awake(since=100.0, used_s=900.0, last_at=9_400.0), True, True, False, 1500.0, "it is kept awake"),
        (Awake(since=100.0, used_s=900.0, last_at=5_000.0), True, True, True, 1800.0, "it is kept awake"),
        (Awake(since=100.0, used_s=3000.0, last_at=9_400.0), True, True, False, 3600.0, "it is kept awake"),
        (Awake(since=100.0, used_s=3001.0, last_at=9_400.0), True, False, False, 3001.0,
         "it may sleep: its allowance for this month is used up"),
        (Awake(since=1.0, used_s=3600.0, last_at=9_400.0), True, True, False, 600.0, "it is kept awake"),
        (Awake(since=100.0, used_s=900.0, last_at=99_000.0), True, True, True, 1800.0, "it is kept awake"),
    ],
    ids=["first", "closed", "just asked", "awake", "asleep", "to the second", "used up", "new month", "clock back"],
)  # fmt: skip
def test_when_it_is_asked(awake: Awake, is_open: bool, is_due: bool, is_cold: bool, used_s: float, says: str) -> None:
    found = turn(WISH, awake, 10_000.0, 100.0, is_open=is_open)
    assert (found.is_due, found.is_cold, found.awake.used_s, found.says) == (is_due, is_cold, used_s, says)


@given(
    some.lists(some.tuples(some.floats(0.1, 5000), some.booleans()), max_size=200),
    some.floats(1, 600),
    some.floats(601, 3600),
    some.floats(3600, 20_000),
)
def test_it_is_never_awake_for_longer_than_its_allowance(
    looks: list[tuple[float, bool]], every_s: float, sleeps_after_s: float, allowance_s: float
) -> None:
    """Looked at whenever, open or not: the time it was awake, as its host counts it, is what was written down."""
    wish, awake, now = Wish(every_s, sleeps_after_s, allowance_s), Awake(), 1000.0
    up_s, up_until = 0.0, 0.0
    for step, is_open in looks:
        now += step
        found = turn(wish, awake, now, 500.0, is_open=is_open)
        awake = found.awake
        if found.is_due:
            assert is_open
            assert found.is_cold == (now >= up_until)
            up_s += now + sleeps_after_s - max(now, up_until)
            up_until = now + sleeps_after_s
    assert awake.used_s <= allowance_s
    assert up_s == pytest.approx(awake.used_s, abs=1e-6)
