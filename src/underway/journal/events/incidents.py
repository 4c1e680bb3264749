"""Events of incidents: what visitors of the status page are told."""

from __future__ import annotations

from underway.journal.events.event import Event
from underway.terms.incident import Impact, IncidentStage


class IncidentOpened(Event, frozen=True, kw_only=True, tag="incident_opened"):
    """Visitors of the status page are told of a disturbance. `alert` is the key of the alert that it comes from, empty
    where a person opened it."""

    incident: str
    title: str
    impact: Impact
    text: str
    by: str
    alert: str = ""


class IncidentUpdated(Event, frozen=True, kw_only=True, tag="incident_updated"):
    """Something more is told of it; the stage `resolved` ends it."""

    incident: str
    stage: IncidentStage
    text: str
    by: str
