"""When an ended instance is started again: one table, no clock."""

from __future__ import annotations

import pytest

from underway.guard.restarts import Restart, RestartPolicy, after_end

POLICY = RestartPolicy()


@pytest.mark.parametrize(
    ("short_lives", "ran_s", "expected"),
    [
        # the first end is answered nearly at once, then the delay doubles
        (0, 0.0, Restart(delay_s=0.1, short_lives=1, is_crash_loop=False)),
        (1, 0.0, Restart(delay_s=0.2, short_lives=2, is_crash_loop=False)),
        (2, 0.0, Restart(delay_s=0.4, short_lives=3, is_crash_loop=False)),
        (3, 59.9, Restart(delay_s=0.8, short_lives=4, is_crash_loop=False)),
        # five short lives in a row, however long each start took, are a crash loop
        (4, 0.0, Restart(delay_s=60.0, short_lives=5, is_crash_loop=True)),
        (4, 59.9, Restart(delay_s=60.0, short_lives=5, is_crash_loop=True)),
        # and stay one as long as no life is steady
        (5, 1.0, Restart(delay_s=60.0, short_lives=6, is_crash_loop=True)),
        # a steady life wipes the slate
        (4, 60.0, Restart(delay_s=0.1, short_lives=1, is_crash_loop=False)),
        (99, 3600.0, Restart(delay_s=0.1, short_lives=1, is_crash_loop=False)),
        # an end nobody saw counts as a short life
        (1, None, Restart(delay_s=0.2, short_lives=2, is_crash_loop=False)),
        (4, None, Restart(delay_s=60.0, short_lives=5, is_crash_loop=True)),
    ],
)
def test_after_end(short_lives: int, ran_s: float | None, expected: Restart) -> None:
    assert after_end(POLICY, short_lives, ran_s) == expected


def test_the_delay_has_a_ceiling() -> None:
    patient = RestartPolicy(loop_after=1000)
    delays = [after_end(patient, lives, 0.0).delay_s for lives in range(20)]
    assert delays == sorted(delays)
    assert delays[8] == 25.6
    assert set(delays[9:]) == {30.0}


def test_a_program_that_dies_at_once_is_called_a_crash_loop_within_two_seconds_of_waiting() -> None:
    lives, waited_s = 0, 0.0
    while not (again := after_end(POLICY, lives, 0.0)).is_crash_loop:
        lives, waited_s = again.short_lives, waited_s + again.delay_s
    assert lives == 4
    assert waited_s < 2.0
