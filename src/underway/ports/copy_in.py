from __future__ import annotations

from typing import Protocol

from underway.ports.copies import Progress, unheard
from underway.terms.copied import CopyReport


class CopyIn(Protocol):
    """Copies another database's rows into one beside the app's, in the schema that the app's own migrations made."""

    async def from_sqlite(self, app: str, path: str, progress: Progress = unheard) -> CopyReport:
        """Read the SQLite file in one transaction and load every row into a database beside the live one (what
        `Dumps.swap` makes live), then count and sum both sides. Called again for the same unchanged file, it goes on
        where it was. Memory does not grow with the rows.

        Raises `Failure` (`copy.source`, `copy.schema`, `copy.failed`); what does not fit is in the report."""
        ...
