"""A number with its noun."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 row`, `1,204 rows`. `noun` is in the singular and takes an s."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
