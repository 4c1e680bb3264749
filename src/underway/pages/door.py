"""The way in for browsers: a listener on loopback beside the agent's socket, and the route of an exposed dashboard.

What makes the pages is imported with the first request, so that an agent whose dashboard nobody opens stays small.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import Any

import uvicorn

from underway.access.sessions import CODE_LIFE_S
from underway.agent.access_views import DashboardView
from underway.agent.agent import Agent
from underway.agent.ping_views import PingsAsk, PingsView
from underway.agent.status_views import ExportAsk, Exported, StatusPageAsk, StatusPageView
from underway.pages.pings import PREFIX, Pings
from underway.pages.publisher import Publisher
from underway.terms.problem import Failure, Problem
from underway.terms.release import Slot
from underway.terms.route import AppRoute, SlotRoute, SlotTarget

ROUTE = "underway-dashboard"
"""The name of the dashboard's route; no app can have it."""
_log = logging.getLogger(__name__)


class PagesDoor:
    """`Door` on 127.0.0.1. It keeps its port from one agent to the next where it can, for bookmarks and the proxy."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._listener: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None
        self._site: Any = None
        self._publisher = Publisher(agent)
        self._pings = Pings(agent)

    async def wake(self) -> None:
        await self._publisher.wake()
        try:
            book = self._agent.access.book
            if book.host or book.tokens:  # programs do not open the dashboard before they ask
                await self._listen()
            if book.host:
                await self._route(book.host, book.tls)
            if (page := self._publisher.published()).host:
                await self._listen()
                await self._publisher.route(page, self._port)
            if host := self._pings.exposed().host:
                await self._listen()
                await self._pings.route(PingsAsk(by="", host=host, tls=self._pings.exposed().tls), self._port)
        except Exception as error:  # the apps matter more than their dashboard
            _log.error("the dashboard is not reachable: %s", error)

    async def let_in(self, by: str) -> DashboardView:
        url = await self._listen()
        now = self._agent.on.clock.now()
        code = self._agent.access.sessions.make_code(by, now)
        return DashboardView(url=url, enter=f"{url}/enter#{code}", until=now + CODE_LIFE_S)

    async def expose(self, host: str, tls: str, by: str) -> str:
        access = self._agent.access
        access.require_somebody(host)
        await self._listen()
        await self._route(host, tls)
        access.expose(host, tls, by)
        return self.address_of(host) if host else ""

    def published(self) -> StatusPageView:
        return self._publisher.published()

    async def publish(self, ask: StatusPageAsk) -> StatusPageView:
        await self._listen()
        return await self._publisher.publish(ask, self._port)

    def pings(self) -> PingsView:
        return self._pings.exposed()

    async def expose_pings(self, ask: PingsAsk) -> PingsView:
        await self._listen()
        return await self._pings.route(ask, self._port)

    def export(self, ask: ExportAsk) -> Exported:
        return self._publisher.export(ask)

    async def close(self) -> None:
        await self._publisher.close()
        if self._server is not None:
            self._server.should_exit = True
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(self._task, 3.0)
        if self._listener is not None:
            self._listener.close()

    def address_of(self, host: str) -> str:
        port = self._agent.on.home.https_port
        return f"https://{host}" if port == 443 else f"https://{host}:{port}"

    async def _listen(self) -> str:
        if self._listener is None:
            book = self._agent.access.book
            self._listener = listener = _bound(book.port)
            port = listener.getsockname()[1]
            if port != book.port:
                book.port = port
                self._agent.access.write()
            self._server = uvicorn.Server(
                uvicorn.Config(
                    self._answer,
                    interface="asgi3",
                    http="h11",
                    ws="none",
                    lifespan="off",
                    access_log=False,
                    log_config=None,
                    timeout_graceful_shutdown=1,
                    server_header=False,
                    proxy_headers=False,
                    limit_concurrency=200,
                    h11_max_incomplete_event_size=32 * 1024,
                )
            )
            self._task = asyncio.create_task(self._server._serve([listener]), name="dashboard")
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def _port(self) -> int:
        assert self._listener is not None
        return int(self._listener.getsockname()[1])

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self._pings.answer(scope, send)
            return
        if scope["type"] == "http" and self._publisher.is_for(scope):
            await self._publisher.answer(scope, receive, send)
            return
        if self._site is None:
            from underway.pages.site import make_site

            self._site = make_site(self._agent, self.address_of)
        await self._site(scope, receive, send)

    async def _route(self, host: str, tls: str) -> None:
        on = self._agent.on
        if not host:
            await on.routes.remove(ROUTE)
            return
        on.router.set_target(ROUTE, Slot.A, SlotTarget(release="dashboard"))
        on.router.set_share(ROUTE, 0.0)
        await on.router.start()
        await on.routes.put(
            AppRoute(
                app=ROUTE,
                hosts=(f"{ROUTE}.localhost", host),
                slots=(SlotRoute(slot=Slot.A, ports=(self._port,)), SlotRoute(slot=Slot.B)),
                tls=tls,
                body_limit_bytes=256 * 1024,
            )
        )


def _bound(port: int) -> socket.socket:
    """A listening socket on `port`, or where that is taken or 0 on a free one. Raises `Failure` (`dashboard.port`)."""
    for wanted in (port, 0):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", wanted))
            listener.listen(128)
        except OSError as error:
            listener.close()
            failed = error
        else:
            return listener
    raise Failure(
        Problem(
            code="dashboard.port",
            where="127.0.0.1",
            why=f"no port could be opened: {failed.strerror or failed}",
            remedy="see what keeps loopback ports from being opened on this machine",
            command="underway agent status",
        )
    )
