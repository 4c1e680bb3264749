from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from underway.ports.services import DatabaseAddress
from underway.terms.backup import Measured, Part
from underway.terms.secret import Secret
from underway.terms.since import Since

Progress = Callable[[int, int], None]
"""Hears how many bytes are done and of how many (0 when that is not known)."""


def unheard(done: int, of: int) -> None:
    """A `Progress` that tells nobody."""


@dataclass(frozen=True)
class PartFile:
    """A part of a backup where it lies. `identity` opens it when it is encrypted (an age identity)."""

    path: str
    part: Part
    identity: Secret | None = None

    @property
    def is_encrypted(self) -> bool:
        return self.path.endswith(".age")


@dataclass(frozen=True)
class Scratch:
    """A database to try things in. `id` names it for `drop`; `password` is that of its role.

    `server` is for people: "PostgreSQL 15.18 (system)". `how` says how it was made: "restored", "cloned from a
    template", "copied". `took_s` is how long that took.
    """

    id: str
    app: str
    at: DatabaseAddress
    password: Secret
    server: str
    how: str
    took_s: float


class Dumps(Protocol):
    """Copies of an app's PostgreSQL database: taken while it is in use, put back without a moment half-done."""

    async def dump(self, app: str, folder: str, recipients: tuple[str, ...] = (), progress: Progress = unheard) -> Part:
        """`pg_dump -Fc` into `folder`, 0600 and synced, with counts and schema of the same snapshot.

        Encrypted on its way to the disk when there are recipients. Raises `Failure` (`postgres.dump`,
        `backup.disk-full`, `backup.empty`); nothing half-written stays."""
        ...

    async def read_through(self, file: PartFile) -> None:
        """Read the whole dump as a restore would, without a server.

        Raises `Failure` (`backup.empty`, `backup.not-a-dump`, `backup.damaged`, `backup.key`,
        `backup.server-newer`)."""
        ...

    async def restore_beside(self, app: str, file: PartFile, progress: Progress = unheard) -> Measured:
        """Restore into a database beside the app's live one, which nobody uses; what was there is replaced.

        Raises `Failure` (`postgres.restore` and those of `read_through`)."""
        ...

    async def swap(self, app: str, former: str) -> None:
        """Make the restored database the live one: sessions of the app are ended, two names change at once. The
        replaced database is kept under the name `former` gives it. Done already, it changes nothing."""
        ...

    async def swap_back(self, app: str, former: str) -> None:
        """Make the database kept as `former` the live one again and drop the other. Done already, nothing."""
        ...

    async def drop_former(self, app: str, former: str) -> None: ...

    async def measure(self, app: str) -> Measured:
        """What the live database holds now. Raises `Failure` (`postgres.measure`)."""
        ...


class Scratches(Protocol):
    """Databases beside no live one: a server of their own to drill a backup, a clone to rehearse a migration."""

    async def restore(self, app: str, file: PartFile, progress: Progress = unheard) -> tuple[Scratch, Measured]:
        """Start a scratch server that can read the dump and restore it there. Raises `Failure`s of `Dumps`."""
        ...

    async def clone(self, app: str, password: Secret) -> Scratch:
        """A copy of the app's live database as it is now, on the home's own server and with the app's own role (so
        `password` is that of the app), as quickly as can be: by `CREATE DATABASE … TEMPLATE` where nobody is connected
        to it, else by a dump that goes straight into it. Raises `Failure` (`postgres.clone`)."""
        ...

    async def measure(self, scratch: Scratch) -> Measured: ...

    async def drop(self, scratch: Scratch) -> None:
        """End its sessions and remove it with its server. Removing what is not there is fine."""
        ...

    async def sweep(self) -> int:
        """Remove the scratch servers that a former agent left; return how many."""
        ...

    async def sweep_clones(self) -> int:
        """Drop the clones that a former agent left on the home's own server; return how many."""
        ...

    async def detach(self) -> None:
        """Leave the scratch servers and stop watching them (the agent ends): the next agent sweeps them."""
        ...


class FileCopies(Protocol):
    """Copies of what an app keeps in its shared storage: SQLite files as databases, all else as files."""

    async def take(
        self,
        app: str,
        source: str,
        folder: str,
        recipients: tuple[str, ...] = (),
        *,
        only_databases: bool = False,
        progress: Progress = unheard,
    ) -> Part | None:
        """Copy the shared path `source` into `folder`: an SQLite file by its online backup, in one transaction of
        its own; a folder as `tar` with zstd. None where there is nothing yet, or no database and only those are
        wanted. Raises `Failure` (`backup.copy`, `backup.disk-full`); nothing half-written stays."""
        ...

    async def read_through(self, file: PartFile) -> Measured:
        """Unpack it somewhere, see what it holds, and remove that again. Raises `Failure` (`backup.damaged`,
        `backup.key`, `backup.disk-full`)."""
        ...

    async def restore_beside(self, app: str, file: PartFile, progress: Progress = unheard) -> Measured:
        """Unpack it beside what is live. Raises `Failure`s of `read_through`."""
        ...

    async def since(self, app: str, files: Sequence[PartFile]) -> Since:
        """What was written to the app's SQLite databases since these parts of a backup were made: every row is
        compared, all in ten seconds at most, and what does not fit into them is named. What a migration wrote counts
        with it.

        Raises `Failure`s of `read_through`."""
        ...

    async def swap(self, app: str, source: str, former: str) -> None:
        """Put it in the place of the live one, which is kept under the name `former` gives it. The app must not run.
        Done already, it changes nothing."""
        ...

    async def swap_back(self, app: str, source: str, former: str) -> None: ...

    async def drop_former(self, app: str, source: str, former: str) -> None: ...
