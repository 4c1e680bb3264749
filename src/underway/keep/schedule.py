"""What is due, and what did not run when it should have."""

from __future__ import annotations

import msgspec

from underway.keep.worth import AHEAD_S

MISSED_AFTER = 0.5
"""A schedule counts as missed once it is overdue by this share of its interval: a busy machine may be a little late."""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """Whether something that is done every so often is to be done now. `missed_s` is by how much it is overdue when
    that is too much (0 when not); `because` says why, for the journal."""

    is_due: bool
    missed_s: float = 0.0
    because: str = ""


def turn(every_s: float, last: float | None, since: float, now: float, failed_at: float | None = None) -> Turn:
    """Decide from the times alone. `last` is when it was last done well, None for never; `since` is from when on it
    is expected, and the first one is due at once. After a failure (`failed_at`) it is tried again after a tenth of
    the interval, at most an hour.

    A `last` from the future counts as never: after the clock was set back nothing would be due for as long.
    """
    if every_s <= 0:
        return Turn(is_due=False)
    is_ahead = last is not None and last > now + AHEAD_S
    due_at = min(since, now) if is_ahead else since if last is None else last + every_s
    overdue_s = now - due_at
    if overdue_s < 0:
        return Turn(is_due=False)
    grace_s = MISSED_AFTER * every_s if last is not None else (1 + MISSED_AFTER) * every_s
    missed_s = overdue_s if overdue_s > grace_s and not is_ahead else 0.0
    if failed_at is not None and 0 <= now - failed_at < min(3_600.0, every_s / 10):
        return Turn(is_due=False, missed_s=missed_s, because="it failed a short while ago and is tried again soon")
    because = "the last one is from the future: the clock was set back" if is_ahead else ""
    return Turn(is_due=True, missed_s=missed_s, because=because)


def clock_jump_s(wall_before: float, wall_now: float, steady_before: float, steady_now: float) -> float:
    """By how many seconds the wall clock moved against the steady one between two looks; 0 for less than a minute.

    Suspending the machine stops CLOCK_MONOTONIC on Linux (clock_gettime(2)), so it shows as a jump ahead; that is
    what it is for a schedule.
    """
    jump_s = (wall_now - wall_before) - (steady_now - steady_before)
    return jump_s if abs(jump_s) >= 60.0 else 0.0
