"""What came of copying a database into another."""

from __future__ import annotations

import msgspec


class TableCopied(msgspec.Struct, frozen=True, kw_only=True):
    """One table. `is_equal` when rows and checksum are the same on both sides. `unfit` are rows that the column's type
    cannot hold and `differing` rows that came out otherwise, each by its key (the first twenty). `nuls` values lost
    their NUL characters, which PostgreSQL's text cannot hold."""

    name: str
    rows: int
    copied: int
    is_equal: bool
    checksum: str
    nuls: int = 0
    unfit: tuple[str, ...] = ()
    unfit_count: int = 0
    differing: tuple[str, ...] = ()


class CopyReport(msgspec.Struct, frozen=True, kw_only=True):
    """`problems` kept it from being begun or ended; `keys` are references to rows that are not there."""

    tables: tuple[TableCopied, ...]
    problems: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    took_s: float = 0.0

    @property
    def is_whole(self) -> bool:
        """True when every row of the source is there, equal, and refers to what is there."""
        equal = all(table.is_equal and not table.unfit_count for table in self.tables)
        return equal and not self.problems and not self.keys

    @property
    def rows(self) -> int:
        return sum(table.copied for table in self.tables)
