"""Limits that the manifest sets itself: figures of now against them."""

from __future__ import annotations

from collections.abc import Sequence

from underway.alerts.conditions import Condition
from underway.flows.wrong_words import passed
from underway.guard.words import percent
from underway.journal.app_state import AppState
from underway.manifest.limits import SHARES, SIZES, TIMES, LimitKeys, limit_of
from underway.ports.drivers import Drivers
from underway.terms.alert import Severity
from underway.terms.metrics import CONNECTIONS, CPU, DATABASE, MEMORY, Level, Point, release_subject

_GAUGE_OF = {"memory": MEMORY, "processors": CPU, "connections": CONNECTIONS}
_QUANTILE_OF = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_GAUGES_S = 150.0
"""A gauge is as of its newest reading: processes are read every ten seconds, databases every minute."""


def passed_limits(state: AppState, limits: Sequence[LimitKeys], on: Drivers, now: float) -> list[Condition]:
    """Those that are passed now. Quick: no network, no process."""
    out: list[Condition] = []
    for each in limits:
        value = measured(state, each, on, now)
        bound = limit_of(each.of, each.over or each.under)
        if value is None or bound is None:
            continue
        if (value > bound) if each.over else (value < bound):
            out.append(_condition(state.app, each, value))
    return out


def measured(state: AppState, limit: LimitKeys, on: Drivers, now: float) -> float | None:
    """What the limit is about, in its unit; None when nothing can be said."""
    if limit.of == "disk":
        whole = on.machine.disk_bytes()
        return 1 - on.machine.disk_free_bytes() / whole if whole else None
    if limit.of in _GAUGE_OF:
        subject = DATABASE if limit.of == "connections" else release_subject(state.live)
        points = on.metrics.read(state.app, subject, Level.FINE, now - _GAUGES_S, now + 60)
        found = [point.gauges[name].mean for _, point in points if (name := _GAUGE_OF[limit.of]) in point.gauges]
        return found[-1] if found else None
    return _of_requests(state, limit, on, now)


def _of_requests(state: AppState, limit: LimitKeys, on: Drivers, now: float) -> float | None:
    whole = Point()
    for subject in on.metrics.subjects(state.app):
        if subject.startswith(release_subject("")):
            for _, point in on.metrics.read(state.app, subject, Level.FINE, now - limit.window_s, now + 60):
                whole.merge(point)
    served = whole.served + whole.failed
    if limit.of == "requests":
        return 60 * served / limit.window_s
    if limit.of == "errors":
        return whole.failed / served if served >= limit.least else None
    return whole.took.quantile_ms(_QUANTILE_OF[limit.of]) if whole.took.count >= limit.least else None


def _condition(app: str, limit: LimitKeys, value: float) -> Condition:
    bound = f"and more than {limit.over} is too much" if limit.over else f"and less than {limit.under} is too little"
    over_s = limit.window_s if limit.of not in (*_GAUGE_OF, "disk") else max(limit.for_s, 10.0)
    problem = passed(app, limit.name, limit.of, _said(limit.of, value), bound, over_s)
    return Condition(f"limit {limit.name}", problem, Severity(limit.severity), for_s=limit.for_s, clear_s=60.0)


def _said(measure: str, value: float) -> str:
    if measure in SHARES:
        return percent(value)
    if measure in TIMES:
        return f"{value:,.0f} ms"
    if measure in SIZES:
        return f"{value / 1e6:,.0f} MB"
    return f"{value:,.0f} a minute" if measure == "requests" else f"{value:,.1f}"
