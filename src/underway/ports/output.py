from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from underway.terms.output import LineAsk, Taken, Writer
from underway.terms.seen_error import ErrorStory, FoundLine, SeenError


class Output(Protocol):
    """What apps' processes wrote in the last days, with the errors in it; bounded on the disk.

    `take` writes new lines, the errors in them and how far each log was read in one step: an agent that is killed at
    any moment reads on where that was, and no line is lost or kept twice. What could not be kept, because it came
    faster than it was read, is told by a line in its place.

    Reading blocks: call from a thread. Several threads may read while one takes.
    """

    def take(self, app: str, writers: Sequence[Writer], now: float) -> Taken:
        """Read on in every log of the app, a bounded number of lines. A disk that is full leaves the rest for later."""
        ...

    def lines(self, app: str, ask: LineAsk) -> Sequence[FoundLine]:
        """The lines that are asked for, in the order that `LineAsk` says."""
        ...

    def errors(self, app: str) -> Sequence[SeenError]:
        """Every error that is known of the app, those seen last first."""
        ...

    def error(self, app: str, fingerprint: str) -> ErrorStory | None:
        """One of them with its releases and what was written; None for an unknown one."""
        ...

    def touched(self, app: str, fingerprint: str, people: Collection[int]) -> None:
        """These people (hashed) met the error."""
        ...

    def size_bytes(self, app: str) -> int:
        """What the app's lines and errors take on the disk."""
        ...

    def close(self) -> None: ...
