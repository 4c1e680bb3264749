from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from underway.manifest.migrate import Migrate
from underway.terms.migration import Script, Spotted


class MigrationsAsk(msgspec.Struct, frozen=True, kw_only=True):
    """Whose migrations to print. `env` is the whole environment of the app's processes, secrets in the clear; it must
    reach the database through a login that can only read. `was_dir` is the tree of the release that runs, empty for
    none. `is_new` when there is no database yet: everything is pending."""

    app: str
    release: str
    tree_dir: str
    migrate: Migrate
    env: Mapping[str, str]
    was_dir: str = ""
    is_new: bool = False
    timeout_s: float = 60.0


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """The migrations that the database does not carry yet, as SQL, in the order in which they would run.

    `tool` is what printed them (alembic, django, SQL files); empty when nothing could, and `why_not` says why.
    """

    tool: str = ""
    scripts: tuple[Script, ...] = ()
    why_not: str = ""


class Migrations(Protocol):
    """Reads what a release would do to its database. Nothing is applied."""

    async def pending(self, ask: MigrationsAsk) -> Pending:
        """Print what is pending, with the new release's code and environment. What cannot be printed is no error: it
        is told in `why_not`, and only trying it can tell. Raises `Failure` (`command.spawn`)."""
        ...

    async def way_back(self, ask: MigrationsAsk, was: str, now: str) -> str:
        """The shell line that takes the database from the migrations `now` back to `was` (as `Schemas.head` names
        them): what `[migrate] back` says, alembic's `downgrade`, Django's `migrate APP NAME`. Empty when nothing does.
        """
        ...

    async def spot(self, scripts: Sequence[Script], major: int = 0) -> Mapping[str, tuple[Spotted, ...]]:
        """What the linter of PostgreSQL's DDL finds, by script. `major` is the server's version, 0 for unknown.

        Raises `Failure` (`lint.squawk`)."""
        ...
