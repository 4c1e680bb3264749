"""What is measured over time: points, how fine and how long they are kept, and curves made of them."""

from __future__ import annotations

from enum import Enum

import msgspec

from underway.terms.sketch import Sketch
from underway.terms.verdict import Traffic


class Level(Enum):
    """How fine: the seconds that one point covers."""

    FINE = 10
    MINUTE = 60
    HOUR = 3600

    @property
    def kept_s(self) -> float:
        """So long points of this level are kept: 48 hours, 30 days, 400 days."""
        return _KEPT_S[self]


_DAY_S = 86_400.0
_KEPT_S = {Level.FINE: 2 * _DAY_S, Level.MINUTE: 30 * _DAY_S, Level.HOUR: 400 * _DAY_S}

MEMORY, CPU, RESTARTS = "memory_bytes", "cpu_cores", "restarts"
"""Gauges of a release: all its processes together; `cpu_cores` 1.0 is one processor busy."""
RUN_S = "run_s"
"""Seconds that its instances ran since the reading before, added up."""
DATABASE_BYTES, CONNECTIONS, ROWS = "database_bytes", "connections", "rows"
"""Gauges of the subject `database`."""

DATABASE = "database"


def release_subject(release: str) -> str:
    """The subject under which what a release answered and used is kept."""
    return f"release:{release}"


def monitor_subject(monitor: str) -> str:
    """Checks of a monitor: `served` passed, `failed` did not, `took` are their times."""
    return f"monitor:{monitor}"


def objective_subject(objective: str) -> str:
    """Requests of the route of an objective that names one."""
    return f"slo:{objective}"


def warm_subject(name: str) -> str:
    """Every ping of a `[[keep_awake]]`."""
    return f"warm:{name}"


def cold_subject(name: str) -> str:
    """Those of them that had to wake it."""
    return f"cold:{name}"


class Gauge(msgspec.Struct, array_like=True):
    """Readings of something that goes up and down."""

    total: float = 0.0
    times: int = 0
    most: float = 0.0
    last: float = 0.0

    def add(self, value: float) -> None:
        self.total += value
        self.most = max(self.most, value) if self.times else value
        self.times += 1
        self.last = value

    def merge(self, later: Gauge) -> None:
        self.most = max(self.most, later.most) if self.times else later.most
        self.total += later.total
        self.times += later.times
        self.last = later.last

    @property
    def mean(self) -> float:
        return self.total / self.times if self.times else 0.0


class Point(msgspec.Struct, array_like=True):
    """What was measured of a subject in one stretch of time. Two points merge into the one of both stretches."""

    served: int = 0
    failed: int = 0
    gone: int = 0
    took: Sketch = msgspec.field(default_factory=Sketch)
    gauges: dict[str, Gauge] = msgspec.field(default_factory=dict)
    sent_bytes: int = 0
    """Bodies of answers."""

    def merge(self, later: Point) -> None:
        self.sent_bytes += later.sent_bytes
        self.served += later.served
        self.failed += later.failed
        self.gone += later.gone
        self.took.merge(later.took)
        for name, gauge in later.gauges.items():
            self.gauges.setdefault(name, Gauge()).merge(gauge)

    def gauge(self, name: str) -> Gauge:
        return self.gauges.setdefault(name, Gauge())


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """One release (or all, `release` empty) over time; the lists run along `Figures.at`. None where nothing was
    measured. `gone` were given up by the client. `sum` is the whole window."""

    release: str = ""
    served: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()
    p50_ms: tuple[float | None, ...] = ()
    p95_ms: tuple[float | None, ...] = ()
    p99_ms: tuple[float | None, ...] = ()
    memory_bytes: tuple[float | None, ...] = ()
    cpu_cores: tuple[float | None, ...] = ()
    restarts: tuple[float | None, ...] = ()
    sum: Traffic = Traffic()


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A release that took over at `at`; `outcome` is what became of it (live, rolled_back …)."""

    at: float
    release: str
    outcome: str = ""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What an app's releases answered and used between two moments, in steps of `step_s` that begin at `at`."""

    app: str
    since: float
    until: float
    step_s: float
    at: tuple[float, ...]
    whole: Curve
    releases: tuple[Curve, ...] = ()
    marks: tuple[Mark, ...] = ()
    database_bytes: tuple[float | None, ...] = ()
    connections: tuple[float | None, ...] = ()
