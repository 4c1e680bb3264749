"""Figures as people read them, on pages."""

from __future__ import annotations

import time

from markupsafe import Markup, escape


def ago(now: float, then: float) -> str:
    """`12 s`, `5 min`, `3 h`, `2 days` ago."""
    past = max(0.0, now - then)
    for size, name in ((86_400, "day"), (3_600, "h"), (60, "min")):
        if past >= size:
            count = int(past // size)
            return f"{count} {name}{'s' if name == 'day' and count > 1 else ''} ago"
    return f"{past:.0f} s ago"


def when(now: float, then: float) -> Markup:
    """A `time` element: how long ago, and the exact moment for machines and in its title."""
    exact = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(then))
    iso = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(then))
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso, exact, ago(now, then))


def clock(then: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(then))


def seconds(value: float) -> str:
    """`0.04 s`, `1.2 s`, `48 s`, `3 min 20 s`, `1 h`, `2 h 5 min`, `3 days`."""
    if value < 10:
        return f"{value:.2g} s" if value >= 0.005 else "0 s"
    if value < 90:
        return f"{value:.0f} s"
    whole = round(value)
    if whole < 7200 and whole % 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    if whole < 172_800:
        return f"{whole // 3600} h" + (f" {whole % 3600 // 60} min" if whole % 3600 >= 60 else "")
    return f"{whole // 86_400} days"


def milliseconds(value: float | None) -> str:
    if not value:
        return "–"
    return f"{value / 1000:.3g} s" if value >= 1000 else f"{value:.3g} ms"


def size(value: float | None) -> str:
    """`48 MB`, `1.2 GB`."""
    if not value:
        return "–"
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= unit:
            return f"{value / unit:.3g} {name}"
    return f"{value:.0f} B"


def count(value: float) -> str:
    return f"{value:,.0f}"


def rate(value: float) -> str:
    """`0.3`, `12`, `1,204`."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}" if value else "0"


def percent(part: float | None) -> str:
    """`43 %`, `4.1 %`, `0.12 %`, `under 0.01 %`."""
    if part is None:
        return "–"
    value = 100 * part
    if 0 < value < 0.01:
        return "under 0.01 %"
    if value >= 9.95:
        return f"{value:.3g} %"
    return f"{value:.1f} %" if value >= 0.995 else f"{value:.2g} %" if value else "0 %"


def change(part: float) -> str:
    """`20 % slower`, `5 % faster`."""
    return f"{abs(100 * part):.0f} % {'slower' if part > 0 else 'faster'}"


def enough(value: float, needed: float) -> str:
    """How much of what is needed to act: `43 %`, `under 1 %`, `enough`."""
    part = value / needed if needed > 0 else 0.0
    if part >= 1:
        return "enough"
    return f"{100 * part:.0f} %" if part >= 0.01 else "under 1 %"


def words(text: str) -> Markup:
    """Text of ours in which `…` marks what is typed."""
    parts = str(escape(text)).split("`")
    return Markup("".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts)))  # noqa: S704 - escaped above
