"""The home's ledger of requests, read on from where the agent before this one had written it down."""

from __future__ import annotations

import contextlib

import msgspec

from underway.flows.counting import counting_of
from underway.journal.journal import Journal
from underway.observe.counting import Counting
from underway.observe.ledger import AppLedger, Ledger, read_ledger, write_ledger
from underway.ports.drivers import Drivers

_NAME = "traffic"
WRITE_EVERY_S = 10.0
"""An agent that is killed reads so much again: cheap, and it spares the disk."""


class Books:
    """One per agent. Counts are as of the last `catch_up`."""

    def __init__(self, on: Drivers, journal: Journal) -> None:
        self._on = on
        self._journal = journal
        kept = self._kept()
        self._ledger = kept or Ledger(offset=on.request_log.end())
        self._written_at = on.clock.monotonic()
        self._is_new = False
        if kept is None:  # an agent that is killed before its first writing has begun here, not at the next one's start
            self.write()

    def catch_up(self) -> None:
        """Count what the proxy has logged by now (a busy log in parts), and write it down now and then."""
        grew = self._ledger.catch_up(self._on.request_log, self._counting, self._on.clock.now())
        self._is_new = self._is_new or grew
        if self._is_new and self._on.clock.monotonic() - self._written_at >= WRITE_EVERY_S:
            self.write()

    def write(self) -> None:
        """Counts and place in the log, in one step. A disk that is full is told of by the journal already."""
        with contextlib.suppress(OSError):
            self._on.snapshots.save("", _NAME, write_ledger(self._ledger))
            self._is_new = False
        self._written_at = self._on.clock.monotonic()

    def of(self, app: str) -> AppLedger:
        return self._ledger.of(app)

    def per_s(self, app: str, over_s: float = 600.0) -> float:
        """Requests of the app's users per second lately."""
        return self.of(app).per_s(self._on.clock.now(), over_s)

    def _counting(self, app: str) -> Counting:
        return counting_of(self._journal.state(app))

    def _kept(self) -> Ledger | None:
        text = self._on.snapshots.load("", _NAME)
        try:
            return read_ledger(text) if text is not None else None
        except msgspec.DecodeError:  # of a make that counted otherwise: begin anew
            return None
