"""The part of the API that tells how apps are kept up."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from underway.agent.access_api import door_of
from underway.agent.agent import Agent
from underway.agent.endpoint import HEALTH, LINES, Endpoint, app_state, body, json_answer, number
from underway.agent.ping_views import PingsAsk, PingsView
from underway.agent.stream import until_left
from underway.agent.views import AlertAsk
from underway.observe.figures import STEPS
from underway.terms.alert import Alert
from underway.terms.health import AppHealth
from underway.terms.metrics import Figures
from underway.terms.monitor import MonitorStatus
from underway.terms.objective import Budget
from underway.terms.output import LineAsk
from underway.terms.security import SecurityEvent
from underway.terms.seen_error import ErrorStory, FoundLine, SeenError
from underway.terms.spending import SpendingView

_HOUR_S = 3600
_LONGEST_S = 400 * 86_400


async def figures(agent: Agent, request: Request) -> Response:
    """Requests, failures, quantiles, memory and processors over time, of the app and of each release."""
    query = request.query_params
    window_s = min(number(query.get("window_s", "")) or _HOUR_S, _LONGEST_S)
    until = number(query.get("until", "")) or agent.on.clock.now()
    steps = min(number(query.get("steps", "")) or STEPS, 2 * STEPS)
    agent.books.catch_up()
    return json_answer(agent.keeping.figures(app_state(agent, request).app, until - window_s, until, steps))


async def monitors(agent: Agent, request: Request) -> Response:
    """The app's monitors as they are now, those that are down first."""
    return json_answer(agent.keeping.monitors(app_state(agent, request).app))


async def health(agent: Agent, request: Request) -> Response:
    """Whether the live release runs, and its name: 200, or 503. `application/health+json`."""
    return _health(agent.keeping.health(app_state(agent, request).app, is_deep=False))


async def deep_health(agent: Agent, request: Request) -> Response:
    """The same with all that the app needs, as its monitors found it last: however often this is read, nothing is
    asked more often for it. 503 when something that is needed is not well."""
    return _health(agent.keeping.health(app_state(agent, request).app, is_deep=True))


def _health(found: AppHealth) -> Response:
    answer = json_answer(found, 200 if found.is_well else 503)
    answer.headers["content-type"] = HEALTH
    return answer


async def alerts(agent: Agent, request: Request) -> Response:
    """Open alerts of every app and of the home itself, the worst first; with `cleared` the last ones that are over."""
    is_cleared = request.query_params.get("cleared") == "true"
    return json_answer(agent.keeping.alerts(request.query_params.get("app"), is_cleared=is_cleared))


async def security(agent: Agent, request: Request) -> Response:
    """Who tried to get in lately: log-ins refused again and again, scans, names of no app, what Underway refused.

    What went on last comes first."""
    query = request.query_params
    agent.books.catch_up()
    agent.lookout.write()
    found = agent.on.security_log.events(
        query.get("app"), number(query.get("since", "")), min(number(query.get("limit", "")) or 200, 1000)
    )
    return json_answer(list(found))


async def acknowledge(agent: Agent, request: Request) -> Response:
    """Somebody looks after an alert: it is escalated no further."""
    ask = await body(request, AlertAsk)
    agent.keeping.acknowledge(app_state(agent, request).app, ask.key, ask.by)
    return json_answer(agent.keeping.alerts(app_state(agent, request).app))


async def silence(agent: Agent, request: Request) -> Response:
    """Tell nobody of a matter for a while (`key` `*`: of any of the app); `for_s` 0 ends the silence."""
    ask = await body(request, AlertAsk)
    agent.keeping.silence(app_state(agent, request).app, ask.key, ask.by, ask.for_s, ask.because)
    return json_answer(agent.keeping.alerts(app_state(agent, request).app))


async def ping(agent: Agent, request: Request) -> Response:
    """A schedule tells that it ran: a monitor of kind `ping`."""
    agent.keeping.ping(app_state(agent, request).app, request.path_params["monitor"])
    return json_answer(agent.keeping.monitors(app_state(agent, request).app))


async def pings(agent: Agent, request: Request) -> Response:
    """Where the pings of schedules are answered."""
    return json_answer(door_of(agent).pings())


async def expose_pings(agent: Agent, request: Request) -> Response:
    """Answer the pings of schedules under a host, through the proxy, or on this machine alone."""
    return json_answer(await door_of(agent).expose_pings(await body(request, PingsAsk)))


async def budgets(agent: Agent, request: Request) -> Response:
    """The app's objectives, how much of each error budget is spent and how fast it burns."""
    return json_answer(agent.keeping.budgets(app_state(agent, request).app))


async def spending(agent: Agent, request: Request) -> Response:
    """What the app used of its month's budgets, when each runs out at the pace of the last week, and what is kept
    warm."""
    agent.books.catch_up()
    return json_answer(agent.keeping.spending(app_state(agent, request).app))


async def errors(agent: Agent, request: Request) -> Response:
    """Errors that the app's processes reported, each once, with the releases it was seen in, those seen last first."""
    return json_answer(await agent.keeping.errors(app_state(agent, request).app))


async def error(agent: Agent, request: Request) -> Response:
    """One error with each release it was seen in, and what was written when it came last."""
    return json_answer(await agent.keeping.error(app_state(agent, request).app, request.path_params["fingerprint"]))


async def lines(agent: Agent, request: Request) -> Response:
    """Lines that the app's processes wrote in the last days and that hold every word of `q`, newest first."""
    return json_answer(await agent.keeping.lines(app_state(agent, request).app, line_ask(request)))


async def tail(agent: Agent, request: Request) -> Response:
    """The same as JSON lines, oldest first; with `follow` new ones after them as they are written."""
    app, ask = app_state(agent, request).app, line_ask(request)
    past = (await agent.keeping.lines(app, ask))[::-1] if ask.most else []
    found = agent.keeping.follow(app, ask._replace(after=past[-1].id if past else None, most=1000))

    async def written() -> AsyncIterator[bytes]:
        for line in past:
            yield msgspec.json.encode(line) + b"\n"
        if request.query_params.get("follow") != "true":
            return
        async for new in until_left(agent, found):
            yield msgspec.json.encode(new) + b"\n"

    return StreamingResponse(written(), media_type=LINES)


def line_ask(request: Request) -> LineAsk:
    query = request.query_params
    asked = query.get("limit", "")
    return LineAsk(
        query=query.get("q", ""),
        process=query.get("process", ""),
        release=query.get("release", ""),
        level=query.get("level", ""),
        since=number(query.get("since", "")),
        until=number(query.get("until", "")),
        most=min(number(asked), 1000) if asked else 200,
    )


_LINES_QUERY = (
    ("q", "words that the line holds, each with any ending; several in quotation marks as they stand"),
    ("process", "only of this process"),
    ("release", "only of this release"),
    ("level", "of this level or a worse one: debug, info, warning, error, critical"),
    ("since", "only after this moment (seconds since 1970)"),
    ("until", "only before this moment"),
    ("limit", "at most so many, 200 by default, 1000 at most"),
)
KEEPING_ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/apps/{app}/figures",
        figures,
        Figures,
        query=(
            ("window_s", "how many seconds, an hour by default"),
            ("until", "up to this moment (seconds since 1970), now by default"),
            ("steps", "at most so many steps, 240 by default"),
        ),
    ),
    Endpoint("GET", "/v1/apps/{app}/health", health, AppHealth, text=HEALTH),
    Endpoint("GET", "/v1/apps/{app}/health/deep", deep_health, AppHealth, text=HEALTH),
    Endpoint("GET", "/v1/apps/{app}/monitors", monitors, list[MonitorStatus]),
    Endpoint("POST", "/v1/apps/{app}/pings/{monitor}", ping, list[MonitorStatus]),
    Endpoint("POST", "/v1/apps/{app}/acknowledgements", acknowledge, list[Alert], takes=AlertAsk),
    Endpoint("POST", "/v1/apps/{app}/silences", silence, list[Alert], takes=AlertAsk),
    Endpoint("GET", "/v1/pings", pings, PingsView),
    Endpoint("POST", "/v1/pings", expose_pings, PingsView, takes=PingsAsk),
    Endpoint("GET", "/v1/apps/{app}/budgets", budgets, list[Budget]),
    Endpoint("GET", "/v1/apps/{app}/spending", spending, SpendingView),
    Endpoint("GET", "/v1/apps/{app}/errors", errors, list[SeenError]),
    Endpoint("GET", "/v1/apps/{app}/errors/{fingerprint}", error, ErrorStory),
    Endpoint("GET", "/v1/apps/{app}/lines", lines, list[FoundLine], query=_LINES_QUERY),
    Endpoint(
        "GET",
        "/v1/apps/{app}/tail",
        tail,
        None,
        query=(*_LINES_QUERY, ("follow", "true: go on with what is new, without end")),
    ),
    Endpoint(
        "GET",
        "/v1/security",
        security,
        list[SecurityEvent],
        query=(
            ("app", "only of this app; empty: only what is no app's"),
            ("since", "only what went on after this moment (seconds since 1970)"),
            ("limit", "at most so many, 200 by default, 1000 at most"),
        ),
    ),
    Endpoint(
        "GET",
        "/v1/alerts",
        alerts,
        list[Alert],
        query=(("app", "only of this app"), ("cleared", "true: the last ones that are over")),
    ),
)
