from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from underway.terms.environment import Held
from underway.terms.problem import Problem
from underway.terms.secret import Secret


@dataclass(frozen=True)
class Told:
    """What became of one name: done, or the problem that kept it from being done."""

    name: str
    problem: Problem | None = None


class Place(Protocol):
    """A place outside Underway where an app's environment lives as well: a provider, a `.env` file.

    `set` and `unset` may be called again after a failure in the middle: what is there already is fine.
    """

    @property
    def says(self) -> str:
        """What a person calls it: `Render service srv-123`."""
        ...

    async def held(self) -> Mapping[str, Held]:
        """What it holds now. Raises `Failure` (`place.unreachable`, `place.refused`)."""
        ...

    async def set(self, values: Mapping[str, Secret]) -> Sequence[Told]:
        """Add or replace; no other name is touched, whatever the provider's own semantics are."""
        ...

    async def unset(self, names: Sequence[str]) -> Sequence[Told]:
        """Remove. Removing what is not there is fine."""
        ...
