"""The agent's HTTP API over its unix socket, and its OpenAPI description made from the same table."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from underway import __version__
from underway.agent import env_api
from underway.agent.access_api import ACCESS_ENDPOINTS
from underway.agent.agent import Agent
from underway.agent.endpoint import HEALTH, JSON, LINES, Endpoint, app_state, body, json_answer, number
from underway.agent.env_views import (
    EnvChangeAsk,
    EnvChanged,
    EnvHandAsk,
    EnvHanded,
    EnvLookAsk,
    EnvView,
    Recipient,
)
from underway.agent.keeping_api import KEEPING_ENDPOINTS
from underway.agent.look import (
    API_VERSION,
    app_view,
    backups_view,
    plan_view,
    release_views,
    require_process,
    status_view,
)
from underway.agent.metrics_api import METRICS_ENDPOINTS
from underway.agent.status_api import STATUS_ENDPOINTS
from underway.agent.stream import followed, until_left
from underway.agent.views import (
    Alive,
    AppView,
    BackupsView,
    LintAsk,
    LintView,
    MaintenanceAsk,
    OrderAsk,
    PlanAsk,
    PlanView,
    Refused,
    ReleaseView,
    RolloutLine,
    Started,
    StatusView,
    WorkAsk,
    WorkView,
)
from underway.flows.explain import Explanation, explain
from underway.flows.lint import lint_source
from underway.flows.order import order_release
from underway.observe.database import read_database
from underway.terms.database_health import DatabaseHealth
from underway.terms.problem import Failure, Problem, Refusal

_log = logging.getLogger(__name__)
MAX_VALUES_BYTES = 8 * 1024 * 1024
"""Of a body that sets values: several certificates at once fit."""


async def alive(agent: Agent, request: Request) -> Response:
    """Answers 200 while the agent stays, 503 once it is about to end."""
    return json_answer(Alive(version=__version__, api=API_VERSION), 503 if agent.leaving.is_set() else 200)


async def status(agent: Agent, request: Request) -> Response:
    """The agent and every app."""
    return json_answer(status_view(agent))


async def one_app(agent: Agent, request: Request) -> Response:
    """One app as it is now."""
    return json_answer(app_view(agent, app_state(agent, request)))


async def releases(agent: Agent, request: Request) -> Response:
    """The app's releases, newest first."""
    return json_answer(release_views(app_state(agent, request)))


async def evidence(agent: Agent, request: Request) -> Response:
    """Why a release was judged as it was: the verdict, what it rests on over time, and both again from the record."""
    release = request.query_params.get("release", "")
    return json_answer(await explain(app_state(agent, request).app, release, agent.on, agent.journal))


async def database(agent: Agent, request: Request) -> Response:
    """How the app's database is: one reading of the server's own statistics, the values of queries masked."""
    return json_answer(await read_database(app_state(agent, request).app, agent.on.database_stats, agent.on.replicas))


async def make_plan(agent: Agent, request: Request) -> Response:
    """Make a plan of a deploy, a rollback or a take-down. Changes nothing."""
    plan_id, planning = await agent.plan(await body(request, PlanAsk))
    return json_answer(plan_view(plan_id, planning), 201)


async def lint(agent: Agent, request: Request) -> Response:
    """Read the migrations that a deploy of a source would run, and what they would do. Builds it; changes no app."""
    ask = await body(request, LintAsk)
    linted = await lint_source(ask.path, ask.app, agent.on, agent.journal)
    names = tuple(script.name for script in linted.pending.scripts)
    return json_answer(
        LintView(tool=linted.pending.tool, migrations=names, hazards=linted.hazards, why_not=linted.pending.why_not)
    )


async def run_plan(agent: Agent, request: Request) -> Response:
    """Run a plan that was made before, in the background."""
    act, planning = agent.run(request.path_params["plan"])
    return json_answer(Started(act=act, app=planning.plan.app, release=planning.plan.release), 202)


async def backups(agent: Agent, request: Request) -> Response:
    """The app's backups, newest first, and how they stand as a whole."""
    return json_answer(backups_view(agent, app_state(agent, request)))


async def begin_work(agent: Agent, request: Request) -> Response:
    """Begin a backup, a drill, a check of backups, a snapshot or a fetch, in the background."""
    state = app_state(agent, request)
    return json_answer(agent.begin_work(state.app, await body(request, WorkAsk)).view(), 202)


async def see_work(agent: Agent, request: Request) -> Response:
    """Work that was begun, as it is now."""
    return json_answer(agent.works.get(request.path_params["work"]).view())


async def give_order(agent: Agent, request: Request) -> Response:
    """Hold, advance, promote or abort the release that is on its way."""
    state = app_state(agent, request)
    ask = await body(request, OrderAsk)
    order_release(state.app, ask.order, agent.journal, by=ask.by, account=ask.account, because=ask.because)
    return json_answer(app_view(agent, state), 202)


async def look_at_environment(agent: Agent, request: Request) -> Response:
    """The environment of a repository: each variable, where its value is from, what is wrong. No secret is shown."""
    return json_answer(await env_api.look(agent, await body(request, EnvLookAsk)))


async def change_environment(agent: Agent, request: Request) -> Response:
    """Set, remove, make or renew values of an environment. Journaled without them."""
    return json_answer(await env_api.change(agent, await body(request, EnvChangeAsk, MAX_VALUES_BYTES)))


async def hand_over_environment(agent: Agent, request: Request) -> Response:
    """Hand values over in a file that only this user can open. Journaled. No value is in the answer."""
    return json_answer(await env_api.hand(agent, await body(request, EnvHandAsk)), 201)


async def recipient(agent: Agent, request: Request) -> Response:
    """The home's public key, for vault files in repositories."""
    return json_answer(env_api.recipient(agent))


async def maintenance(agent: Agent, request: Request) -> Response:
    """Show visitors the maintenance page, or the app again."""
    state = app_state(agent, request)
    agent.set_maintenance(state.app, await body(request, MaintenanceAsk))
    return json_answer(app_view(agent, state))


async def events(agent: Agent, request: Request) -> Response:
    """Events as JSON lines, oldest first; with `follow` new ones as they happen, and `rollout` lines between them."""
    query = request.query_params
    after, limit = number(query.get("after", "0")), number(query.get("limit", "0"))
    app, act = query.get("app", ""), query.get("act", "")
    past = agent.journal.read(after, app, act, limit)

    async def lines() -> AsyncIterator[bytes]:
        last = after
        for record in past:
            last = record.seq
            yield msgspec.json.encode(record.flat()) + b"\n"
        if query.get("follow") == "true":
            async for line in followed(agent, last, app, act):
                yield line

    return StreamingResponse(lines(), media_type=LINES)


async def logs(agent: Agent, request: Request) -> Response:
    """The output of the app's processes as JSON lines `{source, line}`; with `follow` new lines as they come."""
    state = app_state(agent, request)
    query = request.query_params
    require_process(state, query.get("process", ""))
    found = agent.on.logs.lines(
        state.app, query.get("process", ""), number(query.get("tail", "100")), query.get("follow") == "true"
    )

    async def lines() -> AsyncIterator[bytes]:
        async for line in until_left(agent, found):
            yield msgspec.json.encode(line) + b"\n"

    return StreamingResponse(lines(), media_type=LINES)


async def stop(agent: Agent, request: Request) -> Response:
    """End the agent. Apps, proxy and services go on running, unless `everything` is to be stopped."""
    if request.query_params.get("everything") == "true":
        await agent.stop_everything()
    request.app.state.stop()
    return Response(status_code=202)


async def openapi(agent: Agent, request: Request) -> Response:
    """This description."""
    return json_answer(openapi_document())


_FOLLOW = ("follow", "true: go on with what is new, without end")
ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/v1/alive", alive, Alive),
    Endpoint("GET", "/v1/status", status, StatusView),
    Endpoint("GET", "/v1/apps/{app}", one_app, AppView),
    Endpoint("GET", "/v1/apps/{app}/releases", releases, list[ReleaseView]),
    Endpoint(
        "GET",
        "/v1/apps/{app}/evidence",
        evidence,
        Explanation,
        query=(("release", "this one; without it the one that was judged last"),),
    ),
    Endpoint(
        "GET",
        "/v1/apps/{app}/logs",
        logs,
        None,
        query=(("process", "only this process"), ("tail", "how many lines of the past, 100 by default"), _FOLLOW),
    ),
    Endpoint("GET", "/v1/apps/{app}/backups", backups, BackupsView),
    Endpoint("POST", "/v1/apps/{app}/work", begin_work, WorkView, takes=WorkAsk),
    Endpoint("GET", "/v1/work/{work}", see_work, WorkView),
    Endpoint("POST", "/v1/apps/{app}/orders", give_order, AppView, takes=OrderAsk),
    Endpoint("POST", "/v1/apps/{app}/maintenance", maintenance, AppView, takes=MaintenanceAsk),
    Endpoint("GET", "/v1/apps/{app}/database", database, DatabaseHealth),
    Endpoint("POST", "/v1/lint", lint, LintView, takes=LintAsk),
    Endpoint("POST", "/v1/env/look", look_at_environment, EnvView, takes=EnvLookAsk),
    Endpoint("POST", "/v1/env/changes", change_environment, EnvChanged, takes=EnvChangeAsk),
    Endpoint("POST", "/v1/env/handovers", hand_over_environment, EnvHanded, takes=EnvHandAsk),
    Endpoint("GET", "/v1/env/recipient", recipient, Recipient),
    Endpoint("POST", "/v1/plans", make_plan, PlanView, takes=PlanAsk),
    Endpoint("POST", "/v1/plans/{plan}/run", run_plan, Started),
    Endpoint(
        "GET",
        "/v1/events",
        events,
        None,
        query=(
            ("app", "only of this app"),
            ("act", "only of this act"),
            ("after", "only those with a higher number"),
            ("limit", "only the last so many of the past"),
            _FOLLOW,
        ),
        streams=RolloutLine,
    ),
    Endpoint("POST", "/v1/stop", stop, None, query=(("everything", "true: apps, proxy and services as well"),)),
    Endpoint("GET", "/v1/openapi.json", openapi, dict[str, Any]),
    *KEEPING_ENDPOINTS,
    *ACCESS_ENDPOINTS,
    *STATUS_ENDPOINTS,
    *METRICS_ENDPOINTS,
)


_MISSING = frozenset(f"{what}.unknown" for what in ("app", "plan", "work", "release", "monitor", "alert", "error"))
"""What was asked for is not there: 404."""


def make_api(agent: Agent, stop_agent: Callable[[], None]) -> Starlette:
    """The ASGI application. `stop_agent` ends the server."""
    api = Starlette(routes=[Route(e.path, _guarded(agent, e), methods=[e.method]) for e in ENDPOINTS])
    api.state.stop = stop_agent
    return api


def openapi_document() -> dict[str, Any]:
    """OpenAPI 3.1 of every endpoint; the schemas are those the code decodes and encodes with."""
    types = [t for e in ENDPOINTS for t in (e.takes, e.gives, e.streams) if t is not None] + [Refused]
    found, parts = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schemas = {repr(kind): schema for kind, schema in zip(types, found, strict=True)}
    refused = schemas[repr(Refused)]
    paths: dict[str, dict[str, Any]] = {}
    for e in ENDPOINTS:
        content: dict[str, Any] = {LINES: _between(e, schemas)}
        if e.gives is not None:
            content = {e.text or JSON: {"schema": schemas[repr(e.gives)]}}
        elif e.text:
            content = {e.text: {"schema": {"type": "string"}}}
        names = [part[1:-1] for part in e.path.split("/") if part.startswith("{")]
        operation: dict[str, Any] = {
            "operationId": e.answer.__name__,
            "summary": inspect.getdoc(e.answer),
            "parameters": [
                *({"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names),
                *({"name": n, "in": "query", "description": d, "schema": {"type": "string"}} for n, d in e.query),
            ],
            "responses": {
                "2XX": {"description": "done", "content": content},
                "4XX": {"description": "refused; nothing was changed", "content": {JSON: {"schema": refused}}},
            },
        }
        if e.text == HEALTH:
            operation["responses"]["503"] = {"description": "it is not well", "content": content}
        if e.takes is not None:
            operation["requestBody"] = {"required": True, "content": {JSON: {"schema": schemas[repr(e.takes)]}}}
        paths.setdefault(e.path, {})[e.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Underway agent", "version": f"{API_VERSION}", "x-underway": __version__},
        "paths": paths,
        "components": {"schemas": parts},
    }


def _between(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    """The shape of lines between those that the page about events has."""
    return {"x-lines-between": schemas[repr(endpoint.streams)]} if endpoint.streams is not None else {}


def _guarded(agent: Agent, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint.answer(agent, request)
        except Refusal as refusal:
            return json_answer(Refused(problems=refusal.problems), _status_of(refusal.problems))
        except Failure as failure:
            return json_answer(Refused(problems=(failure.problem,)), 409)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            _log.exception("%s %s raised", endpoint.method, endpoint.path)
            return json_answer(Refused(problems=(_fault(endpoint, error),)), 500)

    return answer


def _status_of(problems: tuple[Problem, ...]) -> int:
    codes = {problem.code for problem in problems}
    if codes & _MISSING:
        return 404
    return 400 if codes & {"api.body", "app.name", "logs.level"} else 409


def _fault(endpoint: Endpoint, error: Exception) -> Problem:
    return Problem(
        code="underway.fault",
        where=f"{endpoint.method} {endpoint.path}",
        why=f"Underway itself failed: {type(error).__name__}: {str(error)[:300]}",
        remedy="what runs goes on running; the agent's log has the traceback: please report it",
        command="underway agent status",
    )
