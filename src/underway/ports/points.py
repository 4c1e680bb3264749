from __future__ import annotations

from typing import Protocol

from underway.terms.backup import Part


class Points(Protocol):
    """Every moment of the home's PostgreSQL server, not only those of its backups: base copies of the whole server,
    and its log as it is written. Only what is committed is recovered, and only one app's database of it."""

    async def keep(self) -> None:
        """Receive the server's log from now on, and go on with that after every crash. Idempotent.

        Raises `Failure` (`points.start`)."""
        ...

    async def detach(self) -> None:
        """Stop watching the receiver and leave it running (the agent ends)."""
        ...

    async def stop(self) -> None: ...

    async def base(self) -> float:
        """Make a base copy and return its time; keep the newest two, and the log since the older of them.

        Raises `Failure` (`points.base`)."""
        ...

    def span(self) -> tuple[float, float] | None:
        """The earliest moment that can be recovered, and the time of the newest base; None when there is none."""
        ...

    async def recover(self, app: str, until: float, folder: str, recipients: tuple[str, ...]) -> Part:
        """Recover the server as it was at `until` (seconds since the epoch) somewhere else, and dump the app's
        database from it into `folder`. Raises `Failure` (`points.no-base`, `points.recover`)."""
        ...
