"""Release, build and source: what is deployed and where it came from."""

from __future__ import annotations

import re
from enum import Enum

import msgspec

from underway.terms.problem import Problem, Refusal

APP_NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]|[a-z]")
"""An app's name is a DNS label (RFC 1035, lower case, at most 40 characters): it is a host name and a folder."""

RELEASE_ID = re.compile(r"[0-9a-hjkmnp-tv-z]{10}")
"""Ten characters of Crockford base 32: time-ordered, short, safe in a path and in a host header."""

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_EPOCH_MS = 1_577_836_800_000  # 2020-01-01T00:00:00Z; 40 bits of milliseconds last until 2054


def release_id(now_s: float, entropy: int) -> str:
    """Return a new release id: eight characters of milliseconds since 2020, two of `entropy` (0–1023).

    Ids sort as their times do. Format after ULID (github.com/ulid/spec), shortened.
    """
    value = ((int(now_s * 1000) - _EPOCH_MS) << 10) | (entropy & 1023)
    return "".join(_CROCKFORD[(value >> shift) & 31] for shift in range(45, -1, -5))


def no_such_app(app: str) -> Problem:
    """What is said of an app that a home does not have. `app` may be anything that somebody typed."""
    return Problem(
        code="app.unknown",
        where=app[:60],
        why=f"there is no app {app[:60]!r} in this home",
        remedy="see which apps there are, or deploy it first",
        command="underway status",
    )


OWN_ROUTES = frozenset({"underway-dashboard", "underway-status", "underway-pings"})
"""Names under which the proxy knows pages of Underway itself."""


def require_app_name(name: str) -> str:
    """Return `name` when it can be an app's name, else raise `Refusal`."""
    if APP_NAME.fullmatch(name) and name not in OWN_ROUTES:
        return name
    raise Refusal(
        [
            Problem(
                code="app.name",
                where=f"app name {name[:60]!r}",
                why=(
                    "this name is taken by one of Underway's own pages"
                    if name in OWN_ROUTES
                    else "an app's name is a host name: 1 to 40 lower-case letters, digits and inner hyphens"
                ),
                remedy="choose a name such as my-shop",
                command="underway deploy --app my-shop",
            )
        ]
    )


class Slot(Enum):
    """One of the two fixed places of an app behind the proxy. A new release starts on the idle one."""

    A = "a"
    B = "b"

    @property
    def other(self) -> Slot:
        return Slot.B if self is Slot.A else Slot.A


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a release's files came from.

    `commit` is the full hash, empty outside git; `is_dirty` when the work tree differs from it; `digest` is
    the SHA-256 over names, modes and contents of what is copied: equal trees have equal digests.
    """

    path: str
    commit: str = ""
    is_dirty: bool = False
    digest: str

    def says(self) -> str:
        """`3f2a91c`, `3f2a91c+dirty`, or `tree 9c01f2a` outside git."""
        if not self.commit:
            return f"tree {self.digest[:7]}"
        return self.commit[:7] + ("+dirty" if self.is_dirty else "")


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable build: the copied tree with its environment, keyed by everything that shaped it.

    `dir` holds the app's files; `venv` (empty for none) the virtual environment; `static_dir` (empty for none)
    the folder the proxy serves. `size_bytes` counts what this build alone occupies.
    """

    key: str
    dir: str
    venv: str = ""
    static_dir: str = ""
    size_bytes: int = 0
    took_s: float = 0.0
    was_reused: bool = False


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable release of an app."""

    id: str
    app: str
    created_at: float
    source: Source
    build_key: str
