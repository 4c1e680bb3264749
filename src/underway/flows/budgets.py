"""The error budgets of an app, from its figures over time."""

from __future__ import annotations

from underway.flows.keeping_rules import keeping_rules
from underway.journal.app_state import AppState
from underway.ports.metrics import Metrics
from underway.slo.budget import Objective, budget, is_spent
from underway.terms.metrics import Level, objective_subject, release_subject
from underway.terms.objective import Budget


def budgets(state: AppState, metrics: Metrics, now: float) -> list[Budget]:
    """Every objective of the app as it is now, the most spent first; none for an app that is down."""
    rules = keeping_rules(state)
    found = [_budget(state.app, each, metrics, now) for each in rules.objectives] if rules else []
    return sorted(found, key=lambda each: -(each.spent or 0.0))


def overspent(state: AppState, metrics: Metrics, now: float) -> list[Budget]:
    """The budgets of what the app's manifest promises that are spent. What Underway itself assumes of an app that
    promised nothing holds nothing up."""
    rules = keeping_rules(state)
    if rules is None or all(each.is_own for each in rules.objectives):
        return []
    return [it for it in budgets(state, metrics, now) if not it.is_own and is_spent(it, it.least)]


def _budget(app: str, promised: Objective, metrics: Metrics, now: float) -> Budget:
    if promised.route:
        subjects = [objective_subject(promised.name)]
    else:
        subjects = [each for each in metrics.subjects(app) if each.startswith(release_subject(""))]

    def counts(window_s: float) -> tuple[int, int]:
        level = _level(window_s)
        good = bad = 0
        for subject in subjects:
            if not promised.limit_ms:
                served, failed = metrics.counts(app, subject, level, now - window_s, now + level.value)
                good, bad = good + served, bad + failed
                continue
            for _, point in metrics.read(app, subject, level, now - window_s, now + level.value):
                within = point.took.count_within(promised.limit_ms)
                good, bad = good + within, bad + point.took.count - within
        return good, bad

    return budget(app, promised, counts)


def _level(window_s: float) -> Level:
    """Fine enough that the window's edges are within a thirtieth of it."""
    if window_s <= 1800:
        return Level.FINE
    return Level.MINUTE if window_s <= 2 * 86_400 else Level.HOUR
