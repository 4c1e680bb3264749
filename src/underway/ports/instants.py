from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from underway.terms.since import Instant, Since


class Instants(Protocol):
    """What was written to an app's database on the home's own server since a moment. Reads only."""

    async def now(self, app: str) -> Instant:
        """This moment. Raises `Failure` (`postgres.instants`)."""
        ...

    async def since(
        self, app: str, instant: Instant, held: Mapping[str, int], migrated: Sequence[tuple[Instant, Instant]]
    ) -> Since:
        """What was written since `instant`, when each table held so many rows (`held`, by `schema.table`). What was
        written within one of `migrated` is told apart. Every table is read through, all in ten seconds at most: what
        does not fit into them is named. Raises `Failure` (`postgres.instants`)."""
        ...
