"""Migrations as statements, what they would do, and what was found when they were tried."""

from __future__ import annotations

from enum import Enum

import msgspec


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """One migration as SQL. `name` is the file or revision a person knows it by.

    `is_atomic` when the tool wraps it in one transaction: what it locks stays locked to its end.
    """

    name: str
    sql: str
    is_atomic: bool = True


class Harm(Enum):
    """What a statement does to those who use the database meanwhile or afterwards."""

    DESTRUCTIVE = "destructive"
    """Rows or columns are gone; only a backup brings them back."""
    BREAKING = "breaking"
    """Code written for the schema before fails on the one after."""
    BLOCKING = "blocking"
    """Others wait while the rows of a table are read, written or checked."""


class Hazard(msgspec.Struct, frozen=True, kw_only=True):
    """One statement that a migration should not hold as it is.

    `where` is `0003_rename.py:12`; `statement` has its string values masked; `recipe` is the way that harms nobody.
    `allowed` says why it does not stop a deploy all the same (the table is small, it was marked), empty when it does.
    """

    rule: str
    harm: Harm
    where: str
    statement: str
    says: str
    recipe: str
    table: str = ""
    allowed: str = ""


class TableNow(msgspec.Struct, frozen=True, kw_only=True):
    """A table as it is now: the planner's estimate of its rows, and its bytes with indexes.

    `columns` maps names to types as PostgreSQL writes them ("character varying(50)"); `never_null` are the columns of
    which a valid constraint `CHECK (x IS NOT NULL)` says that they hold no NULL.
    """

    rows: int
    total_bytes: int
    columns: dict[str, str] = {}
    never_null: tuple[str, ...] = ()


class Spotted(msgspec.Struct, frozen=True, kw_only=True):
    """What a linter found in a script: its rule, and the line (from 0) and column where."""

    rule: str
    line: int
    column: int
    message: str = ""
