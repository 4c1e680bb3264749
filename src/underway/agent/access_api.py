"""The API's part for the dashboard and who may use it. It is on the unix socket alone: no token reaches it."""

from __future__ import annotations

from typing import assert_never

from starlette.requests import Request
from starlette.responses import Response

from underway.agent.access_views import (
    AccessView,
    AccountAsk,
    AccountChanged,
    AccountView,
    DashboardAsk,
    DashboardView,
    ExposeAsk,
    TokenAsk,
    TokenMade,
    TokenView,
)
from underway.agent.agent import Agent
from underway.agent.door import Door
from underway.agent.endpoint import Endpoint, body, json_answer
from underway.terms.problem import Problem, Refusal


async def dashboard(agent: Agent, request: Request) -> Response:
    """A way into the dashboard that works once. It listens on loopback from then on."""
    ask = await body(request, DashboardAsk)
    return json_answer(await door_of(agent).let_in(ask.by), 201)


async def expose(agent: Agent, request: Request) -> Response:
    """Let the dashboard answer under a host name over HTTPS, for accounts; or on loopback alone again."""
    ask = await body(request, ExposeAsk)
    await door_of(agent).expose(ask.host, ask.tls, ask.by)
    return json_answer(show(agent))


async def access(agent: Agent, request: Request) -> Response:
    """Accounts and tokens, without their secrets."""
    return json_answer(show(agent))


async def change_account(agent: Agent, request: Request) -> Response:
    """Add or close an account, change its role or password, renew its second factor."""
    ask = await body(request, AccountAsk)
    found = ""
    match ask.how:
        case "add":
            found = await agent.access.make_account(ask.name, ask.role, ask.password, ask.by)
        case "role":
            agent.access.set_role(ask.name, ask.role, ask.by)
        case "password":
            await agent.access.set_password(ask.name, ask.password, ask.by)
        case "second-factor":
            found = agent.access.renew_second_factor(ask.name, ask.by)
        case "close":
            agent.access.close_account(ask.name, ask.by)
        case _:
            assert_never(ask.how)
    return json_answer(AccountChanged(name=ask.name, authenticator=found))


async def change_token(agent: Agent, request: Request) -> Response:
    """Make an API token, or end one."""
    ask = await body(request, TokenAsk)
    if ask.revoke:
        agent.access.revoke_token(ask.revoke, ask.by)
        return json_answer(TokenMade())
    return json_answer(TokenMade(token=agent.access.make_token(ask.name, ask.scopes, ask.life_s, ask.by)))


def show(agent: Agent) -> AccessView:
    book = agent.access.book
    now = agent.on.clock.now()
    return AccessView(
        accounts=tuple(
            AccountView(name=it.name, role=it.role, made_at=it.made_at, is_closed=it.is_closed)
            for _, it in sorted(book.accounts.items())
        ),
        tokens=tuple(
            TokenView(
                id=it.id,
                name=it.name,
                scopes=it.scopes,
                made_at=it.made_at,
                ends_at=it.ends_at,
                made_by=it.made_by,
            )
            for it in sorted(book.tokens.values(), key=lambda it: it.ends_at)
            if it.ends_at > now
        ),
        host=book.host,
        sessions=agent.access.sessions.count(now),
    )


def door_of(agent: Agent) -> Door:
    """Raises `Refusal` (`dashboard.none`)."""
    if agent.door is None:
        raise Refusal(
            [
                Problem(
                    code="dashboard.none",
                    where="the agent",
                    why="this agent was started without a dashboard",
                    remedy="start it anew by the command line",
                    command="underway agent stop",
                )
            ]
        )
    return agent.door


ACCESS_ENDPOINTS = (
    Endpoint("POST", "/v1/dashboard", dashboard, DashboardView, takes=DashboardAsk),
    Endpoint("POST", "/v1/dashboard/exposure", expose, AccessView, takes=ExposeAsk),
    Endpoint("GET", "/v1/access", access, AccessView),
    Endpoint("POST", "/v1/access/accounts", change_account, AccountChanged, takes=AccountAsk),
    Endpoint("POST", "/v1/access/tokens", change_token, TokenMade, takes=TokenAsk),
)
