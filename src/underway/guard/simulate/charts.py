"""Pictures as SVG text: dots on a scale, and the course of one rollout. No script, no font, fit for a phone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from underway.guard.simulate.helm import Ending, Look

WIDE = 440
LEFT, RIGHT = 14, 426
ROW = 36
STYLE = """
.chart { width: 100%; max-width: 660px; height: auto; display: block; margin: 0.5rem 0 1.5rem }
.chart text { fill: var(--ink); font: 11px system-ui, sans-serif }
.chart .faint { fill: var(--faint) }
.chart .grid { stroke: var(--line); stroke-width: 1 }
.chart .mark { stroke: var(--bad); stroke-dasharray: 4 3 }
.chart .share { fill: var(--s0); opacity: 0.18 }
.chart .edge { stroke: var(--s0); fill: none; stroke-width: 1.5 }
.chart .tick { stroke: var(--bad); stroke-width: 1.5 }
.s0 { fill: var(--s0); stroke: var(--s0) } .s1 { fill: var(--s1); stroke: var(--s1) }
.s2 { fill: var(--s2); stroke: var(--s2) } .s3 { fill: var(--s3); stroke: var(--s3) }
.s4 { fill: var(--s4); stroke: var(--s4) }
.line { fill: none; stroke-width: 1.8 }
"""


@dataclass(frozen=True)
class DotRow:
    """A row of a dot plot: its name, and a value for each series (None: nothing to show)."""

    name: str
    values: tuple[float | None, ...]


def dots(title: str, unit: str, series: Sequence[str], rows: Sequence[DotRow], mark: float | None = None) -> str:
    """Values of several series on one logarithmic scale, zeros at its left end. `mark` is a line to stay below."""
    found = [value for row in rows for value in row.values if value]
    low = floor(log10(min([*found, mark or 1.0], default=1.0)))
    high = max(ceil(log10(max([*found, mark or 1.0], default=10.0))), low + 1)
    zero = LEFT + 6

    def x(value: float) -> float:
        return LEFT + 34 + (log10(value) - low) / (high - low) * (RIGHT - LEFT - 42) if value > 0 else zero

    top = 16 + 16 * len(series)
    tall = top + ROW * len(rows) + 34
    out = [_open(tall, title)]
    for number, name in enumerate(series):
        out.append(_shape(number, LEFT + 5, 12 + 16 * number) + _text(LEFT + 16, 16 + 16 * number, name))
    bottom = top + ROW * len(rows) + 6
    for power in range(low, high + 1):
        at = x(10.0**power)
        out.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{bottom}"/>')
        out.append(_text(at, bottom + 12, short(10.0**power), "faint", "middle"))
    out.append(_text(zero, bottom + 12, "0", "faint", "middle"))
    out.append(_text(RIGHT, bottom + 25, unit, "faint", "end"))
    if mark is not None:
        out.append(f'<line class="mark" x1="{x(mark):.1f}" x2="{x(mark):.1f}" y1="{top}" y2="{bottom}"/>')
    for number, row in enumerate(rows):
        y = top + ROW * number
        out.append(_text(LEFT, y + 13, row.name))
        out.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y + 25}" y2="{y + 25}"/>')
        for place, value in reversed(list(enumerate(row.values))):
            if value is not None:
                out.append(_shape(place, x(value), y + 25))
    return "".join([*out, "</svg>"])


def course(title: str, looks: Sequence[Look], ending: Ending, needed: Sequence[tuple[str, int, float]]) -> str:
    """One rollout over time: the candidate's share and its failed requests above, below it how strong the evidence is.

    `needed` names the kinds of evidence: name, its place in `Look.strengths`, and the strength at which it acts. The
    scale is logarithmic, in parts of the way to that strength.
    """
    end = max(ending.at_s, looks[-1].at_s if looks else 1.0, 1.0)
    high, gap, under = 90, 26, 130
    tall = 20 + high + gap + under + 34 + 16 * len(needed)

    def x(at_s: float) -> float:
        return LEFT + 30 + at_s / end * (RIGHT - LEFT - 36)

    out = [_open(tall, title)]
    base = 20 + high
    out.append(_text(LEFT, 12, "share of the visitors, and failed requests (red)", "faint"))
    for part in (0.0, 0.5, 1.0):
        y = base - part * high
        out.append(f'<line class="grid" x1="{LEFT + 30}" x2="{RIGHT}" y1="{y:.0f}" y2="{y:.0f}"/>')
        out.append(_text(LEFT + 26, y + 4, f"{100 * part:.0f} %", "faint", "end"))
    steps = [f"M{x(0):.1f},{base}V{base - (looks[0].weight if looks else 0.0) * high:.1f}"]
    for look in thinned(looks):
        steps.append(f"H{x(look.at_s):.1f}V{base - look.weight * high:.1f}")
    steps.append(f"H{x(ending.at_s):.1f}")
    out.append(f'<path class="share" d="{"".join(steps)}V{base}Z"/><path class="edge" d="{"".join(steps)}"/>')
    before = 0
    for look in looks:
        if look.failed > before:
            out.append(
                f'<line class="tick" x1="{x(look.at_s):.1f}" x2="{x(look.at_s):.1f}" y1="{base}" y2="{base + 7}"/>'
            )
            before = look.failed
    least, top = -6.0, base + gap
    foot = top + under

    def y_of(value: float) -> float:
        return foot - (min(max(log10(max(value, 1e-12)), least), 0.5) - least) / (0.5 - least) * under

    for power in (-6, -4, -2, 0):
        y = y_of(10.0**power)
        name = "acts" if power == 0 else f"1/{short(10.0**-power)}"
        kind = "grid" if power else "mark"
        out.append(f'<line class="{kind}" x1="{LEFT + 30}" x2="{RIGHT}" y1="{y:.0f}" y2="{y:.0f}"/>')
        out.append(_text(LEFT + 26, y + 4, name, "faint", "end"))
    for number, (name, place, at) in enumerate(needed):
        path = " ".join(f"{x(look.at_s):.1f},{y_of(look.strengths[place] / at):.1f}" for look in thinned(looks))
        out.append(f'<polyline class="line s{number}" style="fill:none" points="{path}"/>')
        out.append(_shape(number, LEFT + 36, foot + 34 + 16 * number) + _text(LEFT + 46, foot + 38 + 16 * number, name))
    for part in (0.0, 0.5, 1.0):
        out.append(_text(x(part * end), foot + 14, span_said(part * end), "faint", "middle" if part < 1 else "end"))
    return "".join([*out, "</svg>"])


def thinned(looks: Sequence[Look], most: int = 400) -> Sequence[Look]:
    """At most about so many looks, evenly, and the last one."""
    every = max(1, len(looks) // most)
    return [*looks[::every], *looks[-1:]]


def short(value: float) -> str:
    """10000 → 10 k."""
    for size, name in ((1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:g}{name}"
    return f"{value:g}"


def span_said(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _open(tall: int, title: str) -> str:
    return f'<svg class="chart" viewBox="0 0 {WIDE} {tall}" role="img" aria-label="{escape(title)}">'


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(text)}</text>'


def _shape(series: int, x: float, y: float) -> str:
    """A mark that also differs by its form: circle, square, triangle, diamond, cross."""
    kind = f's{series % 5}"'
    match series % 5:
        case 0:
            return f'<circle class="{kind} cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
        case 1:
            return f'<rect class="{kind} x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'
        case 2:
            return f'<path class="{kind} d="M{x:.1f},{y - 5:.1f}l5,9h-10z"/>'
        case 3:
            return f'<path class="{kind} d="M{x:.1f},{y - 5:.1f}l5,5l-5,5l-5,-5z"/>'
        case _:
            return f'<path class="{kind} stroke-width="2" d="M{x - 4:.1f},{y - 4:.1f}l8,8m0,-8l-8,8"/>'
