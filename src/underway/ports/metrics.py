from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from underway.terms.metrics import Level, Point
from underway.terms.route import LogOffset


class Metrics(Protocol):
    """Points of every subject of every app at three levels, bounded in time and in bytes.

    What `put` takes is in memory until `write`, which puts all of it on the disk in one transaction together with the
    place in the access log that it was counted up to: an agent that is killed reads on from that place, and nothing
    is lost or counted twice.
    """

    def put(self, app: str, subject: str, at: float, point: Point) -> None:
        """Merge `point` into what is known of `subject` at `at`. It may be called for a moment in the past."""
        ...

    def write(self, place: LogOffset) -> bool:
        """Put down what was added. False when the disk did not take it (what was added is kept, and tried again)."""
        ...

    def place(self) -> LogOffset | None:
        """Up to where in the access log was written down, None for nothing yet."""
        ...

    def read(self, app: str, subject: str, level: Level, since: float, until: float) -> Sequence[tuple[float, Point]]:
        """Points that begin at `since` or later and before `until`, with what is not written yet, oldest first."""
        ...

    def counts(self, app: str, subject: str, level: Level, since: float, until: float) -> tuple[int, int]:
        """Only (served, failed) of the same, without reading the times: quick."""
        ...

    def subjects(self, app: str) -> Sequence[str]:
        """All subjects of the app that have points."""
        ...

    def prune(self, now: float) -> None:
        """Drop what is older than its level is kept, and the oldest beyond the bytes that the store may take."""
        ...

    def size_bytes(self) -> int:
        """What the store takes on the disk."""
        ...
