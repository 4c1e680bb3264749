"""Counts and figures over time, read from one log by agents that are killed: every request in both, once."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from underway.drivers.metrics.sqlite import SqliteMetrics
from underway.drivers.request_log.caddy import CaddyRequestLog
from underway.drivers.snapshots.files import SnapshotFiles
from underway.observe.ledger import read_ledger
from underway.terms.home import Home
from underway.terms.metrics import Level, release_subject

READER = """
import sys
from pathlib import Path
from types import SimpleNamespace
from underway.drivers.clock.system import SystemClock
from underway.drivers.event_log.sqlite import SqliteEventLog
from underway.drivers.metrics.sqlite import SqliteMetrics
from underway.drivers.request_log.caddy import CaddyRequestLog
from underway.drivers.snapshots.files import SnapshotFiles
from underway.flows import books
from underway.journal.journal import Journal
from underway.terms.home import Home
books.WRITE_EVERY_S = 0.0
home = Home(root=Path(sys.argv[1]))
on = SimpleNamespace(
    clock=SystemClock(), request_log=CaddyRequestLog(home), snapshots=SnapshotFiles(home),
    metrics=SqliteMetrics(home.metrics),
)
kept = books.Books(on, Journal(SqliteEventLog(home.journal, on.clock)))
print("on", flush=True)
while True:
    kept.catch_up()
"""


def test_an_agent_that_is_killed_again_and_again_counts_every_request_once_in_both(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    home.proxy.mkdir()
    source = random.Random(7)
    written = 0

    def write(lines: int) -> None:
        nonlocal written
        with (home.proxy / "access.log").open("ab") as file:
            for _ in range(lines):
                written += 1
                line = {
                    "ts": time.time(),
                    "status": 500 if written % 5 == 0 else 200,
                    "duration": 0.01,
                    "app": "shop",
                    "release": "one",
                    "request": {"client_ip": "10.0.0.1", "method": "GET", "uri": f"/{written}"},
                }
                file.write(json.dumps(line).encode() + b"\n")

    (home.proxy / "access.log").touch()
    for turn in range(6):
        reader = subprocess.Popen([sys.executable, "-c", READER, str(tmp_path)], stdout=subprocess.PIPE)
        assert reader.stdout
        assert reader.stdout.readline() == b"on\n"
        write(300)
        if turn < 5:
            time.sleep(source.uniform(0.0, 0.03))
            reader.send_signal(signal.SIGKILL)
        else:
            deadline = time.monotonic() + 60
            while _counted(home) != written and time.monotonic() < deadline:
                time.sleep(0.02)
            reader.kill()
        reader.wait()
        reader.stdout.close()
    text = SnapshotFiles(home).load("", "traffic")
    assert text is not None
    traffic = read_ledger(text).of("shop").traffic()["one"]
    assert traffic.served + traffic.failed == written
    store = SqliteMetrics(home.metrics)
    for level in Level:
        served, failed = store.counts("shop", release_subject("one"), level, 0, time.time() + 3600)
        assert (served, failed) == (traffic.served, traffic.failed)
    assert store.place() == CaddyRequestLog(home).end()


def _counted(home: Home) -> int:
    text = SnapshotFiles(home).load("", "traffic")
    if text is None:
        return 0
    found = read_ledger(text).of("shop").traffic().get("one")
    return found.served + found.failed if found else 0
