"""Alerts: what a person is told although nobody asked."""

from __future__ import annotations

from enum import Enum

import msgspec

from underway.terms.problem import Problem


class Severity(Enum):
    """`critical` wakes somebody, `warning` waits for the morning, `note` is only shown."""

    CRITICAL = "critical"
    WARNING = "warning"
    NOTE = "note"


class AlertStanding(Enum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    CLEARED = "cleared"


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a channel took (`problem` empty), or did not. `what` is raised | again | cleared."""

    at: float
    channel: str
    what: str
    problem: str = ""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. `key` names the matter within the app (empty app: the home); `id` names this time of it for good.

    `problem` says what, why, what to do and which command shows more. `release` was live when it was raised,
    `users_touched` people had met a failure by then. `until` is when a silence ends.
    """

    app: str
    key: str
    id: str
    problem: Problem
    severity: Severity
    standing: AlertStanding
    since: float
    raised_at: float
    release: str = ""
    users_touched: int = 0
    step: str = ""
    """What to do, of the manifest or of the runbook."""
    runbook: str = ""
    """Where to read on."""
    cleared_at: float = 0.0
    because: str = ""
    """Why it is over."""
    by: str = ""
    """Who acknowledged or silenced it."""
    until: float = 0.0
    told: tuple[Telling, ...] = ()
