"""The ASGI application of the dashboard: one table of pages, one way in, one way to answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from underway import __version__
from underway.access.rights import Right
from underway.access.sessions import Session
from underway.agent.agent import Agent
from underway.pages import figures, gate
from underway.pages.gate import Denied, Origin
from underway.terms.problem import Failure, Problem, Refusal

_log = logging.getLogger(__name__)
_HERE = Path(__file__).parent
_ASSETS = {"style.css": "text/css", "live.js": "text/javascript", "mark.svg": "image/svg+xml"}
MAX_FORM_BYTES = 32 * 1024


@dataclass(frozen=True)
class Visit:
    """One request that was let in: who asks, and for what."""

    agent: Agent
    request: Request
    origin: Origin
    session: Session
    form: FormData

    @property
    def now(self) -> float:
        return self.agent.on.clock.now()

    def path(self, name: str) -> str:
        return str(self.request.path_params.get(name, ""))

    def query(self, name: str) -> str:
        return self.request.query_params.get(name, "")[:500]

    def field(self, name: str) -> str:
        """A field of the form, as text."""
        found = self.form.get(name, "")
        return found[:2000] if isinstance(found, str) else ""

    def page(self, template: str, status: int = 200, /, **shown: Any) -> Response:
        return Response(self.text(template, **shown), status, media_type="text/html")

    def text(self, template: str, **shown: Any) -> str:
        may = {right.value: self.session.may(right) for right in Right}
        page = _templates().get_template(template)
        return page.render(session=self.session, may=may, now=self.now, version=__version__, **shown)


class Page(NamedTuple):
    """One row of the site. `right` is what somebody needs for it; POSTs come with the form key of their session."""

    method: str
    path: str
    answer: Callable[[Visit], Awaitable[Response]]
    right: Right = Right.LOOK


def make_site(agent: Agent, address_of: Callable[[str], str]) -> Starlette:
    """Every page of the dashboard for `agent`. `address_of` gives the exposed address of a host."""
    from underway.pages import entry, outside
    from underway.pages.table import PAGES

    def open_to_all(answer: Callable[[Agent, Request, Origin], Awaitable[Response]]) -> Any:
        async def answered(request: Request) -> Response:
            return await _answered(agent, request, address_of, lambda origin: answer(agent, request, origin))

        return answered

    def for_members(page: Page) -> Any:
        async def answered(request: Request) -> Response:
            return await _answered(agent, request, address_of, lambda origin: _visited(page, agent, request, origin))

        return answered

    routes = [
        Route("/assets/{name}", open_to_all(_asset)),
        Route("/enter", open_to_all(entry.show), methods=["GET"]),
        Route("/enter", open_to_all(entry.enter), methods=["POST"]),
        Route("/log-in", open_to_all(entry.log_in), methods=["POST"]),
        *(Route(page.path, for_members(page), methods=[page.method]) for page in PAGES),
        Route("/metrics", open_to_all(outside.call), methods=["GET"]),
        Route("/v1/{rest:path}", open_to_all(outside.call), methods=["GET", "POST"]),
        Route("/{rest:path}", open_to_all(_nothing), methods=["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
    ]
    return Starlette(routes=routes)


async def _visited(page: Page, agent: Agent, request: Request, origin: Origin) -> Response:
    session = gate.require(gate.session_of(request, agent.access, origin), page.right)
    form = FormData()
    if page.method == "POST":
        gate.require_same_origin(request, origin)
        form = await read_form(request)
        key = form.get("form_key", "")
        gate.require_form_key(session, key if isinstance(key, str) else "")
    visit = Visit(agent, request, origin, session, form)
    try:
        return await page.answer(visit)
    except (Refusal, Failure) as error:
        problems = error.problems if isinstance(error, Refusal) else (error.problem,)
        is_missing = any(problem.code.endswith(".unknown") for problem in problems)
        title = "Not found" if is_missing else "This cannot be done"
        return visit.page("refused.html", 404 if is_missing else 409, title=title, problems=problems)


async def _answered(
    agent: Agent,
    request: Request,
    address_of: Callable[[str], str],
    answer: Callable[[Origin], Awaitable[Response]],
) -> Response:
    origin: Origin | None = None
    try:
        origin = gate.origin_of(request, agent.access, address_of)
        response = await answer(origin)
    except Denied as denied:
        response = _denied(request, denied)
    except (Refusal, Failure) as error:
        problems = error.problems if isinstance(error, Refusal) else (error.problem,)
        response = bare("refused_bare.html", 409, title="This cannot be done", problems=problems)
    except asyncio.CancelledError:
        raise
    except Exception as error:
        _log.exception("%s %s raised", request.method, request.url.path)
        response = bare("refused_bare.html", 500, title="Underway itself failed", problems=(_fault(request, error),))
    return gate.guarded(response, origin)


def _denied(request: Request, denied: Denied) -> Response:
    if denied.status == 401 and request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/enter", 303)
    return bare("denied.html", denied.status, why=denied.why)


def bare(template: str, status: int, **shown: Any) -> Response:
    """A page for who is not logged in."""
    text = _templates().get_template(template).render(version=__version__, session=None, **shown)
    return Response(text, status, media_type="text/html")


async def read_form(request: Request) -> FormData:
    """The form of a request, of at most `MAX_FORM_BYTES`. Raises `Denied`."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise Denied(415, "this is not a form of the dashboard")
    text = b""
    async for chunk in request.stream():
        text += chunk
        if len(text) > MAX_FORM_BYTES:
            raise Denied(413, "this form is too large")
    from urllib.parse import parse_qsl

    try:
        fields = dict(parse_qsl(text.decode(), keep_blank_values=True, max_num_fields=50))
    except ValueError as error:
        raise Denied(400, "this form cannot be read") from error
    return FormData(fields)


async def _asset(agent: Agent, request: Request, origin: Origin) -> Response:
    name = request.path_params["name"]
    kind = _ASSETS.get(name)
    if kind is None:
        return await _nothing(agent, request, origin)
    mark = f'"{__version__}-{_asset_text(name)[1]}"'
    headers = {"Cache-Control": "no-cache", "ETag": mark}
    if request.headers.get("if-none-match") == mark:
        return Response(status_code=304, headers=headers)
    return Response(_asset_text(name)[0], media_type=kind, headers=headers)


@cache
def _asset_text(name: str) -> tuple[bytes, str]:
    import hashlib

    text = (_HERE / "assets" / name).read_bytes()
    return text, hashlib.sha256(text).hexdigest()[:12]


async def _nothing(agent: Agent, request: Request, origin: Origin) -> Response:
    if gate.session_of(request, agent.access, origin) is None:
        raise Denied(401, "nobody is logged in")
    return bare("denied.html", 404, why="there is no such page")


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for name in (
        "when",
        "clock",
        "seconds",
        "milliseconds",
        "size",
        "count",
        "rate",
        "percent",
        "change",
        "words",
        "ago",
        "enough",
    ):
        environment.globals[name] = getattr(figures, name)
    return environment


def _fault(request: Request, error: Exception) -> Problem:
    return Problem(
        code="underway.fault",
        where=f"{request.method} {request.url.path[:200]}",
        why=f"{type(error).__name__}: {str(error)[:300]}",
        remedy="what runs goes on running; the agent's log has the traceback: please report it",
        command="underway agent status",
    )
