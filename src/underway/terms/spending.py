"""What an app may use in a month, how much of it is used, and when it runs out."""

from __future__ import annotations

import msgspec

MARKS = (50, 80, 100)
"""Per cent of a budget at which somebody is told."""


class Spending(msgspec.Struct, frozen=True, kw_only=True):
    """One budget now. `name` is hours | requests | bandwidth | rows | cost, or `awake NAME` of a `[[keep_awake]]`.

    `used` and `allowed` are in `unit` (h, requests, bytes, rows, money). `since` and `until` bound the month, 0 for
    what does not begin again with one (rows). `per_day` is the pace of the last week, `runs_out_at` when it is used up
    at that pace, 0 for not before it begins again; `at_end` is what will have been used by then.
    """

    app: str
    name: str
    unit: str
    used: float
    allowed: float
    since: float
    until: float
    per_day: float
    at_end: float
    runs_out_at: float
    says: str

    @property
    def share(self) -> float:
        return self.used / self.allowed

    @property
    def marks(self) -> tuple[int, ...]:
        """Those that are passed."""
        return tuple(mark for mark in MARKS if 100 * self.used >= mark * self.allowed)


class Warmth(msgspec.Struct, frozen=True, kw_only=True):
    """How one `[[keep_awake]]` stands. `cold` pings came when it had been left alone for so long that its host lets it
    sleep; the times are of the last thirty days, 0 without any. `says` is why it is or is not kept awake now."""

    app: str
    name: str
    target: str
    says: str
    last_at: float
    used_s: float
    allowance_s: float
    pings: int
    failed: int
    cold: int
    cold_p50_ms: float
    cold_p95_ms: float
    warm_p50_ms: float


class SpendingView(msgspec.Struct, frozen=True, kw_only=True):
    """Every budget of an app, the one that is used most first, and what is kept warm."""

    app: str
    budgets: tuple[Spending, ...]
    warm: tuple[Warmth, ...] = ()
