"""What a migration did when it was tried on a copy of the database, and the release that runs on the result."""

from __future__ import annotations

from enum import Enum

import msgspec

from underway.terms.count import counted


class Runs(Enum):
    """Whether code runs on a schema that it was not made for."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the code of `release` runs on the schema `schema` (a digest), and the evidence, in a few words."""

    release: str
    schema: str
    runs: Runs
    because: str


class LockHeld(msgspec.Struct, frozen=True, kw_only=True):
    """The strongest lock that one transaction of the migration had on a table, and for how long it was seen.

    0 seconds: shorter than the time between two looks. `stops` is what others could not do meanwhile: everything,
    writes, or only changes of the schema.
    """

    table: str
    mode: str
    held_s: float
    stops: str


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """One statement of the migration, its string values masked."""

    statement: str
    took_s: float


class TableChange(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one table. `rows` is how many it holds, `rows_written` how many were inserted, updated and
    deleted; a rewritten one was written again as a whole."""

    table: str
    rows: int
    rows_written: int
    was_bytes: int
    now_bytes: int
    is_rewritten: bool


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of a migration in a scratch database. `is_additive` when all that was there before is there as it
    was, and nothing that was added asks anything of code that does not know it; `changes` says what is different."""

    took_s: float
    statements: tuple[Ran, ...] = ()
    locks: tuple[LockHeld, ...] = ()
    tables: tuple[TableChange, ...] = ()
    was_bytes: int = 0
    now_bytes: int = 0
    was_schema: str = ""
    now_schema: str = ""
    is_additive: bool = False
    changes: tuple[str, ...] = ()
    was_head: str = ""
    """What the tool calls the migrations that the database carried before ("alembic 3f2a91c"), and carries now."""
    now_head: str = ""


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """What a table held and does not hold any more: `rows` that are gone or hold something else now, and by column how
    many values (not NULL) went with a column that is gone."""

    table: str
    rows: int = 0
    columns: dict[str, int] = {}

    def says(self) -> str:
        """ "3 rows of tags; 120 values of orders.note"."""
        parts = [f"{self.rows:,} row{'s' * (self.rows != 1)} of {self.table}"] if self.rows else []
        parts += [f"{n:,} value{'s' * (n != 1)} of {self.table}.{name}" for name, n in self.columns.items()]
        return "; ".join(parts)


class WayBack(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a migration can be run back, as it was tried: forward and back on a copy of the database.

    `schema` and `head` are what it led back to, `lost` what the copy held before and did not hold any more when it had
    been there and back. `command` is what runs it back, empty when nothing does.
    """

    goes: Runs
    because: str
    command: str = ""
    schema: str = ""
    head: str = ""
    took_s: float = 0.0
    lost: tuple[Lost, ...] = ()

    def says(self) -> str:
        lost = f", without {said_lost(self.lost)}" if self.lost else ""
        return f"{self.goes.value}{lost}: {self.because}"


_MOST_TOLD = 6


def said_lost(lost: tuple[Lost, ...]) -> str:
    """All of it in one line, the first tables by name."""
    more = f" and more in {len(lost) - _MOST_TOLD} more tables" if len(lost) > _MOST_TOLD else ""
    return "; ".join(each.says() for each in lost[:_MOST_TOLD]) + more


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """A whole rehearsal: how the copy was made, what was seen, and whether the release that runs goes on running.

    `old_code` is None where nothing runs. `took_s` is all of it. `back` is None where the way back was not tried: the
    code alone goes back, or nothing runs.
    """

    how: str
    copy_took_s: float
    took_s: float
    observed: Observed
    old_code: Fit | None = None
    back: WayBack | None = None

    @property
    def longest_stop(self) -> LockHeld | None:
        """The lock that stops others the longest."""
        stops = [lock for lock in self.observed.locks if lock.stops in ("everything", "writes")]
        return max(stops, key=lambda lock: lock.held_s, default=None)

    def says(self) -> str:
        """One line: `3 statements in 4.1 s; items is written again (1,000,000 rows) and closed for 3.9 s`."""
        seen = self.observed
        count = len(seen.statements)
        parts = [f"{counted(count, 'statement')} in {seen.took_s:.1f} s"]
        parts += [f"{it.table} is written again ({it.rows:,} rows)" for it in seen.tables if it.is_rewritten][:3]
        stop = self.longest_stop
        if stop and stop.held_s >= 0.05:
            parts.append(f"{stop.table} stops {stop.stops} for {stop.held_s:.1f} s")
        if self.old_code:
            parts.append(f"{self.old_code.release} runs on it: {self.old_code.runs.value}")
        if self.back:
            parts.append(f"the migration runs back: {self.back.goes.value}")
        return "; ".join(parts)
