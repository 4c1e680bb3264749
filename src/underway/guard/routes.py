"""The route a request asked for, so that a page is compared with itself. Pure."""

from __future__ import annotations

import re

LONGEST_SEGMENT = 40
MOST_SEGMENTS = 6
_NAME = re.compile(r"[A-Za-z][A-Za-z._~-]*\d{0,2}")
"""A part of a path that is written in the code: a word, perhaps with a small number behind it (`v2`)."""
_HASHED = re.compile(r"(.*?)[.-][0-9a-zA-Z_-]{8,}(\.[a-z0-9]{2,5})")
"""A file whose name carries a hash of its content: `app.3f9ac1d2.js` is `app.*.js` in every release."""


def route_of(method: str, path: str) -> str:
    """`GET /orders/*/lines` for `/orders/1234/lines?page=2`. What looks like an id, a token or a name of somebody is a
    star, so that one route has one name and no secret is kept."""
    segments = path.partition("?")[0].split("/")[1:]
    named = [_named(segment) for segment in segments[:MOST_SEGMENTS]]
    rest = ["…"] if len(segments) > MOST_SEGMENTS else []
    return f"{method} /{'/'.join(named + rest)}"


def _named(segment: str) -> str:
    hashed = _HASHED.fullmatch(segment)
    if hashed and any(letter.isdigit() for letter in segment):
        return f"{hashed[1]}.*{hashed[2]}" if _NAME.fullmatch(hashed[1]) else f"*{hashed[2]}"
    if not segment or (len(segment) <= LONGEST_SEGMENT and _NAME.fullmatch(segment)):
        return segment
    return "*"
