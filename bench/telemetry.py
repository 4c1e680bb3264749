"""What reading the access log costs: `python -m bench.telemetry`.

A log with lines as the proxy writes them (six releases of three apps, 3,000 clients, 1 % failures) is read the way the
agent reads it: into the home's ledger, and while a release is rolled out also into the deploy's tally and the guard's
evidence. Shown is processor time, not elapsed time, so that other work on the machine changes little.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from random import Random

from bench.report import machine, options, put, table
from underway.drivers.request_log.caddy import CaddyRequestLog
from underway.guard.evidence import Baseline, Outcome
from underway.guard.observe import begin, observe, tick
from underway.guard.policy import Policy
from underway.manifest.failures import Failures
from underway.observe.chronicle import Chronicle
from underway.observe.counting import Counting, Kind
from underway.observe.ledger import Ledger, read_ledger, write_ledger
from underway.observe.traffic import Tally
from underway.terms.home import Home
from underway.terms.route import LogOffset

RATE = 5_000
GOAL = 0.25
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"


def write_log(path: Path, lines: int) -> None:
    chance = Random(1)
    with path.open("w") as log:
        for number in range(lines):
            app, visitor = f"shop{chance.randrange(3)}", chance.randrange(3_000)
            line = {
                "level": "info",
                "ts": 1_700_000_000 + number / RATE,
                "logger": "http.log.access.apps",
                "msg": "handled request",
                "request": {
                    "client_ip": f"10.0.{visitor // 250}.{visitor % 250}",
                    "method": "GET",
                    "host": f"{app}.localhost:8080",
                    "uri": f"/products/{chance.randrange(500)}/reviews",
                },
                "duration": chance.lognormvariate(-3, 0.6),
                "size": 1_822,
                "status": 500 if chance.random() < 0.01 else 200,
                "app": app,
                "slot": "b" if visitor % 20 == 0 else "a",
                "release": f"06fh2k{'bb' if visitor % 20 == 0 else 'aa'}{app}",
                "upstream": "127.0.0.1:21001",
                "upstream_ms": 12.8,
                "retries": 0,
                "bucket": f"{visitor * 21:04x}",
                "agent": f"{_BROWSER} {visitor % 40}",
                "probe": "",
                "share": "0ccc",
            }
            log.write(json.dumps(line, separators=(",", ":")) + "\n")


def into_ledger(log: CaddyRequestLog, counting: Counting) -> tuple[float, Ledger]:
    ledger = Ledger(offset=LogOffset())
    began = time.process_time()
    while ledger.catch_up(log, lambda app: counting, 1_700_000_000.0):
        pass
    return time.process_time() - began, ledger


def into_rollout(log: CaddyRequestLog, counting: Counting) -> float:
    policy = Policy()
    state = begin(policy, Baseline(arrived=600.0 * RATE, over_s=600.0), 0.0)
    tally, chronicle, offset, seen = Tally("shop0", LogOffset()), Chronicle(), LogOffset(), 0
    began = time.process_time()
    tally.catch_up(log, counting)
    while True:
        requests, offset = log.read(offset)
        if not requests:
            return time.process_time() - began
        for request in requests:
            if request.app != "shop0":
                continue
            kind = counting.kind(request)
            chronicle.side(request.slot == "b").add(request, kind)
            observe(
                policy,
                state,
                Outcome(
                    is_candidate=request.slot == "b",
                    weight=0.05,
                    failed=kind is Kind.FAILED,
                    latency_ms=request.took_ms,
                    client=request.client,
                ),
            )
        seen += len(requests)
        tick(policy, state, seen / RATE)
        chronicle.note(seen / RATE, 0.05, ())


def main() -> None:
    wanted, on = options(__doc__), machine()
    lines = 40_000 if wanted.quick else 200_000
    counting = Counting(Failures(exclude=("/metrics", "GET /export/*")), "/health")
    with tempfile.TemporaryDirectory() as folder:
        home = Home(root=Path(folder))
        home.proxy.mkdir()
        write_log(home.proxy / "access.log", lines)
        size = (home.proxy / "access.log").stat().st_size
        log = CaddyRequestLog(home)
        at_rest, ledger = into_ledger(log, counting)
        rolling = at_rest + into_rollout(log, counting)
    text = write_ledger(ledger)
    began = time.process_time()
    read_ledger(write_ledger(ledger))
    there_and_back_ms = 1e3 * (time.process_time() - began)
    spent = (("agent at rest: the ledger", at_rest), ("during a rollout: ledger, tally, evidence, record", rolling))
    rows = [(name, f"{1e6 * took / lines:.1f} µs", f"{100 * took / lines * RATE:.1f} %") for name, took in spent]
    result = (
        table(("reader", "one request", f"of a core at {RATE:,} requests/s"), rows)
        + f"\n\n{lines:,} lines of {size / lines:.0f} bytes. The ledger of 6 releases is {len(text) / 1000:.0f} kB,"
        f" written and read in {there_and_back_ms:.1f} ms, every ten seconds. The goal is {GOAL:.0%} of a core."
    )
    print(result)
    put(wanted.write, "telemetry", "Reading the access log", "python -m bench.telemetry", on, result)


if __name__ == "__main__":
    main()
