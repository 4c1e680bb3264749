"""Errors of an app across its releases."""

from __future__ import annotations

import msgspec

from underway.terms.app_error import AppError


class SeenError(msgspec.Struct, frozen=True, kw_only=True):
    """One error, how often it came and in which releases (oldest first). `is_new`: only the live release has it."""

    error: AppError
    first_at: float
    last_at: float
    times: int
    releases: tuple[str, ...]
    is_new: bool = False


class FoundLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a process's output. `level` is empty where the line does not say."""

    id: int
    at: float
    release: str
    process: str
    level: str
    text: str
