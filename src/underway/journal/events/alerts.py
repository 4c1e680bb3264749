"""Events of alerts: what a person should be told, and what was told to whom."""

from __future__ import annotations

from underway.journal.events.event import Event
from underway.terms.alert import Severity
from underway.terms.problem import Problem


class AlertRaised(Event, frozen=True, kw_only=True, tag="alert_raised"):
    """Something that a person should be told, though nobody asked. `key` names the matter: it is raised once, and
    again only after it was cleared."""

    key: str
    problem: Problem
    severity: Severity = Severity.WARNING
    since: float = 0.0
    """When it began, which is before it was raised; 0 for the same moment."""
    release: str = ""
    """The release that was live."""
    users_touched: int = 0
    step: str = ""
    """What to do about it, of the manifest or of the runbook."""
    runbook: str = ""
    """The address of the manifest's runbook."""


class AlertCleared(Event, frozen=True, kw_only=True, tag="alert_cleared"):
    """The matter is over."""

    key: str
    because: str = ""


class AlertAcknowledged(Event, frozen=True, kw_only=True, tag="alert_acknowledged"):
    """Somebody looks after it: it is escalated no further."""

    key: str
    by: str


class AlertSilenced(Event, frozen=True, kw_only=True, tag="alert_silenced"):
    """Nobody is told of the matter before `until`, whether it is raised already or not; 0 ends the silence."""

    key: str
    by: str
    until: float
    because: str = ""


class MessageDecided(Event, frozen=True, kw_only=True, tag="message_decided"):
    """A channel shall be told of these alerts. Written before anything is sent; `message` is sent with it, so that a
    receiver knows one that comes again. `what` is raised | again | cleared."""

    message: str
    channel: str
    what: str
    alerts: tuple[str, ...]


class MessageSent(Event, frozen=True, kw_only=True, tag="message_sent"):
    """The channel took the message."""

    message: str


class MessageGivenUp(Event, frozen=True, kw_only=True, tag="message_given_up"):
    """The channel did not take the message for so long that nobody would be helped by it any more."""

    message: str
    problem: Problem
