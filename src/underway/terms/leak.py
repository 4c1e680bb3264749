"""Secrets that stand where everybody with the repository can read them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import msgspec

from underway.terms.secret import Secret


@dataclass(frozen=True)
class Hit:
    """A rule matched. `before` and `after` are the text of the same line on both sides, at most 400 characters;
    `around` is some of the lines above and below."""

    rule: str
    says: str
    secret: Secret
    path: str
    line: int
    column: int
    before: str = ""
    after: str = ""
    around: str = ""


class Weight(Enum):
    """How sure a leak is. Values are stable: scripts and CI depend on them."""

    LEAK = "leak"
    DOUBTFUL = "doubtful"
    """A sample, a test's password, a key that is meant to be public: shown, and no reason to fail."""


class Leak(msgspec.Struct, frozen=True, kw_only=True):
    """A secret in a file or in the history, without the secret.

    `fingerprint` is the same wherever the same secret stands; it is made with scrypt, so that a short password is not
    found by trying all (RFC 7914). `commit` is the one that brought it in, empty for a file as it is now; `variable`
    the name it was given to, empty for none.
    """

    rule: str
    says: str
    weight: Weight
    because: str
    path: str
    line: int
    column: int
    fingerprint: str
    variable: str = ""
    commit: str = ""
    author: str = ""
    when: str = ""
    is_in_tree: bool = True


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was not looked into, and why."""

    path: str
    why: str


class Searched(msgspec.Struct, frozen=True, kw_only=True):
    """What a search looked at and found. `commits` is 0 outside git or when the history was left out."""

    leaks: tuple[Leak, ...]
    files: int
    blobs: int = 0
    commits: int = 0
    is_shallow: bool = False
    from_cache: int = 0
    allow_text: str = ""
    """The text of the allow file, empty for none."""
    unread: tuple[Unread, ...] = ()
    took_s: float = 0.0
