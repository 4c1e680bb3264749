from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from underway.terms.process import Apart
from underway.terms.rehearsal import Observed
from underway.terms.shape import Shape


@dataclass(frozen=True)
class Shadow:
    """A copy of what an app keeps in its shared storage, for processes that see it in the place of the real one.

    `apart` makes them see it. `took_s` is how long the copy took, `size_bytes` what its databases hold."""

    id: str
    app: str
    apart: Apart
    took_s: float
    size_bytes: int
    how: str = "copied as files"


class Shadows(Protocol):
    """SQLite databases in apps' shared storage, and copies of them to try things on."""

    async def size_bytes(self, app: str) -> int:
        """What all of them take; 0 when the app has none."""
        ...

    async def shape(self, app: str) -> Shape:
        """Their schema as it is now. Without any it is empty."""
        ...

    async def head(self, app: str) -> str:
        """As `Schemas.head`; empty where it is not known."""
        ...

    async def why_not(self) -> str:
        """Why no process can be given a view of files of its own here, empty when it can."""
        ...

    async def cast(self, app: str, writable: tuple[str, ...]) -> Shadow:
        """Copy the databases, each in one read transaction, and other shared files as far as they are small. Processes
        that run `apart` write to the copy, below `writable` and to temporary folders, and nowhere else.

        Raises `Failure` (`rehearse.copy`)."""
        ...

    async def observe(self, shadow: Shadow, work: Callable[[], Awaitable[bool]]) -> Observed:
        """Do `work` on the shadow and tell what became of its databases. Whatever `work` raises passes through."""
        ...

    async def drop(self, shadow: Shadow) -> None: ...

    async def sweep(self) -> int:
        """Remove the shadows that a former agent left; return how many."""
        ...
