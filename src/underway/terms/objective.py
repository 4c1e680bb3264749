"""Service level objectives: what was promised, how much of the error budget is spent, how fast it burns."""

from __future__ import annotations

import msgspec


class Burn(msgspec.Struct, frozen=True, kw_only=True):
    """One pair of windows: the budget burns `long_rate` and `short_rate` times as fast as it may. The alert fires when
    both are above `limit` and the long one saw enough requests that failed (`is_sure`)."""

    long_s: float
    short_s: float
    limit: float
    long_rate: float
    short_rate: float
    is_sure: bool

    @property
    def is_firing(self) -> bool:
        return self.is_sure and self.long_rate >= self.limit and self.short_rate >= self.limit


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """One objective over its window as it is now. `kind` is availability | latency; `route` empty for the whole app;
    `limit_ms` of a latency objective. An alert needs `least` bad ones. `spent` is 1.0 when all of it is gone, and may
    be more; None without requests."""

    app: str
    name: str
    kind: str
    objective: float
    window_s: float
    good: int
    bad: int
    spent: float | None
    route: str = ""
    limit_ms: float = 0.0
    is_own: bool = False
    least: int = 10
    burns: tuple[Burn, ...] = ()
    says: str = ""
