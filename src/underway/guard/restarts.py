"""When an instance that ended by itself is started again, and when it is called a crash loop. Pure."""

from __future__ import annotations

import msgspec


class RestartPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How patient the runtime is with an instance that keeps ending.

    The first restart is nearly at once (most single ends are one bad request or an out-of-memory kill), then the
    delay doubles. A life of `steady_after_s` wipes the slate. `loop_after` short lives *in a row* are a crash
    loop: that catches a program that dies at import within seconds as well as one that needs 20 s to die, which
    a fixed window of ends per minute would never call. With the defaults a program that dies at once is called a
    crash loop after 1.5 s of waiting plus its own five starts, early enough for a deploy to be taken back.

    A crash loop is not abandoned for ever: it is tried again once in `loop_retry_s`, so an app whose database was
    away for an hour comes back by itself, and a broken one costs next to nothing.
    """

    first_delay_s: float = 0.1
    factor: float = 2.0
    longest_delay_s: float = 30.0
    steady_after_s: float = 60.0
    loop_after: int = 5
    loop_retry_s: float = 60.0


class Restart(msgspec.Struct, frozen=True, kw_only=True):
    """What to do about an end: start again in `delay_s`. `short_lives` is to be given with the next end."""

    delay_s: float
    short_lives: int
    is_crash_loop: bool


def after_end(policy: RestartPolicy, short_lives: int, ran_s: float | None) -> Restart:
    """Judge one more end of an instance that had `short_lives` short lives in a row before this one.

    `ran_s` is how long it ran, None when nobody saw (it counts as short).
    """
    was_steady = ran_s is not None and ran_s >= policy.steady_after_s
    streak = 1 if was_steady else short_lives + 1
    if streak >= policy.loop_after:
        return Restart(delay_s=policy.loop_retry_s, short_lives=streak, is_crash_loop=True)
    delay_s = min(policy.longest_delay_s, policy.first_delay_s * policy.factor ** (streak - 1))
    return Restart(delay_s=delay_s, short_lives=streak, is_crash_loop=False)
