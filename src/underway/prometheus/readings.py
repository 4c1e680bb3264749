"""What is shown to a collector at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from underway.observe.meter import Counted, RouteCount
from underway.terms.monitor import MonitorStatus
from underway.terms.objective import Budget
from underway.terms.spending import Spending


class ReleaseReading(NamedTuple):
    """What one release uses now; None for what was not read lately."""

    release: str
    is_live: bool
    memory_bytes: float | None
    cpu_cores: float | None
    restarts: float | None


class AppReading(NamedTuple):
    """One app. `is_well` None while it is down by order."""

    app: str
    is_well: bool | None
    releases: Sequence[ReleaseReading]
    routes: Sequence[tuple[str, str, RouteCount]]
    """(release, route class, count)."""
    objectives: Sequence[tuple[Budget, Counted]]
    monitors: Sequence[MonitorStatus]
    alerts: Sequence[tuple[str, int]]
    """(severity, how many)."""
    budgets: Sequence[Spending]
    database_bytes: float | None
    connections: float | None


class Readings(NamedTuple):
    """The whole home."""

    version: str
    began_at: float
    disk_free_bytes: float
    disk_bytes: float
    apps: Sequence[AppReading]
