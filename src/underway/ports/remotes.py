from __future__ import annotations

from typing import Protocol

from underway.terms.backup import Backup


class Remotes(Protocol):
    """Places off this machine that hold copies of backups. A place is written as rclone writes it: `s3:bucket/folder`.

    Every method raises `Failure` (`remote.unreachable`, `remote.refused`, `remote.full`, `remote.differs`).
    """

    async def push(self, app: str, backup_id: str, remote: str) -> None:
        """Copy a backup there, the manifest last, and compare what lies there with what lies here. Repeating it
        copies only what is missing."""
        ...

    async def held(self, app: str, remote: str) -> tuple[str, ...]:
        """The ids of the whole backups there, newest first."""
        ...

    async def read(self, app: str, backup_id: str, remote: str) -> Backup:
        """The manifest of a backup there."""
        ...

    async def remove(self, app: str, backup_id: str, remote: str) -> None:
        """Remove a backup there, its manifest first: what is half removed is no backup. Removing what is not there is
        fine."""
        ...

    async def pull(self, app: str, backup_id: str, remote: str) -> None:
        """Fetch a backup from there into the home's own, whole or not at all."""
        ...
