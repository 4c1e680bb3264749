from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from underway.ports.copies import Scratch
from underway.terms.rehearsal import Lost, Observed


class Rehearsals(Protocol):
    """Watches what happens to a scratch database."""

    async def hold(self, scratch: Scratch) -> None:
        """Keep beside its tables what each of them holds now, for `lost`. Raises `Failure` (`rehearse.watch`)."""
        ...

    async def lost(self, scratch: Scratch) -> tuple[Lost, ...]:
        """What `hold` kept and the tables do not hold any more: rows that are gone or hold something else, and values
        of columns that are gone. Raises `Failure` (`rehearse.watch`)."""
        ...

    async def observe(self, scratch: Scratch, work: Callable[[], Awaitable[bool]]) -> Observed:
        """Do `work`, which changes the scratch database through the login `Purpose.MIGRATE`, and tell what it did:
        statements, locks and how long they were held, tables written again, sizes, and how the schema differs.

        Whatever `work` raises passes through. Raises `Failure` (`rehearse.watch`)."""
        ...
