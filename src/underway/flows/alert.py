"""Tell people of what nobody asked about: once, until it is over."""

from __future__ import annotations

from underway.journal.events import AlertCleared, AlertRaised
from underway.journal.journal import Journal
from underway.terms.problem import Problem

CLOCK_ALERT = "clock"
"""The key of the alert that the machine's clock was set: the next backup ends it."""


def raise_alert(app: str, key: str, problem: Problem, journal: Journal) -> None:
    """Raise it unless it stands already: the same problem of the same thing."""
    standing = journal.state(app).alerts.get(key)
    if standing is None or (standing.code, standing.where) != (problem.code, problem.where):
        journal.record(AlertRaised(app=app, key=key, problem=problem))


def clear_alert(app: str, key: str, because: str, journal: Journal) -> None:
    """Clear it where it stands."""
    if key in journal.state(app).alerts:
        journal.record(AlertCleared(app=app, key=key, because=because))
