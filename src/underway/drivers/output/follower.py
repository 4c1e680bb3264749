"""One log on its way into the store: its lines understood, the errors in them noticed."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from underway.drivers.output.reading import Place
from underway.drivers.output.segment import HitRow, KeptPlace, LineRow
from underway.drivers.process_log import clean
from underway.errors.read import TraceReader
from underway.output.read import FIELDS_CHARS, TEXT_CHARS, read_line
from underway.terms.app_error import AppError
from underway.terms.output import LEVELS

MOST_BACK_BYTES = 1 << 17
"""An error whose text is longer is not read again by the next agent."""
_LINE_CHARS = TEXT_CHARS + FIELDS_CHARS
_ERROR = LEVELS.index("error")
_RANK = {name: rank for rank, name in enumerate(LEVELS)}


class Found:
    """What was read of a log in one turn and is not written yet."""

    __slots__ = ("hits", "lines")

    def __init__(self) -> None:
        self.lines: list[LineRow] = []
        self.hits: list[tuple[float, int, int, int, AppError]] = []
        """When, which source, from which line to which, what."""


class Follower:
    """One log. `source` is who writes to it as far as it was read."""

    def __init__(self, kept: KeptPlace | None = None) -> None:
        kept = kept or KeptPlace(Place())
        self.place = kept.place
        self.back_bytes = kept.back_bytes
        self.release = kept.release
        self.seen: tuple[int, int] = (-1, -1)
        """Size and time of the file when it was read to its end."""
        self._reader = TraceReader()
        self._begins = self._last = 0
        """Ids of the line that an error begins with, and of the last line."""

    def kept(self) -> KeptPlace:
        return KeptPlace(self.place, self.release, self.back_bytes)

    def remember(self, text: bytes) -> None:
        """Read again what is kept already, for an error that was half read when an agent ended."""
        for line in text.removesuffix(b"\n").split(b"\n"):
            self._reader.feed(clean(line.decode(errors="replace"), _LINE_CHARS))

    def take(self, text: bytes, source: int, now: float, next_id: int, found: Found) -> int:
        """Take these lines (the last may lack its end); returns the next free id."""
        reader, lines = self._reader, found.lines
        back = self.back_bytes
        for raw in text.removesuffix(b"\n").split(b"\n"):
            line = clean(raw.decode(errors="replace"), _LINE_CHARS)
            was_idle = reader.is_idle
            errors = reader.feed(line)
            if errors:
                self._note(errors, source, now, next_id if was_idle else self._last, found)
            if reader.is_idle:
                back = 0
            else:
                back += len(raw) + 1
                if was_idle or errors:
                    self._begins = self._last or next_id
            if not line:
                continue
            at, level, said, fields, trace = read_line(line, now)
            rank = _RANK[level] or (0 if reader.is_idle else _ERROR)
            lines.append(LineRow(next_id, at, source, rank, trace, said, fields))
            self._last = next_id
            next_id += 1
        self.back_bytes = back if back <= MOST_BACK_BYTES else 0
        return next_id

    def is_waiting(self) -> bool:
        """An error may be over that nothing has followed yet."""
        return not self._reader.is_idle

    def silent(self, source: int, now: float, found: Found) -> None:
        """Nothing came for a while: what is half read is all of it."""
        self._note(self._reader.flush(), source, now, self._last, found)
        if self._reader.is_idle:
            self.back_bytes = 0

    def _note(self, errors: list[AppError], source: int, now: float, last: int, found: Found) -> None:
        first = last if not self._begins or self._begins > last else self._begins
        for error in errors:
            found.hits.append((now, source, first, last, error))
        self._begins = 0


def told_rows(hits: list[tuple[float, int, int, int, AppError]], next_hit: int) -> Iterator[HitRow]:
    """What is written of errors, numbered from `next_hit` on."""
    for number, (at, source, first, last, error) in enumerate(hits, next_hit):
        yield HitRow(number, at, source, first, last, msgspec.msgpack.encode(error))
