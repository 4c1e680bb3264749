from __future__ import annotations

from typing import Protocol


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

    async def pull(self, app: str, backup_id: str, remote: str) -> None:
        """Fetch a backup from there into the home's own, whole or not at all."""
        ...
