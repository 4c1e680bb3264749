"""A value that must not be seen."""

from __future__ import annotations

import hmac
from typing import Any, NoReturn


class Secret:
    """A secret string. It prints as •••, compares in constant time, and refuses to be serialised.

    `reveal()` is the only way to the value; search for that word to find every place that uses one.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "•••"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "•••"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not serialised; reveal() it where it is used")

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"a Secret has no {name}")
