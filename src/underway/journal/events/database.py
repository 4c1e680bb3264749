"""Events of an app's database: its migrations, tried and done, and what was restored."""

from __future__ import annotations

from underway.journal.events.event import Event
from underway.terms.migration import Hazard
from underway.terms.rehearsal import Fit, Rehearsal
from underway.terms.since import Instant


class MigrationsLinted(Event, frozen=True, kw_only=True, tag="migrations_linted"):
    """The pending migrations were read before anything was changed. `tool` printed their SQL; where nothing could,
    `why_not` says why, and only trying them tells what they do."""

    release: str
    tool: str = ""
    migrations: tuple[str, ...] = ()
    hazards: tuple[Hazard, ...] = ()
    why_not: str = ""


class Rehearsed(Event, frozen=True, kw_only=True, tag="rehearsed"):
    """The migrations of a release were tried on a copy of the database."""

    release: str
    rehearsal: Rehearsal


class CodeTried(Event, frozen=True, kw_only=True, tag="code_tried"):
    """A release was started on a copy of the database as it was at that moment."""

    fit: Fit


class Migrated(Event, frozen=True, kw_only=True, tag="migrated"):
    """The database carries the migrations with this digest. `was_schema` and `schema` are digests of its schema before
    and after; `is_additive` when all that was there is there as it was; `changes` says what is different."""

    release: str
    digest: str
    was_schema: str = ""
    schema: str = ""
    is_additive: bool = False
    changes: tuple[str, ...] = ()
    between: tuple[Instant, Instant] | None = None
    """When it began and when it was over, by the database's transactions, where the home's own server has it."""
    was_head: str = ""
    """What the tool calls what the database carried before ("alembic 3f2a91c"), and carries now; empty where it is not
    known."""
    head: str = ""
    is_back: bool = False
    """The migrations of `release` were run back: the database does not carry them any more."""


class DatabaseRestored(Event, frozen=True, kw_only=True, tag="database_restored"):
    """The app's database is from now on what `backup` holds (or `until`, a point in time); the one before is kept
    as `former` until the next restore."""

    backup: str
    former: str
    until: float = 0.0
