"""What a step is."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from underway.journal.events.every_event import AnyEvent
from underway.ports.drivers import Drivers


class Act(NamedTuple):
    """The act a step belongs to, for the events it leaves."""

    app: str
    id: str


class Did(NamedTuple):
    """What a step leaves: facts for the journal, written with its outcome, and a few words for people."""

    events: tuple[AnyEvent, ...] = ()
    result: str = ""


class Step(Protocol):
    """One act that can be applied, checked and undone. Frozen values satisfy it; nobody inherits.

    Every method is idempotent: after a crash the engine calls `apply` or `undo` again from the start. They raise
    `Failure` when the world does not let them.
    """

    @property
    def id(self) -> str: ...

    def says(self) -> str:
        """One line a person reads in the plan."""
        ...

    def undo_says(self) -> str:
        """What undoing it means, one line; or why it cannot be undone."""
        ...

    @property
    def is_one_way(self) -> bool:
        """True for a step that cannot be undone; its `undo` does nothing."""
        ...

    async def apply(self, act: Act, on: Drivers) -> Did: ...

    async def verify(self, act: Act, on: Drivers) -> None: ...

    async def undo(self, act: Act, on: Drivers) -> Did: ...
