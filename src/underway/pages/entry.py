"""Getting in: a one-time code from this machine's command line, or an account where the dashboard is exposed."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from underway.agent.agent import Agent
from underway.pages import gate
from underway.pages.gate import Origin
from underway.pages.site import Visit, bare, read_form
from underway.terms.problem import Refusal


async def show(agent: Agent, request: Request, origin: Origin) -> Response:
    """The log-in. On loopback it takes a code, which the script fills in from the address; outside an account's."""
    return bare("enter.html", 200, origin=origin, problems=())


async def enter(agent: Agent, request: Request, origin: Origin) -> Response:
    """Exchange a one-time code for a session. On loopback alone."""
    gate.require_same_origin(request, origin)
    if origin.is_exposed:
        raise gate.Denied(403, "codes are for the machine itself")
    form = await read_form(request)
    entered = agent.access.enter_by_code(str(form.get("code", ""))[:200])
    if entered is None:
        return bare("enter.html", 403, origin=origin, problems=("This code was used already, or is too old.",))
    return _let_in(request, agent, origin, entered[0])


async def log_in(agent: Agent, request: Request, origin: Origin) -> Response:
    gate.require_same_origin(request, origin)
    form = await read_form(request)
    name, password, code = (str(form.get(field, ""))[:1000] for field in ("name", "password", "code"))
    try:
        secret, _ = await agent.access.enter(name, password, code, gate.address_of_client(request, origin))
    except Refusal as refusal:
        is_slow = refusal.problems[0].code == "access.slower"
        said = tuple(f"{problem.why}: {problem.remedy}." for problem in refusal.problems)
        return bare("enter.html", 429 if is_slow else 403, origin=origin, problems=said)
    return _let_in(request, agent, origin, secret)


async def leave(visit: Visit) -> Response:
    """End this session, here and in the browser."""
    visit.agent.access.sessions.end(gate.secret_of(visit.request, visit.origin))
    response = RedirectResponse("/enter", 303)
    gate.drop_session(response, visit.origin)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def _let_in(request: Request, agent: Agent, origin: Origin, secret: str) -> Response:
    """A new session under a new name; one that the browser had before ends."""
    agent.access.sessions.end(gate.secret_of(request, origin))
    response = RedirectResponse("/", 303)
    gate.set_session(response, secret, origin)
    return response
