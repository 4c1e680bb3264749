from __future__ import annotations

from typing import Protocol

from underway.terms.database_health import DatabaseHealth


class DatabaseStats(Protocol):
    """Reads how an app's database on the home's own server is."""

    async def read(self, app: str) -> DatabaseHealth:
        """One reading, in a read-only transaction with a time limit: it changes nothing and nobody waits for it. Texts
        of queries have their values masked. Raises `Failure` (`postgres.stats`)."""
        ...

    async def connections(self, app: str) -> tuple[int, int]:
        """The most connections that the app may have, and how many of the server's are left to it beside the others.

        Raises `Failure` (`postgres.stats`)."""
        ...
