from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from underway.terms.place import Memo


@dataclass(frozen=True)
class Remembered:
    """What was last seen equal here and at a place. `key` is the memory's own, for fingerprints."""

    key: bytes
    memos: Mapping[str, Memo]


class PlaceMemory(Protocol):
    """Remembers what was set where, by fingerprint: places that give no value back can then be compared.

    Both raise `Failure` (`place.memory`) when the memory cannot be read or written. Losing it costs certainty only.
    """

    def load(self, app: str, environment: str, place: str) -> Remembered:
        """What is remembered of one environment at one place; nothing the first time."""
        ...

    def keep(self, app: str, environment: str, place: str, memos: Mapping[str, Memo], gone: frozenset[str]) -> None:
        """Put `memos` in place of those of the same names, and forget `gone`."""
        ...
