"""The API's part for the dashboard and who may use it. It is on the unix socket alone: no token reaches it."""

from __future__ import annotations

from typing import assert_never

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
from underway.terms.problem import Problem, Refusal


async def let_in(agent: Agent, ask: DashboardAsk) -> DashboardView:
    return await _door(agent).let_in(ask.by)


async def expose(agent: Agent, ask: ExposeAsk) -> AccessView:
    await _door(agent).expose(ask.host, ask.tls, ask.by)
    return show(agent)


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


async def change_account(agent: Agent, ask: AccountAsk) -> AccountChanged:
    access = agent.access
    found = ""
    match ask.how:
        case "add":
            found = await access.add(ask.name, ask.role, ask.password, ask.by)
        case "role":
            access.set_role(ask.name, ask.role, ask.by)
        case "password":
            await access.set_password(ask.name, ask.password, ask.by)
        case "second-factor":
            found = access.renew_second_factor(ask.name, ask.by)
        case "close":
            access.close_account(ask.name, ask.by)
        case _:
            assert_never(ask.how)
    return AccountChanged(name=ask.name, authenticator=found)


def change_token(agent: Agent, ask: TokenAsk) -> TokenMade:
    if ask.revoke:
        agent.access.revoke_token(ask.revoke, ask.by)
        return TokenMade()
    return TokenMade(token=agent.access.make_token(ask.name, ask.scopes, ask.life_s, ask.by))


def _door(agent: Agent) -> Door:
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
