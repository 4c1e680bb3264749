"""An error that an app reported by itself: a traceback in what its process writes."""

from __future__ import annotations

import msgspec


class AppError(msgspec.Struct, frozen=True, kw_only=True):
    """One error, without what differs from one occurrence to the next and without secrets.

    `kind` is the exception's name, `message` the first line of what it said, `place` the file and line of the app's own
    code it came from ("checkout.py:88"). Equal `fingerprint`s are the same error, in whatever release: it is made of
    kind, message, file and function, not of the line, which an edit further up moves.
    """

    fingerprint: str
    kind: str
    message: str = ""
    place: str = ""

    def says(self) -> str:
        """`KeyError: 'currency' (checkout.py:88)`"""
        said = f"{self.kind}: {self.message}" if self.message else self.kind
        return f"{said} ({self.place})" if self.place else said


class ErrorCount(msgspec.Struct, frozen=True, kw_only=True):
    """How often an error came."""

    error: AppError
    times: int

    def says(self) -> str:
        """`7× KeyError: 'currency' (checkout.py:88)`"""
        return f"{self.times}× {self.error.says()}"
