"""One picture of how a release was judged: the split, requests, failures and p95 of both, and the evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor, log10
from typing import NamedTuple

from underway.pictures.sheet import Point, Sheet, Theme, cut, width_of, wrap
from underway.terms.record import Moment, Record
from underway.terms.verdict import Action, Verdict

FOR = ("few enough errors", "fast enough")
"""The kinds of evidence that let a release go on; all others hold or take it back."""
_LEAST, _MOST = -3.0, 1.0
"""The evidence is drawn from a thousandth of what is needed to ten times it."""
_LEFT, _RIGHT = 46.0, 16.0
_SMALL = 460.0
"""Below this width there is room for fewer labels."""


class Column(NamedTuple):
    """The requests of one stretch of the time axis, as wide as can be told apart."""

    began_s: float
    ended_s: float
    share: float
    requests: int
    failed: int
    p95_ms: float
    stable_requests: int
    stable_failed: int
    stable_p95_ms: float
    against: float
    for_it: float


class Panel:
    """A plot with its title, on the common time axis."""

    def __init__(self, sheet: Sheet, top: float, height: float, ends_s: float) -> None:
        self.sheet, self.top, self.height, self.ends_s = sheet, top, height, ends_s
        self.left, self.right = _LEFT, sheet.width - _RIGHT
        self.bottom = top + height

    def x(self, at_s: float) -> float:
        return self.left + (self.right - self.left) * min(max(at_s / self.ends_s, 0.0), 1.0)

    def y(self, part: float) -> float:
        return self.bottom - self.height * min(max(part, 0.0), 1.0)

    def title(self, text: str, notes: Sequence[tuple[str, str]] = ()) -> None:
        """`notes` are (text, colour), written from the right."""
        self.sheet.text((self.left, self.top - 8), text, size=12, bold=True)
        at = self.right - 8
        for note, colour in reversed(notes):
            self.sheet.text((at, self.top - 8), note, size=12, colour=colour, bold=True, anchor="end")
            at -= width_of(note, 12, bold=True) + 14

    def scale(self, ticks: Sequence[tuple[float, str]]) -> None:
        """Lines across, each with its label at the left."""
        for part, label in ticks:
            self.sheet.line((self.left, self.y(part)), (self.right, self.y(part)))
            self.sheet.text((self.left - 6, self.y(part) + 4), label, size=11, colour="faint", anchor="end")


def draw(
    app: str, record: Record, verdict: Verdict, judged_at: float, *, width: float = 760, theme: Theme = Theme.AUTO
) -> str:
    """The picture as SVG, `width` pixels wide (320 at least). Its axis has seconds or minutes of the rollout."""
    width = max(width, 320.0)
    sheet = Sheet(width, theme)
    ends_s = max(judged_at - record.began_at, record.moments[-1].at_s if record.moments else 0.0, 1.0)
    columns = _columns(record, ends_s, 60 if width > _SMALL else 30)
    top = _head(sheet, app, record, verdict, ends_s)
    panels: list[Callable[[Sheet, float, float, Record, list[Column]], float]] = [
        _split,
        _requests,
        _failures,
        _latency,
        _evidence,
    ]
    first = top
    for panel in panels:
        top = panel(sheet, top, ends_s, record, columns)
    _axis(sheet, top - 32, ends_s)
    _moment(sheet, first, top - 32, ends_s, judged_at - record.began_at, verdict)
    return sheet.svg(top + 8, f"{app} {record.candidate.release}: {_title(record, verdict)}")


def _title(record: Record, verdict: Verdict) -> str:
    match verdict.action:
        case Action.ROLL_BACK:
            return f"{record.candidate.release} was taken back"
        case Action.INCONCLUSIVE | Action.WAIT:
            return f"{record.candidate.release}: no verdict"
        case _:
            return f"{record.candidate.release} passed"


def _head(sheet: Sheet, app: str, record: Record, verdict: Verdict, ends_s: float) -> float:
    """Title, reason and legend; returns where the first panel begins."""
    room = sheet.width - 32
    is_bad = verdict.action is Action.ROLL_BACK
    after = f" after {_span(ends_s)}"
    sheet.text((16, 30), cut(f"{app}: {_title(record, verdict)}{after}", 18, room), size=18, bold=True)
    at = 52.0
    for line in wrap(verdict.because, 12.5, room, 5):
        sheet.text((16, at), line, size=12.5, colour="bad" if is_bad else "faint")
        at += 17
    at += 8
    x = 16.0
    sides = [(record.candidate.release, "new", "new")]
    sides += [(record.stable.release, "old", "running before")] if record.stable else []
    for release, colour, says in sides:
        label = f"{release}, {says}"
        if x > 16 and x + 22 + width_of(label, 12.5) > room:
            x, at = 16.0, at + 19
        sheet.line((x, at - 4), (x + 16, at - 4), colour=colour, width=3, dash="" if colour == "new" else "5 3")
        sheet.text((x + 22, at), label, size=12.5)
        x += 22 + width_of(label, 12.5) + 20
    return at + 38


def _split(sheet: Sheet, top: float, ends_s: float, record: Record, columns: list[Column]) -> float:
    panel = Panel(sheet, top, 44, ends_s)
    panel.title("Visitors on the new release")
    panel.scale([(0, "0 %"), (1, "100 %")])
    points: list[Point] = []
    labels: list[tuple[float, float]] = []
    for moment in record.moments:
        if not labels or labels[-1][1] != moment.share:
            if points:
                points.append((panel.x(moment.at_s), points[-1][1]))
            points.append((panel.x(moment.at_s), panel.y(moment.share)))
            labels.append((moment.at_s, moment.share))
    if points:
        points.append((panel.right, points[-1][1]))
        panel.sheet.area([(points[0][0], panel.bottom), *points, (panel.right, panel.bottom)], colour="new")
        panel.sheet.path(points, colour="new")
    said = -100.0
    for at_s, share in labels:
        x = panel.x(at_s) + 4
        if x > said and x < panel.right - 34:
            y = panel.y(share) + (15 if share > 0.6 else -4)
            panel.sheet.text((x, y), f"{100 * share:g} %", size=11)
            said = x + 36
    return panel.bottom + 36


def _requests(sheet: Sheet, top: float, ends_s: float, record: Record, columns: list[Column]) -> float:
    panel = Panel(sheet, top, 64, ends_s)
    rates = [(c.requests / _width(c), c.stable_requests / _width(c)) for c in columns]
    most = _ceiling(max((max(pair) for pair in rates), default=0.0))
    total, stable = (_requests_of(it) for it in (record.candidate, record.stable))
    all_of = "" if sheet.width < _SMALL else " in all"
    panel.title("Requests a second", [(f"{total:,}{all_of}", "new"), (f"{stable:,}{all_of}", "old")])
    panel.scale([(0, "0"), (1, _number(most))])
    _lines(panel, columns, [old / most for _, old in rates], [new / most for new, _ in rates])
    return panel.bottom + 36


def _failures(sheet: Sheet, top: float, ends_s: float, record: Record, columns: list[Column]) -> float:
    panel = Panel(sheet, top, 64, ends_s)
    mine = _added_up([c.failed for c in columns])
    theirs = _added_up([c.stable_failed for c in columns])
    most = _ceiling(max([*mine, *theirs, 1]))
    failed = record.stable.failed if record.stable else 0
    panel.title("Failed requests, added up", [(f"{record.candidate.failed:,}", "new"), (f"{failed:,}", "old")])
    panel.scale([(0, "0"), (1, _number(most))])
    _lines(panel, columns, [it / most for it in theirs], [it / most for it in mine], is_level=True)
    return panel.bottom + 36


def _latency(sheet: Sheet, top: float, ends_s: float, record: Record, columns: list[Column]) -> float:
    panel = Panel(sheet, top, 64, ends_s)
    most = _ceiling(max([max(c.p95_ms, c.stable_p95_ms) for c in columns] or [0.0]))
    theirs = record.stable.p95_ms if record.stable else 0.0
    notes = [(_ms(record.candidate.p95_ms), "new"), (_ms(theirs), "old")]
    panel.title("95 of 100 answered within", [note for note in notes if note[0]])
    panel.scale([(0, "0"), (1, _ms(most) or "0")])
    old = [c.stable_p95_ms / most if c.stable_p95_ms else None for c in columns]
    new = [c.p95_ms / most if c.p95_ms else None for c in columns]
    _lines(panel, columns, old, new)
    return panel.bottom + 36


def _evidence(sheet: Sheet, top: float, ends_s: float, record: Record, columns: list[Column]) -> float:
    panel = Panel(sheet, top, 92, ends_s)
    is_small = sheet.width < _SMALL
    panel.title(
        "Evidence" if is_small else "Evidence, in parts of what is needed", [("against it", "bad"), ("for it", "good")]
    )
    marks = {-3: "0.1 %", -2: "1 %", -1: "10 %", 0: "100 %", 1: ""}
    panel.scale([((mark - _LEAST) / (_MOST - _LEAST), label) for mark, label in marks.items()])
    enough = panel.y((0 - _LEAST) / (_MOST - _LEAST))
    sheet.line((panel.left, enough), (panel.right, enough), colour="ink", width=1.2, dash="2 3")
    for name, dash in (("for_it", "6 4"), ("against", "")):
        points = [(panel.x(c.ended_s), panel.y((getattr(c, name) - _LEAST) / (_MOST - _LEAST))) for c in columns]
        if points:
            points = [(panel.left, points[0][1]), *points]
            sheet.path(points, colour="good" if name == "for_it" else "bad", dash=dash)
    sheet.text((panel.left + 4, enough - 5), "enough to act", size=11, colour="faint")
    return panel.bottom + 32


def _lines(
    panel: Panel,
    columns: list[Column],
    old: Sequence[float | None],
    new: Sequence[float | None],
    *,
    is_level: bool = False,
) -> None:
    for parts, colour, dash in ((old, "old", "5 3"), (new, "new", "")):
        points: list[Point] = [(panel.x(0.0), panel.y(0.0))] if is_level and columns else []
        for column, part in zip(columns, parts, strict=True):
            if part is None:
                continue
            if is_level:
                points += [(panel.x(column.ended_s), points[-1][1]), (panel.x(column.ended_s), panel.y(part))]
            else:
                points += [(panel.x(column.began_s), panel.y(part)), (panel.x(column.ended_s), panel.y(part))]
        if points:
            panel.sheet.path(points, colour=colour, dash=dash)


def _axis(sheet: Sheet, y: float, ends_s: float) -> None:
    panel = Panel(sheet, y, 0, ends_s)
    unit, name = (60.0, "min") if ends_s > 180 else (1.0, "s")
    step = unit * _step(ends_s / unit / (3 if sheet.width < _SMALL else 6))
    at = 0.0
    while at <= ends_s:
        x = panel.x(at)
        sheet.line((x, y), (x, y + 4), colour="faint")
        anchor = "middle" if x < panel.right - 16 else "end"
        sheet.text((x, y + 18), f"{at / unit:g} {name}", size=11, colour="faint", anchor=anchor)  # type: ignore[arg-type]  # both are anchors
        at += step


def _moment(sheet: Sheet, top: float, bottom: float, ends_s: float, at_s: float, verdict: Verdict) -> None:
    """A line through all panels at the verdict's moment."""
    x = Panel(sheet, top, 0, ends_s).x(at_s)
    colour = "bad" if verdict.action is Action.ROLL_BACK else "good"
    sheet.line((x, top), (x, bottom), colour=colour, width=1.4)
    sheet.dot((x, top), 4, colour=colour)


def _columns(record: Record, ends_s: float, most: int) -> list[Column]:
    """The moments gathered into about `most` columns; one ends where the next begins."""
    if not record.moments:
        return []
    each = ceil(len(record.moments) / most)
    groups: list[list[Moment]] = []
    for moment in record.moments:
        if groups and len(groups[-1]) < each and groups[-1][0].share == moment.share:
            groups[-1].append(moment)
        else:
            groups.append([moment])
    ends = [group[0].at_s for group in groups[1:]] + [ends_s]
    return [_column(record, group, group[0].at_s, end) for group, end in zip(groups, ends, strict=True)]


def _column(record: Record, found: list[Moment], began_s: float, ended_s: float) -> Column:
    last = next((it.strengths for it in reversed(found) if it.strengths), ())
    parts = {
        of: value / need for of, value, need in zip(record.measures, last, record.needed, strict=False) if need > 0
    }
    against = max((part for of, part in parts.items() if of not in FOR), default=0.0)
    for_it = min((part for of, part in parts.items() if of in FOR), default=0.0)
    return Column(
        began_s=began_s,
        ended_s=max(ended_s, began_s + 0.1),
        share=found[-1].share,
        requests=sum(it.served + it.failed for it in found),
        failed=sum(it.failed for it in found),
        p95_ms=_mean([(it.p95_ms, it.served) for it in found]),
        stable_requests=sum(it.stable_served + it.stable_failed for it in found),
        stable_failed=sum(it.stable_failed for it in found),
        stable_p95_ms=_mean([(it.stable_p95_ms, it.stable_served) for it in found]),
        against=_log(against),
        for_it=_log(for_it),
    )


def _mean(found: list[tuple[float, int]]) -> float:
    """Of those that have a value, weighted by their requests."""
    weight = sum(of for value, of in found if value)
    return sum(value * of for value, of in found if value) / weight if weight else 0.0


def _log(part: float) -> float:
    return min(max(log10(part), _LEAST), _MOST) if part > 0 else _LEAST


def _added_up(values: Sequence[int]) -> list[int]:
    total, found = 0, []
    for value in values:
        total += value
        found.append(total)
    return found


def _requests_of(side: object) -> int:
    return getattr(side, "served", 0) + getattr(side, "failed", 0)


def _width(column: Column) -> float:
    return max(column.ended_s - column.began_s, 0.1)


def _step(about: float) -> float:
    """1, 2, 5, 10, 15, 30 … not below `about`."""
    for step in (1, 2, 5, 10, 15, 20, 30, 60, 120, 240, 480):
        if step >= about:
            return step
    return float(ceil(about))


def _ceiling(value: float) -> float:
    """A round number not below `value`."""
    if value < 1e-6:
        return 1.0
    unit = 10.0 ** floor(log10(value))
    return next(unit * step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 20) if unit * step >= value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"


def _ms(value: float) -> str:
    if value <= 0:
        return ""
    return f"{value / 1000:.3g} s" if value >= 1000 else f"{value:.3g} ms"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
