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


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """A whole rehearsal: how the copy was made, what was seen, and whether the release that runs goes on running.

    `old_code` is None where nothing runs. `took_s` is all of it.
    """

    how: str
    copy_took_s: float
    took_s: float
    observed: Observed
    old_code: Fit | None = None

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
        return "; ".join(parts)
