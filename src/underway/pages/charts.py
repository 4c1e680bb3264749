"""Small charts as SVG in the page, coloured by its style sheet: no script draws them, none is needed to read them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import floor, log10
from typing import Literal, NamedTuple

from markupsafe import Markup, escape

WIDTH, HEIGHT = 560.0, 150.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 10.0, 16.0, 22.0
_LEAST, _MOST = -3.0, 1.0
"""Evidence is drawn from a thousandth of what is needed to ten times it, as in the picture of a rollout."""


class Stroke(NamedTuple):
    """One line along the chart's moments; None where nothing is known. `kind` is its colour: the running release's, the
    new one's, or that of trouble."""

    values: Sequence[float | None]
    kind: Literal["old", "new", "bad"] = "old"


class Flag(NamedTuple):
    """A moment marked on the time axis: a release that took over, or was taken back."""

    at: float
    label: str
    is_back: bool = False


def chart(
    title: str,
    at: Sequence[float],
    until: float,
    strokes: Sequence[Stroke],
    says: Callable[[float], str],
    flags: Sequence[Flag] = (),
) -> Markup:
    """Lines over time from `at[0]` to `until`, with flags on the same axis. `says` writes a value."""
    known = [value for stroke in strokes for value in stroke.values if value is not None]
    most = _ceiling(max(known, default=0.0))
    parts_of = (0.0, 1.0) if says(most / 2) == says(0.0) else (0.0, 0.5, 1.0)
    since = at[0] if at else until - 1
    across = max(until - since, 1.0)

    def x(moment: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * min(max((moment - since) / across, 0.0), 1.0)

    def y(value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / most

    parts: list[str] = []
    for part in parts_of:
        level = y(most * part)
        parts.append(f'<line class="rule" x1="{_LEFT:g}" x2="{WIDTH - _RIGHT:g}" y1="{level:.1f}" y2="{level:.1f}"/>')
        label = escape(says(most * part) if part else "0")
        parts.append(f'<text x="{_LEFT - 6:g}" y="{level + 4:.1f}" text-anchor="end">{label}</text>')
    parts += _times(since, until, x)
    for stroke in strokes:
        parts += _drawn(stroke, at, x, y)
    parts += _flags([flag for flag in flags if since <= flag.at <= until], x)
    last = next((value for value in reversed(strokes[0].values) if value is not None), None) if strokes else None
    told = (
        f"{title}. Most {says(max(known))}, last {says(last)}."
        if known and last is not None
        else f"{title}. Nothing measured."
    )
    told += "".join(f" {flag.label} at {_hour(flag.at)}." for flag in flags if since <= flag.at <= until)
    return Markup(  # noqa: S704 - numbers, and texts that are escaped
        f'<svg class="chart" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{escape(told)}">'
        f"{''.join(parts)}</svg>"
    )


def _drawn(stroke: Stroke, at: Sequence[float], x: Callable[[float], float], y: Callable[[float], float]) -> list[str]:
    """Stretches between which something is unknown are lines of their own."""
    found: list[list[tuple[float, float]]] = [[]]
    for moment, value in zip(at, stroke.values, strict=False):
        if value is None:
            found.append([])
        else:
            found[-1].append((x(moment), y(value)))
    name = "" if stroke.kind == "old" else f"{stroke.kind}-"
    parts = []
    for points in found:
        if len(points) == 1:
            points = [points[0], (points[0][0] + 1.5, points[0][1])]
        if points:
            line = " ".join(f"{left:.1f},{top:.1f}" for left, top in points)
            below = f"{points[0][0]:.1f},{y(0):.1f} {line} {points[-1][0]:.1f},{y(0):.1f}"
            parts.append(f'<polygon class="{name}area" points="{below}"/>')
            parts.append(f'<polyline class="{name}line" points="{line}"/>')
    return parts


def _flags(flags: Sequence[Flag], x: Callable[[float], float]) -> list[str]:
    parts, free = [], 0.0
    for flag in flags:
        at, back = x(flag.at), " back" if flag.is_back else ""
        parts.append(f'<line class="mark{back}" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP:g}" y2="{HEIGHT - _BOTTOM:g}"/>')
        is_left = at > WIDTH - 90
        if at > free:
            parts.append(
                f'<text class="flag{back}" x="{at + (-3 if is_left else 3):.1f}" y="10"'
                f' text-anchor="{"end" if is_left else "start"}">{escape(flag.label)}</text>'
            )
            free = at + 78
    return parts


def _times(since: float, until: float, x: Callable[[float], float]) -> list[str]:
    across = until - since
    step = next(
        (
            it
            for it in (60, 300, 600, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 259_200, 604_800)
            if across / it <= 6
        ),
        2_592_000,
    )
    offset = time.localtime(since).tm_gmtoff
    first = ((since + offset) // step + 1) * step - offset
    parts = []
    while first < until:
        if _LEFT + 14 < x(first) < WIDTH - 20:
            label = _hour(first) if step < 86_400 else time.strftime("%d %b", time.localtime(first))
            parts.append(f'<text x="{x(first):.1f}" y="{HEIGHT - 5:g}" text-anchor="middle">{label}</text>')
        first += step
    return parts


def _hour(at: float) -> str:
    return time.strftime("%H:%M", time.localtime(at))


def spark(values: Sequence[float], told: str) -> Markup:
    """A line without axes, for a glance."""
    most = max(values, default=0.0) or 1.0
    across = max(len(values) - 1, 1)
    points = " ".join(f"{100 * i / across:.2f},{30 - 27 * value / most:.2f}" for i, value in enumerate(values))
    return Markup(  # noqa: S704 - numbers, and a text that is escaped
        f'<svg class="spark" viewBox="0 0 100 31" preserveAspectRatio="none" role="img" aria-label="{escape(told)}">'
        f'<polygon class="area" points="0,31 {points} 100,31"/><polyline class="line" points="{points}"/></svg>'
    )


def strength_bar(value: float, needed: float, *, is_for: bool) -> Markup:
    """How far evidence is on its way to what is needed, in powers of ten, with a line where it is enough."""
    part = value / needed if needed > 0 else 0.0
    at = min(max(log10(part), _LEAST), _MOST) if part > 0 else _LEAST
    width = 100 * (at - _LEAST) / (_MOST - _LEAST)
    enough = 100 * -_LEAST / (_MOST - _LEAST)
    name = ("good" if is_for else "bad") if part >= 1 else ""
    return Markup(  # noqa: S704 - numbers
        f'<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="back" width="100" height="6" rx="2"/>'
        f'<rect class="part {name}" width="{width:.1f}" height="6" rx="2"/>'
        f'<line class="line" x1="{enough:g}" x2="{enough:g}" y1="0" y2="6" vector-effect="non-scaling-stroke"/></svg>'
    )


def share_bar(share: float) -> Markup:
    """The part of visitors that the new release gets."""
    new = 100 * min(max(share, 0.0), 1.0)
    return Markup(  # noqa: S704 - numbers
        f'<svg class="bar split" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="part old" width="100" height="6"/><rect class="part" width="{new:.1f}" height="6"/></svg>'
    )


def day_bars(days: Sequence[tuple[str, str]], told: str) -> Markup:
    """One bar a day: (good | warn | bad | none, what it says)."""
    step = 100 / max(len(days), 1)
    parts = "".join(
        f'<rect class="{kind}" x="{i * step:.2f}" width="{step * 0.72:.2f}" height="20" rx=".3">'
        f"<title>{escape(says)}</title></rect>"
        for i, (kind, says) in enumerate(days)
    )
    return Markup(  # noqa: S704 - numbers, and texts that are escaped
        f'<svg class="days" viewBox="0 0 100 20" preserveAspectRatio="none" role="img" aria-label="{escape(told)}">'
        f"{parts}</svg>"
    )


def _ceiling(value: float) -> float:
    """A round number not below `value`."""
    if value < 1e-9:
        return 1.0
    unit = 10.0 ** floor(log10(value))
    return next(unit * step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 20) if unit * step >= value * 0.9999)
