"""Readings in the words of OpenMetrics 1.0, or of Prometheus' older text format where that is asked for.

The official client writes them. It is imported with the first question: an agent that nobody scrapes does without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from underway.observe.meter import BUCKETS_MS
from underway.prometheus.readings import AppReading, Readings
from underway.terms.monitor import MonitorState

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

_EDGES = [*(repr(edge / 1000) for edge in BUCKETS_MS), "+Inf"]


class Exposed(NamedTuple):
    text: bytes
    content_type: str


class _Collector:
    """What the client's writers ask for their families."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def expose(readings: Readings, accept: str) -> Exposed:
    """In the format that `accept`, the header of the question, prefers; OpenMetrics where it says nothing of either."""
    is_older = "text/plain" in accept and "openmetrics" not in accept
    if is_older:
        from prometheus_client import exposition as older

        return Exposed(older.generate_latest(_Collector(families(readings))), older.CONTENT_TYPE_PLAIN_0_0_4)
    from prometheus_client.openmetrics import exposition

    text = exposition.generate_latest(_Collector(families(readings)))  # type: ignore[no-untyped-call]  # it has none
    return Exposed(text, exposition.CONTENT_TYPE_LATEST)


def families(readings: Readings) -> Iterator[Metric]:
    """Every family, each once, with the samples of all apps."""
    from prometheus_client.metrics_core import GaugeMetricFamily as Gauge

    build = Gauge("underway_build_info", "The agent's version; always 1.", labels=("version",))
    build.add_metric((readings.version,), 1)
    yield build
    yield Gauge("underway_agent_start_time_seconds", "When the agent began.", readings.began_at)
    yield Gauge("underway_disk_free_bytes", "Free on the disk of the home.", readings.disk_free_bytes)
    yield Gauge("underway_disk_size_bytes", "Size of the disk of the home.", readings.disk_bytes)
    yield from _requests(readings.apps)
    yield from _objectives(readings.apps)
    yield from _releases(readings.apps)
    yield from _monitors(readings.apps)


def _requests(apps: Iterable[AppReading]) -> Iterator[Metric]:
    from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily

    requests = CounterMetricFamily(
        "underway_http_requests",
        "Visitors' requests since the agent began; gone were given up by the visitor.",
        labels=("app", "release", "route", "outcome"),
    )
    times = HistogramMetricFamily(
        "underway_http_request_duration_seconds",
        "How long visitors waited for their answers.",
        labels=("app", "release", "route"),
    )
    for it in apps:
        for release, route, count in it.routes:
            for outcome, value in (("good", count.good), ("failed", count.failed), ("gone", count.gone)):
                requests.add_metric((it.app, release, route, outcome), value)
            seen, buckets = 0, []
            for edge, value in zip(_EDGES, count.buckets, strict=True):
                seen += value
                buckets.append((edge, float(seen)))
            times.add_metric((it.app, release, route), buckets, count.total_ms / 1000)
    yield requests
    yield times


def _objectives(apps: Iterable[AppReading]) -> Iterator[Metric]:
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

    labels = ("app", "slo")
    requests = CounterMetricFamily("underway_slo_requests", "Requests that an objective counts.", labels=labels)
    bad = CounterMetricFamily("underway_slo_bad_requests", "Those that were not good.", labels=labels)
    wanted = GaugeMetricFamily("underway_slo_objective_ratio", "The share that was promised to be good.", labels=labels)
    spent = GaugeMetricFamily(
        "underway_slo_budget_spent_ratio", "The share of the error budget that is gone; 1 is all.", labels=labels
    )
    for it in apps:
        for budget, counted in it.objectives:
            key = (it.app, budget.name)
            requests.add_metric(key, counted.requests)
            bad.add_metric(key, counted.bad)
            wanted.add_metric(key, budget.objective)
            if budget.spent is not None:
                spent.add_metric(key, budget.spent)
    yield from (requests, bad, wanted, spent)


def _releases(apps: Iterable[AppReading]) -> Iterator[Metric]:
    from prometheus_client.metrics_core import GaugeMetricFamily as Gauge

    labels = ("app", "release")
    well = Gauge("underway_app_up", "1 while the app answers and has what it needs.", labels=("app",))
    live = Gauge("underway_release_live", "1 for the release that has the traffic.", labels=labels)
    memory = Gauge("underway_release_memory_bytes", "What all its processes use.", labels=labels)
    cpu = Gauge("underway_release_cpu_cores", "Processors that its processes keep busy.", labels=labels)
    restarts = Gauge("underway_release_restarts", "How often its processes were started again.", labels=labels)
    size = Gauge("underway_database_size_bytes", "The app's database on disk.", labels=("app",))
    connections = Gauge("underway_database_connections", "Open connections to it.", labels=("app",))
    alerts = Gauge("underway_alerts", "Alerts that stand.", labels=("app", "severity"))
    used = Gauge("underway_budget_used_ratio", "The share of a month's budget that is used.", labels=("app", "budget"))
    for it in apps:
        if it.is_well is not None:
            well.add_metric((it.app,), it.is_well)
        for one in it.releases:
            key = (it.app, one.release)
            live.add_metric(key, one.is_live)
            for family, value in ((memory, one.memory_bytes), (cpu, one.cpu_cores), (restarts, one.restarts)):
                if value is not None:
                    family.add_metric(key, value)
        for family, value in ((size, it.database_bytes), (connections, it.connections)):
            if value is not None:
                family.add_metric((it.app,), value)
        for severity, count in it.alerts:
            alerts.add_metric((it.app, severity), count)
        for budget in it.budgets:
            used.add_metric((it.app, budget.name), budget.share)
    yield from (well, live, memory, cpu, restarts, size, connections, alerts, used)


def _monitors(apps: Iterable[AppReading]) -> Iterator[Metric]:
    from prometheus_client.metrics_core import GaugeMetricFamily as Gauge

    labels = ("app", "monitor", "kind")
    up = Gauge("underway_monitor_up", "1 while it passes; not there while nothing can be said.", labels=labels)
    took = Gauge("underway_monitor_duration_seconds", "How long its latest check took.", labels=labels)
    ends = Gauge("underway_monitor_certificate_end_time_seconds", "When the certificate it saw ends.", labels=labels)
    for it in apps:
        for one in it.monitors:
            key = (it.app, one.name, one.kind.value)
            if one.state in (MonitorState.UP, MonitorState.DOWN):
                up.add_metric(key, one.state is MonitorState.UP)
            if one.took_ms:
                took.add_metric(key, one.took_ms / 1000)
            if one.certificate_until:
                ends.add_metric(key, one.certificate_until)
    yield from (up, took, ends)
