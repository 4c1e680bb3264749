"""When a host that lets idle apps sleep is asked, so that one stays awake: in its hours, within a monthly allowance."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Awake(msgspec.Struct, frozen=True, kw_only=True):
    """How long something was kept awake in the month that began at `since`, and when it was asked last (0: never)."""

    since: float = 0.0
    used_s: float = 0.0
    last_at: float = 0.0


class Wish(NamedTuple):
    """What was asked for: a ping every so often, to a host that lets an app sleep after so long, for at most
    `allowance_s` a month."""

    every_s: float
    sleeps_after_s: float
    allowance_s: float


class Turn(NamedTuple):
    """Whether to ask now. `awake` is to be written down before; `is_cold` when it has to be woken."""

    is_due: bool
    awake: Awake
    is_cold: bool
    says: str


def turn(wish: Wish, awake: Awake, now: float, since: float, *, is_open: bool) -> Turn:
    """Decide. A ping keeps it awake for `sleeps_after_s`, and that is what it costs; one that comes while it is awake
    costs what it adds. So the costs are the time it is awake, to the second, and never more than the allowance.

    `since` is when this month began, `is_open` whether `now` is inside the hours.
    """
    if awake.since != since:
        awake = Awake(since=since, last_at=awake.last_at)
    idle_s = now - awake.last_at if awake.last_at else wish.sleeps_after_s
    is_cold = not 0 <= idle_s < wish.sleeps_after_s
    if not is_open:
        return Turn(False, awake, is_cold, "it may sleep: outside its hours")
    if 0 <= idle_s < wish.every_s and awake.last_at:
        return Turn(False, awake, is_cold, "it is kept awake")
    cost_s = wish.sleeps_after_s if is_cold else idle_s
    if awake.used_s + cost_s > wish.allowance_s:
        return Turn(False, awake, is_cold, "it may sleep: its allowance for this month is used up")
    spent = Awake(since=since, used_s=awake.used_s + cost_s, last_at=now)
    return Turn(True, spent, is_cold, "it is kept awake")
