"""A message without what differs each time, and without what nobody should read."""

from __future__ import annotations

import re
from collections.abc import Iterable

HEAD_CHARS = 160
HIDDEN = "•••"
_LEAST_SECRET = 6
"""Shorter values would blot out ordinary words."""
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]{1,200}@")
_NAMED = re.compile(
    r"(?i)((?:password|passwd|pwd|secret|token|api[_-]?key|authorization|cookie|session|credential)\w*['\"]?\s*[=:]\s*)"
    r"(?:bearer\s+|basic\s+)?['\"]?[^\s,;'\"&)}\]]+"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}")
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_UUID = re.compile(r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_LONG = re.compile(r"(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Za-z])[\w+/=-]{20,}")
_HEX = re.compile(r"(?i)\b(?:0x[0-9a-f]+|(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,})\b")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """The head of `text`: numbers as N, ids as <id>, mail addresses as <email>, secrets as •••.

    Hidden are the `secrets` themselves, credentials in addresses, values after names such as `password=`, and anything
    that looks like a key: twenty letters and digits or more without a break.
    """
    text = hide(text, secrets)
    text = _EMAIL.sub("<email>", text)
    text = _UUID.sub("<id>", text)
    text = _LONG.sub(HIDDEN, text)
    text = _ADDRESS.sub("<address>", text)
    text = _HEX.sub("<id>", text)
    text = _NUMBER.sub("N", text)
    return text if len(text) <= HEAD_CHARS else text[: HEAD_CHARS - 1] + "…"


def hide(text: str, secrets: Iterable[str] = ()) -> str:
    """The head of `text` for a person to read: as it is, without what nobody should read (see `mask`), except for what
    only looks like a key, since a path or a name does too."""
    for secret in secrets:
        if len(secret) >= _LEAST_SECRET:
            text = text.replace(secret, HIDDEN)
    text = text[: 4 * HEAD_CHARS]
    text = _CREDENTIALS.sub(f"{HIDDEN}@", text)
    text = _BEARER.sub(rf"\1 {HIDDEN}", text)
    return _NAMED.sub(rf"\1{HIDDEN}", text)
