"""An agent that ends itself with kill -9 at one write of its journal.

    python dying_agent.py N before|after
    python dying_agent.py EVENT#N before|after

It counts from the first event of an act; `before` dies instead of writing the N-th time, `after` right after it. With
an event's name only the writes that hold one are counted.
"""

from __future__ import annotations

import os
import signal
import sys

from underway.agent.serve import run_agent
from underway.drivers.clock.system import SystemClock
from underway.drivers.event_log.sqlite import SqliteEventLog
from underway.journal.journal import Journal
from underway.wiring.home import find_home


class DyingLog(SqliteEventLog):
    """The real log, with an end."""

    writes = 0
    event, _, number = sys.argv[1].rpartition("#")
    at, when = int(number), sys.argv[2]

    def append(self, entries):
        counts = f'"event":"{self.event}"'.encode() if self.event else b""
        if not any(counts in text for _, _, text in entries):
            return super().append(entries)
        if self.writes or any(act for _, act, _ in entries):
            self.writes += 1
        if self.writes == self.at and self.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        lines = super().append(entries)
        if self.writes == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        return lines


home = find_home(os.environ)
os.environ["UNDERWAY_AGENT"] = home.id
run_agent(home, dict(os.environ), lambda home: Journal(DyingLog(home.journal, SystemClock())))
