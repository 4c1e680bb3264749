"""Errors of an app across its releases."""

from __future__ import annotations

import msgspec

from underway.terms.app_error import AppError


class SeenError(msgspec.Struct, frozen=True, kw_only=True):
    """One error, how often it came and in which releases (oldest first). `is_new`: only the live release has it.
    `users_touched` is how many people's requests to that release failed within a second of it (an estimate beyond a
    thousand)."""

    error: AppError
    first_at: float
    last_at: float
    times: int
    releases: tuple[str, ...]
    is_new: bool = False
    users_touched: int = 0


class InRelease(msgspec.Struct, frozen=True, kw_only=True):
    """An error in one release."""

    release: str
    first_at: float
    last_at: float
    times: int


class ErrorStory(msgspec.Struct, frozen=True, kw_only=True):
    """One error with each release it was seen in, oldest first, and what was written when it came last."""

    seen: SeenError
    by_release: tuple[InRelease, ...]
    process: str
    lines: tuple[str, ...]


class FoundLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a process's output. `level` is empty where the line does not say; `fields` is what a line of JSON says
    besides, as JSON; `trace` the id of the request it is about."""

    id: int
    at: float
    release: str
    process: str
    level: str
    text: str
    number: int = 0
    fields: str = ""
    trace: str = ""
