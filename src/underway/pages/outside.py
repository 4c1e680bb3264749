"""The agent's API for programs with a token. What is not in the table here is not reachable from outside."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from underway.access.book import Token
from underway.access.rights import Right, rights_for_order, rights_within
from underway.agent.agent import Agent
from underway.agent.api import make_api
from underway.agent.views import Refused
from underway.flows.gates import needs_approval
from underway.journal.events.acts import ActKind, Order
from underway.pages import gate
from underway.pages.gate import Origin
from underway.terms.problem import Problem

_MOST_BYTES = 64 * 1024
_LOOKS = frozenset(
    {
        "/metrics",
        "/v1/alive",
        "/v1/status",
        "/v1/openapi.json",
        "/v1/events",
        "/v1/apps/{app}",
        "/v1/apps/{app}/releases",
        "/v1/apps/{app}/evidence",
        "/v1/apps/{app}/logs",
        "/v1/apps/{app}/backups",
        "/v1/apps/{app}/database",
        "/v1/apps/{app}/figures",
        "/v1/apps/{app}/health",
        "/v1/apps/{app}/health/deep",
        "/v1/apps/{app}/monitors",
        "/v1/apps/{app}/budgets",
        "/v1/apps/{app}/spending",
        "/v1/apps/{app}/errors",
        "/v1/apps/{app}/errors/{fingerprint}",
        "/v1/apps/{app}/lines",
        "/v1/apps/{app}/tail",
        "/v1/apps/{app}/incidents",
        "/v1/alerts",
        "/v1/security",
        "/v1/statuspage",
        "/v1/work/{work}",
    }
)
_PLANS = {ActKind.DEPLOY.value: Right.DEPLOY, ActKind.ROLLBACK.value: Right.HALT}
_WORK = ("backup", "drill", "verify")


async def call(agent: Agent, request: Request, origin: Origin) -> Response:
    """Let a token's holder do what its scopes allow, under the token's own name."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    token = agent.access.token(text.strip()) if kind.lower() == "bearer" else None
    if token is None:
        if text:
            agent.access.tell_refused("token", gate.address_of_client(request, origin))
        return _refused(401, "access.token-needed", "there is no token with this request, or it is over")
    found = _endpoint(_api(agent), request)
    if found is None:
        return _refused(404, "api.unknown", "there is no such thing in the API")
    route, scope = found
    body = await _body(request)
    if body is None:
        return _refused(400, "api.body", "the body is no JSON object, or too large")
    needed = _needed(agent, route.path, request.method, scope["path_params"], body, token)
    if not needed & rights_within(token.scopes):
        return _refused(403, "access.scope", f"the token {token.name} is not made for this")
    for field in ("by", "account"):
        if field in body or field == "by":
            body[field] = _by(token)
    text_out = msgspec.json.encode(body) if request.method == "POST" and route.path != "/v1/plans/{plan}/run" else b""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": text_out, "more_body": False}

    inner = Request({**request.scope, **scope}, receive)
    answer: Response = await route.endpoint(inner)
    return answer


def _needed(
    agent: Agent, path: str, method: str, names: dict[str, str], body: dict[str, Any], token: Token
) -> frozenset[Right]:
    """One of these rights is needed; none of them for what no token may do."""
    if method == "GET":
        return frozenset({Right.LOOK}) if path in _LOOKS else frozenset()
    if path == "/v1/plans":
        right = _PLANS.get(str(body.get("kind")))
        return frozenset({right}) if right else frozenset()
    if path == "/v1/plans/{plan}/run":
        planning = agent.plans.look(names["plan"])
        if planning is None or planning.by != _by(token):
            return frozenset()
        right = _PLANS.get(planning.plan.kind.value)
        return frozenset({right}) if right else frozenset()
    if path == "/v1/apps/{app}/orders":
        is_onward = body.get("order") in (Order.ADVANCE.value, Order.PROMOTE.value)
        return rights_for_order(is_onward=is_onward, needs_approval=needs_approval(agent.journal.state(names["app"])))
    is_work = path == "/v1/apps/{app}/work" and body.get("kind") in _WORK
    if is_work or path in ("/v1/apps/{app}/maintenance", "/v1/apps/{app}/incidents"):
        return frozenset({Right.DEPLOY})
    return frozenset()


def _by(token: Token) -> str:
    """The name that a token acts under: never that of a person."""
    return f"token:{token.name}"


def _endpoint(api: Starlette, request: Request) -> tuple[Route, dict[str, Any]] | None:
    for route in api.routes:
        match, scope = route.matches(request.scope)
        if match is Match.FULL and isinstance(route, Route):
            return route, dict(scope)
    return None


@cache
def _api(agent: Agent) -> Starlette:
    return make_api(agent, lambda: None)


async def _body(request: Request) -> dict[str, Any] | None:
    text = b""
    async for chunk in request.stream():
        text += chunk
        if len(text) > _MOST_BYTES:
            return None
    try:
        return msgspec.json.decode(text, type=dict[str, Any]) if text else {}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _refused(status: int, code: str, why: str) -> Response:
    problem = Problem(code=code, where="the API", why=why, remedy="see docs/dashboard.md for tokens and their scopes")
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    body = msgspec.json.encode(Refused(problems=(problem,)))
    return Response(body, status, media_type="application/json", headers=headers)
