"""What every row of the API is made of: the endpoint itself, and how it reads and answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from underway.agent.agent import Agent
from underway.journal.app_state import AppState
from underway.terms.problem import Problem, Refusal
from underway.terms.release import no_such_app

JSON = "application/json"
LINES = "application/x-ndjson"
HEALTH = "application/health+json"
MAX_BODY_BYTES = 64 * 1024
_T = TypeVar("_T")


class Endpoint(NamedTuple):
    """One row of the API: what it takes, what it gives, and its description in its function's docstring."""

    method: str
    path: str
    answer: Callable[[Agent, Request], Awaitable[Response]]
    gives: Any
    takes: Any = None
    query: tuple[tuple[str, str], ...] = ()
    streams: Any = None
    """The shape of lines between events, where it gives such."""
    text: str = ""
    """The media type of an answer that is neither plain JSON nor lines of it."""


def app_state(agent: Agent, request: Request) -> AppState:
    """The app of the path. Raises `Refusal` (`app.unknown`)."""
    app = request.path_params["app"]
    states = agent.journal.states()
    if app in states:
        return states[app]
    raise Refusal([no_such_app(str(app))])


async def body(request: Request, kind: type[_T], most: int = MAX_BODY_BYTES) -> _T:
    """The decoded body, at most `most` bytes. Raises `Refusal` (`api.body`)."""
    text = b""
    async for chunk in request.stream():
        text += chunk
        if len(text) > most:
            break
    try:
        if len(text) > most:
            raise msgspec.ValidationError(f"more than {most} bytes")
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(
            [
                Problem(
                    code="api.body",
                    where=f"{request.method} {request.url.path}",
                    why=f"the body is not what is asked for: {error}",
                    remedy="see /v1/openapi.json",
                )
            ]
        ) from error


def number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def json_answer(value: Any, status_code: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status_code, media_type=JSON)
