"""The way in for browsers, as the agent knows it."""

from __future__ import annotations

from typing import Protocol

from underway.agent.access_views import DashboardView


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

    async def close(self) -> None: ...
