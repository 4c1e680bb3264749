"""A schema as a value: what code can rely on, and what a digest names."""

from __future__ import annotations

import hashlib

import msgspec


class Column(msgspec.Struct, frozen=True, array_like=True):
    type: str
    is_required: bool
    has_default: bool


class Shape(msgspec.Struct, frozen=True, array_like=True):
    """Tables (and views) with their columns; rules that rows must meet (constraints, unique indexes, triggers), by
    `TABLE NAME` with their definition; and other things code can call (functions, types with their labels)."""

    columns: dict[str, dict[str, Column]]
    rules: dict[str, str]
    others: dict[str, str]

    @property
    def digest(self) -> str:
        """Sixteen hex digits that are equal for equal schemas."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:16]
