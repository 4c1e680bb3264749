"""Figures as people say them."""

from __future__ import annotations

import time

from underway.terms.count import counted


def seconds(value: float) -> str:
    """`0.04 s`, `1.2 s`, `48 s`, `3 min 20 s`."""
    if value < 0.1:
        return f"{value:.2f} s"
    if value < 10:
        return f"{value:.1f} s"
    if value < 90:
        return f"{value:.0f} s"
    whole = round(value)
    return f"{whole // 60} min {whole % 60} s"


def ago(then: float, now: float | None = None) -> str:
    """`12 s ago`, `5 min ago`, `3 h ago`, `2 days ago`."""
    past = max(0.0, (now if now is not None else time.time()) - then)
    for size, name in ((86_400, "day"), (3_600, "h"), (60, "min")):
        if past >= size:
            count = int(past // size)
            return f"{count} {name}{'s' if name == 'day' and count > 1 else ''} ago"
    return f"{past:.0f} s ago"


def clock(at: float) -> str:
    """Local time to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size >= 10e6 else f"{size / 1e6:.1f} MB"


def milliseconds(value: float) -> str:
    """`43 ms`, `4.1 ms`; `–` for 0, which nobody measured."""
    if not value:
        return "–"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def requests(served: int, failed: int) -> str:
    """`1,204 requests served, 0 failed`."""
    return f"{counted(served, 'request')} served, {failed:,} failed"


def percent(rate: float) -> str:
    """`43 %`, `4.1 %`, `0.12 %`, `under 0.01 %`."""
    value = 100 * rate
    if 0 < value < 0.01:
        return "under 0.01 %"
    if value >= 9.95:
        return f"{value:.0f} %"
    return f"{value:.1f} %" if value >= 0.995 else f"{value:.2g} %"
