"""Incidents: what visitors of the status page are told of a disturbance."""

from __future__ import annotations

from enum import Enum

import msgspec


class Impact(Enum):
    """What visitors notice of it."""

    NOTICE = "notice"
    """Nothing yet: work that was announced."""
    DEGRADED = "degraded"
    DOWN = "down"


class IncidentStage(Enum):
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    WATCHING = "watching"
    """Mended, and looked after."""
    RESOLVED = "resolved"


class IncidentUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was told of it. `by` is who wrote it, and is not shown outside."""

    at: float
    stage: IncidentStage
    text: str
    by: str = ""


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One disturbance of an app. Its updates are oldest first; `ended_at` is 0 while it goes on. `alert` is the key of
    the alert that opened it, empty for one that a person opened."""

    id: str
    app: str
    title: str
    impact: Impact
    opened_at: float
    updates: tuple[IncidentUpdate, ...] = ()
    ended_at: float = 0.0
    alert: str = ""

    @property
    def stage(self) -> IncidentStage:
        return self.updates[-1].stage if self.updates else IncidentStage.INVESTIGATING
