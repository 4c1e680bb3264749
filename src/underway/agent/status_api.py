"""The API's part for incidents and the status page."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from underway.agent.access_api import door_of
from underway.agent.agent import Agent
from underway.agent.endpoint import Endpoint, app_state, body, json_answer
from underway.agent.status_views import ExportAsk, Exported, IncidentAsk, StatusPageAsk, StatusPageView
from underway.flows.incidents import open_incident, tell_of_incident
from underway.terms.incident import Incident


async def incidents(agent: Agent, request: Request) -> Response:
    """The app's incidents, newest first."""
    return json_answer(sorted(app_state(agent, request).incidents.values(), key=lambda it: -it.opened_at))


async def tell_incident(agent: Agent, request: Request) -> Response:
    """Open an incident, tell more of it, or end it."""
    app = app_state(agent, request).app
    return json_answer(give_incident(agent, app, await body(request, IncidentAsk)), 201)


def give_incident(agent: Agent, app: str, ask: IncidentAsk) -> Incident:
    """Raises `Refusal` (`incident.unknown`, `incident.over`, `incident.text`)."""
    if ask.incident:
        return tell_of_incident(app, ask.incident, ask.stage, ask.text, ask.by, agent.journal)
    return open_incident(app, agent.new_id(), ask.title, ask.impact, ask.text, ask.by, agent.journal)


async def status_page(agent: Agent, request: Request) -> Response:
    """Where the status page is published."""
    return json_answer(door_of(agent).published())


async def publish(agent: Agent, request: Request) -> Response:
    """Publish the status page under a host, or take it away."""
    return json_answer(await door_of(agent).publish(await body(request, StatusPageAsk)))


async def export(agent: Agent, request: Request) -> Response:
    """Write the status page as files, for any other server."""
    return json_answer(door_of(agent).export(await body(request, ExportAsk)))


STATUS_ENDPOINTS = (
    Endpoint("GET", "/v1/apps/{app}/incidents", incidents, list[Incident]),
    Endpoint("POST", "/v1/apps/{app}/incidents", tell_incident, Incident, takes=IncidentAsk),
    Endpoint("GET", "/v1/statuspage", status_page, StatusPageView),
    Endpoint("POST", "/v1/statuspage", publish, StatusPageView, takes=StatusPageAsk),
    Endpoint("POST", "/v1/statuspage/export", export, Exported, takes=ExportAsk),
)
