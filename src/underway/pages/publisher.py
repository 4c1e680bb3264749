"""Keeps the published status page as files, and lets the proxy serve them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from underway.agent.agent import Agent
from underway.agent.status_views import ExportAsk, Exported, StatusPageAsk, StatusPageView
from underway.flows.incidents import follow_monitors
from underway.pages.subscribers import Subscribers
from underway.terms.problem import Failure, Problem, Refusal
from underway.terms.release import Slot, no_such_app
from underway.terms.route import AppRoute, SlotRoute, SlotTarget

ROUTE = "underway-status"
"""The name of the status page's route; no app can have it."""
_NAME = "statuspage"
EVERY_S = 5.0
_log = logging.getLogger(__name__)


class Publisher:
    """One per agent. While a status page is published it is looked at every five seconds, and written when it is not
    what it was."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._task: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None
        self._written: dict[str, bytes] = {}
        self.subscribers = Subscribers(agent)

    async def wake(self) -> None:
        if self.published().host:
            self._task = asyncio.create_task(self._go(), name="status page")

    def published(self) -> StatusPageView:
        text = self._agent.on.snapshots.load("", _NAME)
        try:
            view = msgspec.json.decode(text, type=StatusPageView) if text is not None else StatusPageView()
        except msgspec.DecodeError:
            return StatusPageView()
        count = sum(it.is_confirmed for it in self.subscribers.all().values()) if view.host else 0
        return msgspec.structs.replace(view, subscribers=count)

    async def publish(self, ask: StatusPageAsk, port: int) -> StatusPageView:
        """`port` is where subscriptions are answered."""
        on = self._agent.on
        self._shown(ask.apps)
        if not ask.host:
            await self.close()
            self.subscribers.forget()
            await on.routes.remove(ROUTE)
            on.snapshots.drop("", _NAME)
            return StatusPageView()
        public = on.home.http_port if ask.tls == "off" else on.home.https_port
        scheme = "http" if ask.tls == "off" else "https"
        address = f"{scheme}://{ask.host}" + ("" if public in (80, 443) else f":{public}")
        view = StatusPageView(
            title=ask.title,
            host=ask.host,
            address=address,
            apps=ask.apps,
            tls=ask.tls,
            may_be_private=ask.may_be_private,
        )
        self._write(view)
        await self.route(view, port)
        on.snapshots.save("", _NAME, msgspec.json.encode(view))
        await self.close()
        await self.wake()
        return view

    async def route(self, view: StatusPageView, port: int) -> None:
        """Files first; what is none goes to the agent. Without the agent the files stay."""
        on = self._agent.on
        folder = str(on.home.status_page)
        on.router.set_target(ROUTE, Slot.A, SlotTarget(release="status", static_dir=folder))
        on.router.set_share(ROUTE, 0.0)
        await on.router.start()
        own = f"{ROUTE}.localhost"
        await on.routes.put(
            AppRoute(
                app=ROUTE,
                hosts=(own,) if view.host == own else (own, view.host),
                slots=(SlotRoute(slot=Slot.A, ports=(port,)), SlotRoute(slot=Slot.B)),
                static_url="/",
                tls=view.tls,
                body_limit_bytes=64 * 1024,
            )
        )

    def is_for(self, scope: Any) -> bool:
        """Whether a request names the status page's host."""
        host = self.published().host
        named = dict(scope["headers"]).get(b"host", b"").decode(errors="replace").partition(":")[0].lower()
        return bool(host) and named in (host, f"{ROUTE}.localhost")

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        view = self.published()
        await self.subscribers.answer(scope, receive, send, view.title, view.address, is_private=view.may_be_private)

    def export(self, ask: ExportAsk) -> Exported:
        files = self._render(ask.title, ask.address or "index.html", ask.apps)
        folder = Path(ask.folder)
        if not folder.is_absolute():
            raise Refusal([_not_absolute(ask.folder)])
        try:
            self._agent.on.public_files.put(folder, files)
        except Failure as failure:
            raise Refusal([failure.problem]) from failure
        return Exported(folder=str(folder), files=tuple(sorted(files)))

    async def close(self) -> None:
        tasks, self._task, self._telling = (self._telling, self._task), None, None
        for task in tasks:
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _go(self) -> None:
        while True:
            try:
                view = self.published()
                for app in self._shown(view.apps):
                    alerts = self._agent.keeping.alerts(app)
                    follow_monitors(app, alerts, self._agent.new_id(), self._agent.journal)
                self._write(view)
                told = [
                    it for app in self._shown(view.apps) for it in self._agent.journal.state(app).incidents.values()
                ]
                if self._telling is None or self._telling.done():  # a slow receiver holds up no page
                    telling = self.subscribers.tell(view.title, told, is_private=view.may_be_private)
                    self._telling = asyncio.create_task(telling, name="subscribers")
            except Exception:  # the page is what it was; the next look may mend it
                _log.exception("the status page could not be written")
            await asyncio.sleep(EVERY_S)

    def _write(self, view: StatusPageView) -> None:
        files = self._render(view.title, view.address, view.apps, takes_subscribers=True)
        fresh = {name: text for name, text in files.items() if self._written.get(name) != text}
        if fresh:
            self._agent.on.public_files.put(self._agent.on.home.status_page, fresh)
            self._written = files

    def _render(
        self, title: str, address: str, apps: Sequence[str], *, takes_subscribers: bool = False
    ) -> dict[str, bytes]:
        from underway.pages.public import render  # with the templates' library, when it is first needed

        agent = self._agent
        known = [(agent.journal.state(app), agent.keeping.monitors(app)) for app in self._shown(apps)]
        return render(title, address, known, agent.on.clock.now(), takes_subscribers=takes_subscribers)

    def _shown(self, apps: Sequence[str]) -> list[str]:
        """The apps that are shown. Raises `Refusal` (`app.unknown`)."""
        states = self._agent.journal.states()
        unknown = [app for app in apps if app not in states]
        if unknown:
            raise Refusal([no_such_app(app) for app in unknown])
        return list(apps) or sorted(app for app, state in states.items() if app and state.releases)


def _not_absolute(folder: str) -> Problem:
    return Problem(
        code="statuspage.folder",
        where=folder[:200],
        why="it is no absolute path, and the agent has another working directory than you",
        remedy="name the folder from the root, for instance /srv/status",
    )
