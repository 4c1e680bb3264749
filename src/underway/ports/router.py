from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from underway.terms.release import Slot
from underway.terms.route import AppRoute, SlotTarget


class Router(Protocol):
    """The proxy in front of all apps of a home.

    Only `configure` may reload it, and only when the picture changed. `set_share`, `set_target`, `set_candidate` and
    `set_maintenance` are atomic file writes that the proxy reads again at every request. All are idempotent.
    """

    async def start(self) -> None:
        """Adopt the running proxy of this home or start one; keep it alive from now on.

        Raises `Failure` (`proxy.port-taken` naming who has the port, `proxy.start`).
        """
        ...

    async def stop(self) -> None: ...

    async def configure(self, routes: Sequence[AppRoute]) -> bool:
        """Make `routes` the whole picture. Return whether a reload was needed; no request fails through it."""
        ...

    def set_share(self, app: str, share_of_b: float) -> None:
        """Send this share of visitors (0.0–1.0) to slot B and the others to slot A, from the next request on."""
        ...

    def share_of_b(self, app: str) -> float | None:
        """The share as the proxy reads it now; None before the first `set_share`."""
        ...

    def set_target(self, app: str, slot: Slot, target: SlotTarget | None) -> None:
        """Say which release is on a slot (it appears in the access log) and where its static files are."""
        ...

    def set_candidate(self, app: str, slot: Slot | None) -> None:
        """Say on which slot the release is that is on its way: who asks for `candidate` gets it. None: on no slot."""
        ...

    def set_maintenance(self, app: str, is_on: bool) -> None:
        """Answer 503 with the maintenance page, or stop doing so."""
        ...

    async def in_flight(self, app: str, slot: Slot) -> int:
        """Requests (slow ones, SSE, WebSockets) now at the slot's upstreams."""
        ...
