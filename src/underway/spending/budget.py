"""What was used, against what may be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from underway.terms.spending import Spending

DAY_S = 86_400.0
PACE_S = 7 * DAY_S
"""The pace is of the last week: a weekend in it does not mislead, and last month does not count for ever."""
FAR_S = 3650 * DAY_S
"""Nobody wants to know what runs out later."""
LEAST_S = 3600.0
"""Less than an hour is no pace: what it had counts as an hour's."""


class Used(NamedTuple):
    """What one budget was spent on. `lately` is what was used in the last `lately_s` seconds, or for `is_level` by how
    much it grew."""

    name: str
    unit: str
    used: float
    allowed: float
    lately: float
    lately_s: float
    is_level: bool = False
    """It does not begin again with the month: rows."""


def month(now: float, first_day: int = 1) -> tuple[float, float]:
    """The month that `now` is in, which begins on `first_day` (1 to 28) at midnight UTC: from, and up to."""
    day = datetime.fromtimestamp(now, UTC)
    begins = day.replace(day=first_day, hour=0, minute=0, second=0, microsecond=0)
    if begins > day:
        begins = _next(begins, -1)
    return begins.timestamp(), _next(begins, 1).timestamp()


def _next(day: datetime, by: int) -> datetime:
    months = day.year * 12 + day.month - 1 + by
    return day.replace(year=months // 12, month=months % 12 + 1)


def spending(app: str, it: Used, since: float, until: float, now: float) -> Spending:
    """The budget as it is at `now`, in the month from `since` to `until`."""
    per_s = max(0.0, it.lately) / max(it.lately_s, LEAST_S)
    left_s = max(0.0, until - now)
    runs_out_at = 0.0
    if it.used < it.allowed and per_s > 0:
        at = now + (it.allowed - it.used) / per_s
        runs_out_at = at if at < (now + FAR_S if it.is_level else until) else 0.0
    at_end = it.used + per_s * left_s
    return Spending(
        app=app,
        name=it.name,
        unit=it.unit,
        used=it.used,
        allowed=it.allowed,
        since=0.0 if it.is_level else since,
        until=0.0 if it.is_level else until,
        per_day=per_s * DAY_S,
        at_end=at_end,
        runs_out_at=runs_out_at,
        says=_says(it, runs_out_at, at_end, until),
    )


def _says(it: Used, runs_out_at: float, at_end: float, until: float) -> str:
    share = 100 * it.used / it.allowed
    used = shown(it.used, it.unit).removesuffix(f" {it.unit}")
    said = f"{used} of {shown(it.allowed, it.unit)} are used ({share:.3g} %)"
    if it.used >= it.allowed:
        return f"{said}; it begins again on {_day(until)}" if not it.is_level else said
    if runs_out_at:
        return f"{said}; at the pace of the last week it runs out on {_day(runs_out_at)}"
    if it.is_level:
        return f"{said}; at the pace of the last week that is enough for ten years"
    return f"{said}; at the pace of the last week {shown(at_end, it.unit)} will be on {_day(until)}"


def shown(value: float, unit: str) -> str:
    """With its unit, as people read it."""
    if unit == "bytes":
        for size, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
            if value >= size:
                return f"{value / size:.3g} {name}"
        return f"{value:.0f} B"
    if unit == "h":
        return f"{value:,.4g} h" if value < 1000 else f"{value:,.0f} h"
    if unit == "money":
        return f"{value:,.2f}"
    return f"{value:,.0f} {unit}"


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
