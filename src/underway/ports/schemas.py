from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Protocol

import msgspec

from underway.ports.services import DatabaseAddress
from underway.terms.migration import TableNow
from underway.terms.secret import Secret
from underway.terms.shape import Shape


class Purpose(Enum):
    """What a login is for. Its limits hold in every session, whatever driver the app uses."""

    LOOK = "look"
    """Reads only: a statement that would write fails."""
    MIGRATE = "migrate"
    """Changes the schema as the app's own role, and gives up waiting for a lock after a while."""


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A way into an app's database."""

    address: DatabaseAddress
    password: Secret


class Schemas(Protocol):
    """The schema of an app's database on the home's own server: what it is, and who may change it."""

    async def major(self) -> int:
        """The server's major version. Starts the server, with its `Failure`s."""
        ...

    async def tables(self, app: str) -> Mapping[str, TableNow]:
        """Every table that is not the system's, by its name; with its schema where that is not `public`.

        Raises `Failure` (`postgres.schema`)."""
        ...

    async def shape(self, app: str) -> Shape:
        """The schema as it is now. Raises `Failure` (`postgres.schema`)."""
        ...

    async def head(self, app: str) -> str:
        """What the migrations call what the database carries: "alembic 3f2a91c", "django auth.0012_x,shop.0003_y",
        "prisma 20240101_add_users". Empty when none is known by its tables. Raises `Failure` (`postgres.schema`)."""
        ...

    async def size_bytes(self, app: str) -> int:
        """Of the whole database. Raises `Failure` (`postgres.schema`)."""
        ...

    async def open_login(
        self, app: str, purpose: Purpose, password: Secret, *, lock_timeout_s: float, statement_timeout_s: float
    ) -> Login:
        """Make the login where missing and give it these limits (0: none). What it makes belongs to the app's role.

        Raises `Failure` (`postgres.login`)."""
        ...

    async def close_login(self, app: str, purpose: Purpose) -> None:
        """End its sessions and let nobody in by it. Closing what was never opened is fine."""
        ...
