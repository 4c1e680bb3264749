"""Spans of the week, as people write them: `Mon-Fri 09:00-17:00`, `Fri 15:00-24:00`, `Sat-Sun`, `22:00-06:00`. Pure."""

from __future__ import annotations

import re

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_MINUTES = 24 * 60
WEEK_MINUTES = 7 * DAY_MINUTES
_SPAN = re.compile(
    r"(?:(?P<first>[A-Z][a-z]{2})(?:-(?P<last>[A-Z][a-z]{2}))?)?\s*"
    r"(?:(?P<from>[0-2]\d:[0-5]\d)-(?P<to>[0-2]\d:[0-5]\d))?",
    re.ASCII,
)

Minutes = tuple[int, int]
"""From this minute of the week (Monday 00:00 is 0) up to, not with, this one."""


def spans_of(text: str) -> tuple[Minutes, ...] | None:
    """The stretches of the week that `text` names; None when it names none.

    Without days it is every day, without times the whole day. A span whose end is not after its beginning ends on the
    next day: `Fri 22:00-06:00` ends on Saturday morning. Days go round the week: `Sat-Mon`.
    """
    found = _SPAN.fullmatch(text.strip())
    if found is None or not text.strip():
        return None
    days = _days(found["first"], found["last"])
    begins, ends = _minute(found["from"] or "00:00"), _minute(found["to"] or "24:00")
    if days is None or begins is None or ends is None or begins == DAY_MINUTES:
        return None
    lasts = ends - begins if ends > begins else ends - begins + DAY_MINUTES
    spans: list[Minutes] = []
    for day in days:
        start = day * DAY_MINUTES + begins
        end = start + lasts
        spans.append((start, min(end, WEEK_MINUTES)))
        if end > WEEK_MINUTES:
            spans.append((0, end - WEEK_MINUTES))
    return tuple(spans)


def _days(first: str | None, last: str | None) -> tuple[int, ...] | None:
    if first is None:
        return tuple(range(7))
    if first not in DAYS or (last or first) not in DAYS:
        return None
    begin, end = DAYS.index(first), DAYS.index(last or first)
    return tuple((begin + n) % 7 for n in range((end - begin) % 7 + 1))


def _minute(text: str) -> int | None:
    hour, minute = int(text[:2]), int(text[3:])
    at = hour * 60 + minute
    return at if at <= DAY_MINUTES else None


def is_open(minute: int, allow: tuple[str, ...], deny: tuple[str, ...]) -> bool:
    """Whether `minute` of the week is allowed: in one of `allow` (or there are none), and in none of `deny`."""
    return (not allow or _is_in(minute, allow)) and not _is_in(minute, deny)


def next_open(minute: int, allow: tuple[str, ...], deny: tuple[str, ...]) -> int | None:
    """How many minutes from `minute` until it is allowed: 0 when it is, None when it never is."""
    edges = {minute, *(edge for text in (*allow, *deny) for span in spans_of(text) or () for edge in span)}
    waits = [(edge - minute) % WEEK_MINUTES for edge in edges if is_open(edge % WEEK_MINUTES, allow, deny)]
    return min(waits, default=None)


def _is_in(minute: int, texts: tuple[str, ...]) -> bool:
    return any(begin <= minute < end for text in texts for begin, end in spans_of(text) or ())
