"""Alerts are told from the journal: an agent that is killed at any moment loses none and names none twice."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from underway.drivers.clock.system import SystemClock
from underway.drivers.event_log.sqlite import SqliteEventLog
from underway.journal.events.alerts import MessageSent
from underway.journal.journal import Journal

AGENT = """
import asyncio, sys
from pathlib import Path
from types import SimpleNamespace
from underway.agent import alerting
from underway.drivers.channels.channels import Telling
from underway.drivers.clock.system import SystemClock
from underway.drivers.event_log.sqlite import SqliteEventLog
from underway.flows.alert import clear_alert, raise_alert

from underway.journal.journal import Journal

from underway.terms.problem import Problem


from underway.terms.secret import Secret

alerting.TELL_EVERY_S = 0.01
root, port, alerts = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
clock = SystemClock()
journal = Journal(SqliteEventLog(root / "journal.db", clock))
KEYS = {"KEY": Secret("s" * 20)}
VAULT = SimpleNamespace(values=lambda app, layer="own": KEYS if layer == "own" else {}, kept=lambda app, layer: {})
on = SimpleNamespace(
    clock=clock, channels=Telling(clock), vault=VAULT
)
MANIFEST = f'''
app = "shop"
[processes]
web = "true"
[[alerts.channels]]
name = "team"
url = "http://127.0.0.1:{port}/"
key = "${{KEY}}"
private = true
'''
if not journal.state("shop").live:
    from tests.flows.releases import live_release
    live_release(journal, "shop", MANIFEST)
def raise_next():
    done = len(journal.state("shop").alerts.over) + len(journal.state("shop").alerts.standing)
    if done < alerts:
        raise_alert("shop", f"matter {done}", Problem(code="x.y", where="shop", why="w", remedy="r"), journal)
async def main():
    alerting_ = alerting.Alerting(on, journal, None, None, lambda: False, lambda state: [])
    telling = asyncio.create_task(alerting_.tell())
    print("on", flush=True)
    while True:
        raise_next()
        book = journal.state("shop").alerts
        for key, alert in list(book.standing.items()):
            if alert.told:
                clear_alert("shop", key, "well", journal)
        await asyncio.sleep(0.005)
asyncio.run(main())
"""
ALERTS = 40
"""More than an agent raises in its first quarter of a second."""


class Inbox(BaseHTTPRequestHandler):
    got: list[tuple[str, str, tuple[str, ...]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        ids = tuple(alert["id"] for alert in body["alerts"])
        type(self).got.append((self.headers["webhook-id"], body["type"], ids))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def test_no_alert_is_lost_or_told_under_two_names_through_kill_9(tmp_path: Path) -> None:
    Inbox.got = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Inbox)
    Thread(target=server.serve_forever, daemon=True).start()
    source = random.Random(5)
    kills = 0
    deadline = time.monotonic() + 120
    words = [sys.executable, "-c", AGENT, str(tmp_path), str(server.server_port), str(ALERTS)]
    while time.monotonic() < deadline:
        agent = subprocess.Popen(words, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
        assert agent.stdout
        assert agent.stdout.readline() == b"on\n"
        began = time.monotonic()
        life_s = source.uniform(0.02, 0.25) if kills < 6 else 30.0
        while time.monotonic() - began < life_s and not _all_over(tmp_path):
            time.sleep(0.01)
        agent.send_signal(signal.SIGKILL)
        agent.wait()
        agent.stdout.close()
        kills += 1
        if _all_over(tmp_path):
            break
    server.shutdown()
    server.server_close()
    assert kills >= 2
    journal = Journal(SqliteEventLog(tmp_path / "journal.db", SystemClock()))
    raised = {alert.id for alert in journal.state("shop").alerts.over}
    assert len(raised) == ALERTS
    by_name = {}
    for name, what, ids in Inbox.got:
        assert by_name.setdefault(name, (what, ids)) == (what, ids), "one name, one content"
    for what in ("alert.raised", "alert.cleared"):
        told = Counter(each for name, (of, ids) in by_name.items() if of == what for each in ids)
        assert told == Counter(raised), "each alert under exactly one name"
    sent = [it.event.message for it in journal.read() if isinstance(it.event, MessageSent)]
    assert sorted(sent) == sorted(set(sent))
    assert set(sent) == set(by_name)


def _all_over(root: Path) -> bool:
    journal = Journal(SqliteEventLog(root / "journal.db", SystemClock()))
    book = journal.state("shop").alerts
    is_told = all({"raised", "cleared"} <= {it.what for it in alert.told} for alert in book.over)
    return len(book.over) == ALERTS and not book.standing and is_told
