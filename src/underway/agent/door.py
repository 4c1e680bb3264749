"""The way in for browsers, as the agent knows it."""

from __future__ import annotations

from typing import Protocol

from underway.agent.access_views import DashboardView
from underway.agent.ping_views import PingsAsk, PingsView
from underway.agent.status_views import ExportAsk, Exported, StatusPageAsk, StatusPageView


class Door(Protocol):
    """Listens on loopback from the first time that somebody asks, and at once where the dashboard is exposed."""

    async def wake(self) -> None:
        """Listen when the dashboard is exposed."""
        ...

    async def let_in(self, by: str) -> DashboardView:
        """An address that lets `by` in once. Raises `Failure` (`dashboard.port`)."""
        ...

    async def expose(self, host: str, tls: str, by: str) -> str:
        """Answer under `host` through the proxy, with HTTPS; empty: on loopback alone. Returns the address, empty for
        none. Raises `Refusal` (`access.nobody`, `proxy.route`, `proxy.host-taken`) or `Failure`."""
        ...

    def published(self) -> StatusPageView:
        """Where the status page is."""
        ...

    async def publish(self, ask: StatusPageAsk) -> StatusPageView:
        """Keep the status page as files that the proxy serves under a host, so that it stays up when the apps, and this
        agent, are down. Raises `Refusal` (`app.unknown`, `proxy.route`, `proxy.host-taken`) or `Failure`."""
        ...

    def export(self, ask: ExportAsk) -> Exported:
        """Write the status page into a folder. Raises `Refusal` (`app.unknown`, `statuspage.folder`)."""
        ...

    def pings(self) -> PingsView:
        """Where the pings of schedules are answered."""
        ...

    async def expose_pings(self, ask: PingsAsk) -> PingsView:
        """Answer the pings of schedules under a host, through the proxy. Raises `Refusal` (`proxy.route`,
        `proxy.host-taken`) or `Failure` (`dashboard.port`)."""
        ...

    async def close(self) -> None: ...
