"""`/metrics`: what the agent knows, for a Prometheus."""

from __future__ import annotations

from collections import Counter

from starlette.requests import Request
from starlette.responses import Response

from underway import __version__
from underway.agent.agent import Agent
from underway.agent.endpoint import Endpoint
from underway.journal.app_state import AppState
from underway.prometheus.readings import AppReading, Readings, ReleaseReading
from underway.terms.metrics import CONNECTIONS, CPU, DATABASE, DATABASE_BYTES, MEMORY, RESTARTS, Level, release_subject

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_LATELY_S, _DATABASE_LATELY_S = 60.0, 300.0
"""A gauge that was not read for so long is not shown."""


async def metrics(agent: Agent, request: Request) -> Response:
    """Everything that is measured, as OpenMetrics (or as Prometheus' older text, where `Accept` asks for it)."""
    from underway.prometheus.exposition import expose

    agent.books.catch_up()
    exposed = expose(readings(agent), request.headers.get("accept", ""))
    return Response(exposed.text, headers={"content-type": exposed.content_type})


def readings(agent: Agent) -> Readings:
    on = agent.on
    apps = [_app(agent, state) for app, state in sorted(agent.journal.states().items()) if app]
    return Readings(__version__, agent.started_at, on.machine.disk_free_bytes(), on.machine.disk_bytes(), apps)


def _app(agent: Agent, state: AppState) -> AppReading:
    app, keeping, meter = state.app, agent.keeping, agent.books.meter
    running = {it.spec.release for it in agent.on.runtime.instances(app)}
    alerts = Counter(alert.severity.value for alert in keeping.alerts(app))
    database = _gauges(agent, app, DATABASE, _DATABASE_LATELY_S)
    return AppReading(
        app=app,
        is_well=keeping.health(app, is_deep=True).is_well if state.live else None,
        releases=[_release(agent, state, each) for each in sorted(running | ({state.live} - {""}))],
        routes=[(release, route, count) for of_app, release, route, count in meter.routes() if of_app == app],
        objectives=[(budget, meter.counted(app, budget.name)) for budget in keeping.budgets(app)],
        monitors=keeping.monitoring.statuses(app, has_history=False),
        alerts=sorted(alerts.items()),
        budgets=keeping.spending(app).budgets,
        database_bytes=database.get(DATABASE_BYTES),
        connections=database.get(CONNECTIONS),
    )


def _release(agent: Agent, state: AppState, release: str) -> ReleaseReading:
    found = _gauges(agent, state.app, release_subject(release), _LATELY_S)
    return ReleaseReading(release, release == state.live, found.get(MEMORY), found.get(CPU), found.get(RESTARTS))


def _gauges(agent: Agent, app: str, subject: str, lately_s: float) -> dict[str, float]:
    """The latest reading of each."""
    now = agent.on.clock.now()
    points = agent.on.metrics.read(app, subject, Level.FINE, now - lately_s, now + lately_s)
    return {name: gauge.last for _, point in points for name, gauge in point.gauges.items()}


METRICS_ENDPOINTS = (Endpoint("GET", "/metrics", metrics, None, text=OPENMETRICS),)
