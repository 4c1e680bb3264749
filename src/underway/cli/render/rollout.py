"""A rollout as it goes: a block that is drawn over, or a line now and then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log10
from typing import Any

import msgspec

from underway.agent.views import RolloutLine, RolloutView, SideView
from underway.cli.render.terminal import Terminal, clean
from underway.cli.render.words import megabytes, milliseconds, seconds
from underway.terms.count import counted
from underway.terms.verdict import Strength

FOR = ("few enough errors", "fast enough")
LINE_EVERY_S = 15.0
LEAST_LINE_S = 3.0
"""Where lines cannot be drawn over: one every so often, sooner when something changed, never more than that."""
_DECADES = 3
"""The bars begin at a thousandth of what is needed."""


class Watching:
    """Says of each look at a rollout whether it is worth a line."""

    def __init__(self) -> None:
        self._said_at = -1e9
        self._seen: object = None

    def is_worth_a_line(self, line: dict[str, Any], now: float) -> bool:
        """Every event is; a `rollout` line when it is news."""
        return line["event"] != "rollout" or self.is_news(msgspec.convert(line, RolloutLine), now)

    def is_news(self, view: RolloutView, now: float) -> bool:
        seen = (view.share, view.candidate.failed, view.stable.failed, len(view.new_errors), view.paused, view.is_held)
        is_due = now - self._said_at >= (LEAST_LINE_S if seen != self._seen else LINE_EVERY_S)
        if is_due:
            self._said_at, self._seen = now, seen
        return is_due


def rollout_line(view: RolloutView) -> str:
    """All of it in one line, for a log."""
    sides = "; ".join(_says(side) for side in (view.candidate, view.stable))
    errors = f"; new errors: {', '.join(clean(it.says()) for it in view.new_errors[:2])}" if view.new_errors else ""
    against, good = against_it(view.strengths), for_it(view.strengths)
    wait = clean(view.paused or view.waiting_for)
    return (
        f"{100 * view.share:g} %: {sides}{errors}; evidence against it {_part(against[1])}, for it {_part(good[1])}"
        f" of what is needed" + (f"; waiting for {wait}" if wait else "")
    )


def rollout_block(view: RolloutView, t: Terminal, sign: str, took_s: float) -> list[str]:
    """The split, both releases, the evidence and what is waited for; no line is wider than the terminal."""
    room = max(24, t.width - 1)
    nobody = "live for those who ask for it" if view.steps[:1] == (0.0,) else "out of traffic"
    split = f"{100 * view.share:g} % of the visitors get {view.candidate.release}"
    head = f"{sign} {split if view.share > 0 else f'{view.candidate.release} is {nobody}'}"
    lines = [f"{t.paint(_fit(head, room - 12), 'bold')}  {t.paint(seconds(took_s), 'dim')}"]
    lines += _table(view, t, room)
    lines += _bars(view, t, room)
    for error in view.new_errors[:2]:
        lines.append(t.paint(_fit(f"  new error: {clean(error.says())}", room), "red"))
    if view.is_held and "hold" not in view.paused:
        lines.append(t.paint(_fit("  held by order: underway release advance goes on", room), "amber"))
    wait = view.paused or view.waiting_for
    if wait:
        lines.append(_fit(f"  {'paused: ' if view.paused else 'waiting for '}{clean(wait)}", room))
    return lines


def _table(view: RolloutView, t: Terminal, room: int) -> list[str]:
    """Both releases; columns that do not fit are left out, the least telling first."""
    columns: list[tuple[str, int, Callable[[SideView], str]]] = [
        ("requests", 9, lambda it: f"{it.requests:,}"),
        ("failed", 7, lambda it: f"{it.failed:,}"),
        ("p95", 9, lambda it: milliseconds(it.p95_ms)),
        ("p50", 9, lambda it: milliseconds(it.p50_ms)),
        ("memory", 8, lambda it: megabytes(it.memory_bytes)),
        ("touched", 8, lambda it: f"{it.users_touched:,}"),
    ]
    name = max(len(view.candidate.release), len(view.stable.release), 10)
    while 2 + name + sum(width for _, width, _ in columns) > room and len(columns) > 1:
        columns.pop()
    found = [t.paint(f"  {'':<{name}}" + "".join(f"{title:>{width}}" for title, width, _ in columns), "dim")]
    for side in (view.candidate, view.stable):
        cells = []
        for title, width, says in columns:
            cell = f"{says(side):>{width}}"
            cells.append(t.paint(cell, "red") if title == "failed" and side.failed else cell)
        found.append(f"  {side.release:<{name}}" + "".join(cells))
    return found


def _bars(view: RolloutView, t: Terminal, room: int) -> list[str]:
    found = []
    wide = min(20, max(6, room - 40))
    for label, (of, part), colour, done in (
        ("against it", against_it(view.strengths), "red", "enough to take it back"),
        ("for it", for_it(view.strengths), "green", "enough for this step"),
    ):
        full = round(wide * min(max((log10(max(part, 1e-9)) + _DECADES) / _DECADES, 0.0), 1.0))
        signs = ("█", "░") if t.has_unicode else ("#", "-")
        bar = t.paint(signs[0] * full, colour) + t.paint(signs[1] * (wide - full), "dim")
        says = done if part >= 1 else f"{_part(part)} of what it takes" + (f" ({of})" if part >= 0.1 else "")
        found.append(f"  {label:<10} {bar} {_fit(says, room - wide - 14)}")
    return found


def against_it(strengths: Sequence[Strength]) -> tuple[str, float]:
    """The strongest evidence against the release, as a part of what is needed to act."""
    parts = [(it.of, it.value / it.needed) for it in strengths if it.of not in FOR and it.needed]
    return max(parts, key=lambda it: it[1], default=("", 0.0))


def for_it(strengths: Sequence[Strength]) -> tuple[str, float]:
    """The weakest of what must be shown before the release goes on."""
    parts = [(it.of, it.value / it.needed) for it in strengths if it.of in FOR and it.needed]
    return min(parts, key=lambda it: it[1], default=("", 0.0))


def _part(part: float) -> str:
    if part >= 1:
        return "all"
    return f"{100 * part:.0f} %" if part >= 0.01 else "under 1 %"


def _says(side: SideView) -> str:
    touched = f", {counted(side.users_touched, 'user')} touched" if side.users_touched else ""
    return (
        f"{side.release} {side.requests:,} requests, {side.failed:,} failed{touched}, p50 {milliseconds(side.p50_ms)},"
        f" p95 {milliseconds(side.p95_ms)}, {megabytes(side.memory_bytes)}"
    )


def _fit(text: str, room: int) -> str:
    return text if len(text) <= room else text[: max(1, room - 1)] + "…"
