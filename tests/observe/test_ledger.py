"""The ledger: nothing lost, nothing twice, whatever is rotated, killed or written into the log."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from underway.drivers.request_log.caddy import CaddyRequestLog
from underway.drivers.snapshots.files import SnapshotFiles
from underway.manifest.failures import Failures
from underway.observe.counting import Counting
from underway.observe.ledger import HOURS_KEPT, MINUTES_KEPT, RELEASES_KEPT, Ledger, read_ledger, write_ledger
from underway.terms.home import Home
from underway.terms.route import LogOffset

from .requests import request

NOW = 1_700_000_000.0
COUNTING = Counting(Failures())


def ledger() -> Ledger:
    return Ledger(offset=LogOffset())


def test_each_release_of_each_app_has_its_own_counts() -> None:
    books = ledger()
    books.add(
        [
            request(status=500, release="one"),
            request(status=200, release="one", took_ms=100.0),
            request(status=499, release="one"),
            request(is_monitor=True, status=500, release="one"),
            request(status=200, release="two", took_ms=40.0),
            request(app="blog", release="one", status=200),
        ],
        lambda app: COUNTING,
        NOW,
    )
    shop = books.of("shop").traffic()
    assert (shop["one"].served, shop["one"].failed, shop["one"].users_touched) == (1, 1, 1)
    assert abs(shop["two"].p95_ms - 40) < 0.5
    assert books.of("blog").traffic()["one"].served == 1
    assert books.of("nobody").traffic() == {}


def test_the_rate_of_the_last_minutes_and_hours() -> None:
    books = ledger()
    minutes = [request(at=NOW - 60 * age - second) for age in range(5) for second in range(0, 60, 2)]
    books.add(minutes, lambda app: COUNTING, NOW)
    app = books.of("shop")
    assert abs(app.per_s(NOW, 240) - 0.5) < 0.03
    assert abs(app.per_s(NOW, 24 * 3600) - 150 / (24 * 3600)) < 0.0005
    assert app.per_s(NOW + 3600, 300) == 0.0


def test_it_stays_small_however_long_it_runs() -> None:
    books = ledger()
    for hour in range(24 * 60):
        at = NOW + 3600 * hour
        books.add([request(at=at, release=f"r{hour}")], lambda app: COUNTING, at)
    for minute in range(500):
        books.add([request(at=at + 60 * minute, release="last")], lambda app: COUNTING, at + 60 * minute)
    app = books.of("shop")
    assert len(app.releases) == RELEASES_KEPT
    assert "last" in app.releases
    assert (len(app.minutes), len(app.hours)) == (MINUTES_KEPT, HOURS_KEPT)
    books.add([request(at=1e300)], lambda app: COUNTING, at)
    assert max(app.minutes) <= (at + 60 * 501) // 60, "a time from the far future counts as now"


def test_it_can_be_written_down_and_read() -> None:
    books = ledger()
    books.add([request(status=500 if n % 3 else 200, took_ms=n) for n in range(100)], lambda app: COUNTING, NOW)
    assert read_ledger(write_ledger(books)) == books


def kept_text(home: Home) -> bytes | None:
    return SnapshotFiles(home).load("", "traffic")


def until(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)


READER = """
import sys
from pathlib import Path
from underway.drivers.request_log.caddy import CaddyRequestLog
from underway.drivers.snapshots.files import SnapshotFiles
from underway.manifest.failures import Failures
from underway.observe.counting import Counting
from underway.observe.ledger import Ledger, read_ledger, write_ledger
from underway.terms.home import Home
from underway.terms.route import LogOffset
home = Home(root=Path(sys.argv[1]))
log, kept, counting = CaddyRequestLog(home), SnapshotFiles(home), Counting(Failures())
text = kept.load("", "traffic")
books = read_ledger(text) if text else Ledger(offset=LogOffset())
print("on", flush=True)
while True:
    if books.catch_up(log, lambda app: counting, 1.7e9, slices=1):
        kept.save("", "traffic", write_ledger(books))
"""


def test_a_reader_that_is_killed_again_and_again_while_the_log_rotates_counts_every_line_once(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    home.proxy.mkdir()
    current = home.proxy / "access.log"
    written = failed = 0

    def write(lines: int) -> None:
        nonlocal written, failed
        with current.open("ab") as file:
            for _ in range(lines):
                status = 500 if written % 7 == 0 else 200
                failed += status == 500
                written += 1
                line = {
                    "ts": 1.7e9,
                    "status": status,
                    "duration": 0.01,
                    "app": f"shop{written % 2}",
                    "release": "one",
                    "request": {"client_ip": "10.0.0.1", "method": "GET", "uri": f"/{written}"},
                }
                file.write(json.dumps(line).encode() + b"\n")
                if written % 50 == 0:  # what a hostile client could at best make the proxy write, and half a line
                    file.write(b'{"ts":1,"app":"shop0","status":"500\n\xff\xfe\x00 not json\n{"app":"shop0"}\n[]\n')

    for turn in range(8):
        before = kept_text(home)
        reader = subprocess.Popen([sys.executable, "-c", READER, str(tmp_path)], stdout=subprocess.PIPE)
        try:
            assert reader.stdout is not None
            assert reader.stdout.readline() == b"on\n"
            for part in range(4):
                write(300)
                current.rename(home.proxy / f"access-2026-01-01T00-00-{turn:02}.{part:03}-size.log")
                write(200)
            if turn % 2:  # the others are killed at whatever they are at
                until(lambda before=before: kept_text(home) != before)
        finally:
            reader.send_signal(signal.SIGKILL)
            reader.wait()
    log, kept = CaddyRequestLog(home), SnapshotFiles(home)
    text = kept.load("", "traffic")
    books = read_ledger(text) if text else Ledger(offset=LogOffset())
    while books.catch_up(log, lambda app: COUNTING, NOW):
        pass
    found = [books.of(app).traffic()["one"] for app in ("shop0", "shop1")]
    assert sum(it.failed for it in found) == failed
    assert sum(it.served + it.failed for it in found) == written == 8 * 4 * 500


def test_a_new_file_with_the_number_of_a_dropped_one_is_read_from_its_start(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    home.proxy.mkdir()
    line = {"ts": 1.7e9, "status": 200, "duration": 0.01, "app": "shop", "release": "one"}

    def write(number: int) -> None:
        asked = {"client_ip": "10.0.0.1", "method": "GET", "uri": f"/{number}"}
        text = json.dumps({"level": f"info{number}", **line, "request": asked}) + "\n"
        (home.proxy / "access.log").write_text(text * 3)

    log = CaddyRequestLog(home)
    write(1)
    _, offset = log.read(LogOffset())
    write(2)  # the same inode, as if the old file had been dropped and its number given to a new one
    requests, _ = log.read(offset)
    assert [one.path for one in requests] == ["/2"] * 3
