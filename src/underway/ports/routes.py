from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from underway.terms.route import AppRoute


class Routes(Protocol):
    """The routes of all apps of a home, kept on disk. Each change gives the router the whole new picture."""

    def all(self) -> Sequence[AppRoute]: ...

    async def put(self, route: AppRoute) -> bool:
        """Add or replace the app's route. Return whether the proxy was reloaded. Idempotent."""
        ...

    async def remove(self, app: str) -> bool:
        """Take the app out. Taking out what is not there is fine."""
        ...
