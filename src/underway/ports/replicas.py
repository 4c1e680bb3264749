from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from underway.terms.backup import Part
from underway.terms.database_health import Follower


class Replicas(Protocol):
    """Every moment of the SQLite databases in apps' shared storage, not only those of their backups."""

    async def keep(self, wanted: Mapping[str, tuple[str, ...]]) -> None:
        """Replicate the SQLite databases below these shared paths, by app, from now on, and no others.

        Idempotent, and to be called now and then: a database that appeared or took another's place since is taken up
        then. With nothing wanted nothing runs. Raises `Failure` (`replicas.start`)."""
        ...

    async def pause(self) -> None:
        """Let go of the files, because they are about to be replaced; the next `keep` goes on."""
        ...

    async def detach(self) -> None:
        """Stop watching what replicates and leave it running (the agent ends)."""
        ...

    def behind(self, app: str) -> tuple[Follower, ...]:
        """How far what is kept of each database is behind it, in seconds."""
        ...

    def held(self, app: str, until: float) -> tuple[str, ...]:
        """The databases, as paths in the app's shared storage, that can be recovered as they were at `until`."""
        ...

    async def recover(self, app: str, source: str, until: float, folder: str, recipients: tuple[str, ...]) -> Part:
        """Recover `source` as it was at `until` (seconds since the epoch; to within a second before it) somewhere
        else, and pack it into `folder`. Raises `Failure` (`replicas.recover`)."""
        ...
