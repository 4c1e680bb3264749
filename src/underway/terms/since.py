"""What was written to a database since a moment of it."""

from __future__ import annotations

import msgspec


class Instant(msgspec.Struct, frozen=True, kw_only=True):
    """A moment of a database, told by its transactions rather than by a clock.

    `database` names the very database ("7391…/1/16384": the server's identifier, the timeline of its log, the
    database's oid): in another one the numbers mean nothing. `snapshot` is a `pg_snapshot` as PostgreSQL writes it
    ("740:745:741,743"): every transaction from the second number on is later, and so are those that are named.
    """

    database: str
    snapshot: str

    @property
    def oldest(self) -> int:
        """The first transaction that was under way."""
        return int(self.snapshot.split(":")[0])

    @property
    def next(self) -> int:
        """The first transaction that had not begun."""
        return int(self.snapshot.split(":")[1])

    @property
    def open(self) -> tuple[int, ...]:
        """The transactions that were under way."""
        return tuple(int(each) for each in self.snapshot.split(":")[2].split(",") if each)


class Since(msgspec.Struct, frozen=True, kw_only=True):
    """What was written since a moment, by table, counted in the rows themselves.

    `rows` are there now and were written since; `gone` were there and are changed or deleted now. `unsure` were
    written while a migration ran, by it or by others, or at that very moment. `uncounted` are the tables
    that could not be read in time. `why_not` says why nothing could be counted at all, empty when it could.
    """

    rows: dict[str, int] = {}
    gone: dict[str, int] = {}
    unsure: dict[str, int] = {}
    uncounted: tuple[str, ...] = ()
    why_not: str = ""
