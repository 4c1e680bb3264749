"""Secret values out of a stream of output, whatever chunks it comes in."""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote, urlsplit

MASK = "•••".encode()
LEAST_BYTES = 6
"""A shorter value is not looked for: it would take words out of every line that have nothing to do with it."""
_LEAST_LINE_BYTES = 12
_LEAST_ENCODED_BYTES = 8
_PIECE_BYTES = 512
"""Longer forms are looked for in pieces, so that at most this much of a stream is ever held back."""


def forms(value: str) -> Iterator[bytes]:
    """How a secret value looks in output: as it is, escaped in JSON or by Python's `repr`, in a URL, in hexadecimal,
    in base64 at each of the three places it can stand in a longer text; each line of one with several lines; the
    password of an address."""
    raw = value.encode(errors="surrogatepass")
    for text in _texts(value):
        yield text.encode(errors="surrogatepass")
    yield from (_upper_to_lower(quote(value, safe="", errors="surrogatepass").encode()), raw.hex().encode())
    if len(raw) >= _LEAST_ENCODED_BYTES:
        yield from _base64_forms(raw)
    lines = [line.strip() for line in value.splitlines()]
    if len(lines) > 1:
        yield from (line.encode(errors="surrogatepass") for line in lines if len(line) >= _LEAST_LINE_BYTES)
    if password := _password(value):
        yield from (each for each in forms(password) if len(each) >= LEAST_BYTES)


def _texts(value: str) -> tuple[str, ...]:
    return (
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        quote(value, errors="surrogatepass"),
        quote(value, safe="", errors="surrogatepass"),
        quote_plus(value, errors="surrogatepass"),
    )


def _upper_to_lower(quoted: bytes) -> bytes:
    return re.sub(rb"%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)


def _base64_forms(raw: bytes) -> Iterator[bytes]:
    """The characters that stand for these bytes alone, behind 0, 1 and 2 other bytes (RFC 4648, 4 and 5)."""
    for before in range(3):
        bits = before * 8
        first = -(-bits // 6)
        last = (bits + len(raw) * 8) // 6
        padded = b"\0" * before + raw + b"\0\0"
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(padded)[first:last]


def _password(value: str) -> str:
    if "://" not in value or len(value) > 4_000:
        return ""
    try:
        return unquote(urlsplit(value).password or "")
    except ValueError:
        return ""


def _pieces(form: bytes) -> Iterator[bytes]:
    if len(form) <= _PIECE_BYTES:
        yield form
        return
    for start in range(0, len(form), _PIECE_BYTES):
        piece = form[start : start + _PIECE_BYTES]
        yield piece if len(piece) >= LEAST_BYTES else form[-_PIECE_BYTES:]


class Masker:
    """Replaces every form of the given values in a stream of bytes by •••.

    What may be the beginning of a value is held back until the next bytes decide; never more than 511 bytes.
    """

    def __init__(self, values: Iterable[str]) -> None:
        from ahocorasick_rs import BytesAhoCorasick, MatchKind

        patterns = {
            piece
            for value in values
            if len(value.encode(errors="surrogatepass")) >= LEAST_BYTES
            for form in forms(value)
            if len(form) >= LEAST_BYTES
            for piece in _pieces(form)
        }
        self._sorted = sorted(patterns)
        self._longest = max(map(len, patterns), default=0)
        self._found = BytesAhoCorasick(self._sorted, matchkind=MatchKind.LeftmostLongest) if patterns else None
        firsts = b"".join(re.escape(bytes([byte])) for byte in sorted({pattern[0] for pattern in patterns}))
        self._first = re.compile(b"[" + firsts + b"]") if firsts else None
        self._held = b""

    @property
    def held_bytes(self) -> int:
        return len(self._held)

    def feed(self, chunk: bytes) -> bytes:
        """What of the stream is certain after this chunk."""
        if self._found is None:
            return chunk
        text = self._held + chunk
        hold = self._open_from(text, 0)
        out, at = [], 0
        for _, start, end in self._found.find_matches_as_indexes(text):
            if start >= hold:
                break
            if end > hold:
                hold = self._open_from(text, end)
            out += [text[at:start], MASK]
            at = end
        out.append(text[at:hold])
        self._held = text[hold:]
        return b"".join(out)

    def end(self) -> bytes:
        """What was held back, when nothing more comes."""
        text, self._held = self._held, b""
        if self._found is None:
            return text
        out, at = [], 0
        for _, start, end in self._found.find_matches_as_indexes(text):
            out += [text[at:start], MASK]
            at = end
        return b"".join([*out, text[at:]])

    def _open_from(self, text: bytes, start: int) -> int:
        """The first place from which on everything could be the beginning of a pattern; the end when there is none."""
        assert self._first is not None
        for found in self._first.finditer(text, max(start, len(text) - self._longest + 1)):
            tail = text[found.start() :]
            near = bisect_left(self._sorted, tail)
            is_open = near < len(self._sorted) and self._sorted[near].startswith(tail)
            is_whole = is_open and self._sorted[near] == tail
            if is_whole:  # it is one already; hold it back only when a longer one may follow
                near += 1
                is_open = near < len(self._sorted) and self._sorted[near].startswith(tail)
            if is_open:
                return found.start()
        return len(text)
