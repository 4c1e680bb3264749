"""Points that were kept → curves, quantiles and sums over any window. Right for any window: times are merged, never
averaged (https://www.vldb.org/pvldb/vol12/p2195-masson.pdf, 2.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil

import msgspec

from underway.ports.metrics import Metrics
from underway.terms.metrics import (
    CONNECTIONS,
    CPU,
    DATABASE,
    DATABASE_BYTES,
    MEMORY,
    RESTARTS,
    Curve,
    Figures,
    Level,
    Mark,
    Point,
    release_subject,
)
from underway.terms.verdict import Traffic

STEPS = 240
"""A curve has at most so many steps: more than that no screen shows."""
MOST_RELEASES = 20
"""Curves of so many releases; those that served last."""
_FINEST_S, _MINUTES_S = 3 * 3600.0, 48 * 3600.0


def level_of(window_s: float) -> Level:
    """The level that a window is read at: about a thousand points of each subject at most, thirty days from hours."""
    if window_s <= _FINEST_S:
        return Level.FINE
    return Level.MINUTE if window_s <= _MINUTES_S else Level.HOUR


def figures(
    metrics: Metrics, app: str, since: float, until: float, marks: Iterable[Mark] = (), steps: int = STEPS
) -> Figures:
    """What the app's releases answered and used from `since` to `until`, in at most `steps` steps."""
    level = level_of(until - since)
    width = level.value
    first = since // width * width
    step_s = max(1, ceil((until - first) / width / max(1, steps))) * width
    count = max(1, ceil((until - first) / step_s))
    folds: dict[str, list[Point | None]] = {}
    last_at: dict[str, float] = {}
    for subject in metrics.subjects(app):
        if not subject.startswith(prefix := release_subject("")):
            continue
        points = metrics.read(app, subject, level, first, until)
        if points:
            release = subject.removeprefix(prefix)
            folds[release], last_at[release] = _fold(points, first, step_s, count), points[-1][0]
    curves = [(last_at[release], _curve(release, folded)) for release, folded in folds.items()]
    curves.sort(key=lambda each: (each[0], each[1].release))
    database = _fold(metrics.read(app, DATABASE, level, first, until), first, step_s, count)
    return Figures(
        app=app,
        since=first,
        until=until,
        step_s=step_s,
        at=tuple(first + place * step_s for place in range(count)),
        whole=_whole([curve for _, curve in curves], list(folds.values()), count),
        releases=tuple(curve for _, curve in curves[-MOST_RELEASES:]),
        marks=tuple(mark for mark in marks if first <= mark.at <= until),
        database_bytes=_gauges(database, DATABASE_BYTES),
        connections=_gauges(database, CONNECTIONS),
    )


def _fold(points: Sequence[tuple[float, Point]], first: float, step_s: float, count: int) -> list[Point | None]:
    out: list[Point | None] = [None] * count
    for at, point in points:
        place = int((at - first) // step_s)
        if 0 <= place < count:
            if (known := out[place]) is None:
                known = out[place] = Point()
            known.merge(point)
    return out


def _whole(curves: Sequence[Curve], folds: Sequence[Sequence[Point | None]], count: int) -> Curve:
    """All releases together; of a single one there is nothing to add up."""
    if len(curves) == 1:
        return msgspec.structs.replace(curves[0], release="")
    whole: list[Point | None] = [None] * count
    for folded in folds:
        for place, point in enumerate(folded):
            if point is not None:
                if (known := whole[place]) is None:
                    known = whole[place] = Point()
                _add(known, point)
    return _curve("", whole)


def _add(known: Point, other: Point) -> None:
    """Another release in the same stretch: gauges of both run at once, so they are added, not averaged."""
    known.sent_bytes += other.sent_bytes
    known.served += other.served
    known.failed += other.failed
    known.gone += other.gone
    known.took.merge(other.took)
    for name, gauge in other.gauges.items():
        both = known.gauge(name)
        both.total, both.times = both.mean + gauge.mean, 1
        both.most += gauge.most
        both.last += gauge.last


def _curve(release: str, points: Sequence[Point | None]) -> Curve:
    total = Point()
    for point in points:
        if point is not None:
            total.merge(point)
    times = [
        tuple(round(each, 2) for each in point.took.quantiles_ms(0.5, 0.95, 0.99))
        if point and point.took.count
        else None
        for point in points
    ]
    return Curve(
        release=release,
        served=tuple(point.served if point else 0 for point in points),
        failed=tuple(point.failed if point else 0 for point in points),
        gone=tuple(point.gone if point else 0 for point in points),
        p50_ms=tuple(each[0] if each else None for each in times),
        p95_ms=tuple(each[1] if each else None for each in times),
        p99_ms=tuple(each[2] if each else None for each in times),
        memory_bytes=_gauges(points, MEMORY),
        cpu_cores=_gauges(points, CPU),
        restarts=_gauges(points, RESTARTS, is_last=True),
        sum=_traffic(total),
    )


def _gauges(points: Sequence[Point | None], name: str, *, is_last: bool = False) -> tuple[float | None, ...]:
    found = (point.gauges.get(name) if point else None for point in points)
    return tuple(round(it.last if is_last else it.mean, 4) if it and it.times else None for it in found)


def _traffic(point: Point) -> Traffic:
    p50, p95, p99 = (round(each, 2) for each in point.took.quantiles_ms(0.5, 0.95, 0.99))
    return Traffic(served=point.served, failed=point.failed, p50_ms=p50, p95_ms=p95, p99_ms=p99)
