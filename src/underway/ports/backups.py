from __future__ import annotations

from typing import Protocol

from underway.ports.copies import PartFile
from underway.terms.backup import Backup, Kept, Proof
from underway.terms.secret import Secret


class BackupStore(Protocol):
    """The backups of a home on its own disk: a folder each, listed only once it is whole."""

    def begin(self, app: str, backup_id: str) -> str:
        """Make the folder that the parts are written into and return its path. `all` does not see it."""
        ...

    def finish(self, backup: Backup) -> None:
        """Write the manifest beside the parts and list the backup from now on: in one step, synced to the disk.

        Raises `Failure` (`backup.disk-full`, `backup.unwritable`)."""
        ...

    def abandon(self, app: str, backup_id: str = "") -> int:
        """Remove what was begun and not finished: this one, or all that a former agent left. Return how many."""
        ...

    def all(self, app: str) -> tuple[Kept, ...]:
        """Newest first. One whose manifest cannot be read is listed as damaged, never left out."""
        ...

    def file(self, app: str, backup_id: str, file: str, identity: Secret | None = None) -> PartFile:
        """A part where it lies. Raises `Failure` (`backup.unknown`)."""
        ...

    async def damage(self, app: str, backup_id: str) -> str:
        """Compare size and checksum of every part with the manifest; say what is wrong, empty when nothing is."""
        ...

    def note(self, app: str, backup_id: str, *, proof: Proof | None = None, damage: str = "", copy: str = "") -> None:
        """Keep beside the backup what was found out about it."""
        ...

    def remove(self, app: str, backup_id: str) -> int:
        """Remove it; return the bytes freed. Removing what is not there is fine."""
        ...


class Seals(Protocol):
    """age keys (age-encryption.org/v1): whom backups are encrypted for."""

    def new_identity(self) -> Secret: ...

    def recipient_of(self, identity: Secret) -> str:
        """The public half. Raises `Failure` (`backup.key`) for what is no identity."""
        ...
