"""What an app used of its month, from its figures over time."""

from __future__ import annotations

from dataclasses import dataclass

from underway.alerts.conditions import Condition
from underway.flows.keeping_rules import keeping_rules
from underway.journal.app_state import AppState
from underway.manifest.spending import BudgetKeys
from underway.ports.metrics import Metrics
from underway.spending.budget import PACE_S, Used, month, spending
from underway.terms.alert import Severity
from underway.terms.metrics import DATABASE, ROWS, RUN_S, Level, release_subject
from underway.terms.problem import Problem
from underway.terms.spending import Spending

_SEVERITIES = {50: Severity.NOTE, 80: Severity.WARNING, 100: Severity.CRITICAL}
_GIGABYTE, _MILLION = 1e9, 1e6


@dataclass
class _Sums:
    hours: float = 0.0
    requests: int = 0
    bandwidth_bytes: int = 0

    def cost(self, keys: BudgetKeys) -> float:
        by_use = self.hours * keys.prices.hour + self.requests / _MILLION * keys.prices.million
        return by_use + self.bandwidth_bytes / _GIGABYTE * keys.prices.gigabyte


def spendings(state: AppState, metrics: Metrics, now: float) -> list[Spending]:
    """Every budget of the live release's manifest, the one that is used most first. Reads a month of hours."""
    rules = keeping_rules(state)
    keys = rules.manifest.budget if rules else None
    if keys is None or not any((keys.hours, keys.requests, keys.bandwidth_bytes, keys.rows, keys.cost)):
        return []
    since, until = month(now, keys.first_day)
    whole, lately, first_at = _sums(state.app, metrics, since, now)
    lately_s = min(PACE_S, now - first_at)
    used = [
        Used("hours", "h", whole.hours, keys.hours, lately.hours, lately_s),
        Used("requests", "requests", whole.requests, keys.requests, lately.requests, lately_s),
        Used("bandwidth", "bytes", whole.bandwidth_bytes, keys.bandwidth_bytes, lately.bandwidth_bytes, lately_s),
        Used("cost", "money", keys.prices.month + whole.cost(keys), keys.cost, lately.cost(keys), lately_s),
    ]
    if keys.rows and (rows := _rows(state.app, metrics, keys.rows, now)) is not None:
        used.append(rows)
    found = [spending(state.app, it, since, until, now) for it in used if it.allowed]
    return sorted(found, key=lambda it: -it.share)


def _sums(app: str, metrics: Metrics, since: float, now: float) -> tuple[_Sums, _Sums, float]:
    """Of the month, of the last week, and since when anything is known of that week."""
    week, first_at = now - PACE_S, now
    whole, lately = _Sums(), _Sums()
    for subject in metrics.subjects(app):
        if not subject.startswith(release_subject("")):
            continue
        for at, point in metrics.read(app, subject, Level.HOUR, min(since, week), now + Level.HOUR.value):
            ran = point.gauges.get(RUN_S)
            for sums, begins in ((whole, since), (lately, week)):
                if at >= begins:
                    sums.hours += ran.total / 3600 if ran else 0.0
                    sums.requests += point.served + point.failed + point.gone
                    sums.bandwidth_bytes += point.sent_bytes
            if at >= week:
                first_at = min(first_at, at)
    return whole, lately, first_at


def _rows(app: str, metrics: Metrics, allowed: int, now: float) -> Used | None:
    """The rows of the database now, and by how many they grew in the last week; None before they were counted."""
    points = metrics.read(app, DATABASE, Level.HOUR, now - PACE_S, now + Level.HOUR.value)
    found = [(at, point.gauges[ROWS].last) for at, point in points if ROWS in point.gauges]
    if not found:
        return None
    (first_at, first), (_, last) = found[0], found[-1]
    return Used("rows", "rows", last, allowed, last - first, now - first_at, is_level=True)


def spent(found: list[Spending]) -> list[Condition]:
    """A condition for every mark that is passed: each is told once, and is over when the month begins again."""
    return [
        Condition(f"spending {it.name} {mark}", _used(it, mark), _SEVERITIES[mark], clear_s=0.0)
        for it in found
        for mark in it.marks
    ]


def _used(it: Spending, mark: int) -> Problem:
    """A budget of the month is half used, nearly used up, or used up."""
    return Problem(
        code="budget.used",
        where=f"{it.app} {it.name} {mark} %",
        why=f"{'all' if mark == 100 else f'{mark} %'} of the budget {it.name} of {it.app}: {it.says}",
        remedy="use less of it, or allow more: see what it is used for, then change [budget] or [[keep_awake]]",
        command=f"underway budgets {it.app}",
    )
