"""Tell people of what nobody asked about: once, until it is over."""

from __future__ import annotations

from underway.alerts.runbook import step_for
from underway.flows.keeping_rules import keeping_rules
from underway.journal.events.alerts import AlertCleared, AlertRaised
from underway.journal.journal import Journal
from underway.manifest.monitor import AlertKeys
from underway.terms.alert import Severity
from underway.terms.problem import Problem

CLOCK_ALERT = "clock"
"""The key of the alert that the machine's clock was set: the next backup ends it."""


def raise_alert(
    app: str,
    key: str,
    problem: Problem,
    journal: Journal,
    *,
    severity: Severity = Severity.WARNING,
    since: float = 0.0,
    users_touched: int = 0,
) -> None:
    """Raise it unless it stands already: the same problem of the same thing."""
    state = journal.state(app)
    standing = state.alerts.standing.get(key)
    if standing is None or (standing.problem.code, standing.problem.where) != (problem.code, problem.where):
        rules = keeping_rules(state)
        keys = rules.alerts if rules is not None else AlertKeys()
        journal.record(
            AlertRaised(
                app=app,
                key=key,
                problem=problem,
                severity=severity,
                since=since,
                release=state.live,
                users_touched=users_touched,
                step=step_for(keys.steps, problem.code, key),
                runbook=keys.runbook,
            )
        )


def clear_alert(app: str, key: str, because: str, journal: Journal) -> None:
    """Clear it where it stands."""
    if key in journal.state(app).alerts.standing:
        journal.record(AlertCleared(app=app, key=key, because=because))
