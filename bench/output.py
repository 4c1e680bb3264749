"""What it costs to keep what apps write: lines a second of one core, bytes of each, how long a search takes; and what a
request costs the watch for security events.

    .venv/bin/python -m bench.output [LINES]
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from underway.drivers.output.sqlite import SqliteOutput
from underway.security.watch import Watch
from underway.terms.home import Home
from underway.terms.output import LineAsk, Writer
from underway.terms.route import Request

LINES = 100_000
_RANDOM = random.Random(1)


def access_line(number: int) -> str:
    """As uvicorn writes them."""
    address = f"10.0.{_RANDOM.randrange(255)}.{_RANDOM.randrange(255)}:{_RANDOM.randrange(60_000)}"
    return f'INFO:     {address} - "GET /items/{_RANDOM.randrange(100_000)} HTTP/1.1" 200 OK'


def json_line(number: int) -> str:
    """As structlog or pino write them."""
    return (
        f'{{"time":{time.time():.3f},"level":"info","msg":"order {_RANDOM.randrange(10**6)} paid",'
        f'"user":{{"id":{_RANDOM.randrange(10**5)},"name":"ana"}},"trace_id":"{_RANDOM.getrandbits(128):032x}"}}'
    )


def trace_line(number: int) -> str:
    """Every tenth line is of a traceback of four lines, as a bad day has them."""
    at = number % 40
    lines = (
        "Traceback (most recent call last):",
        '  File "/srv/shop/pay.py", line 3, in pay',
        "    x",
        "KeyError: 'x'",
    )
    return lines[at] if at < 4 else access_line(number)


def kept(name: str, line: Callable[[int], str], count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        home.logs("shop").mkdir(parents=True)
        log = home.process_log("shop", "web", 0, "a")
        log.write_text("".join(f"{line(number)}\n" for number in range(count)))
        output = SqliteOutput(home)
        writers = [Writer("shop", "web", 0, "6agp4y187x", log.name, 0)]
        cpu, taken = time.process_time(), 0
        while (got := output.take("shop", writers, time.time())).lines or got.is_more:
            taken += got.lines
        cpu = time.process_time() - cpu
        size = output.size_bytes("shop")
        share = 100 * 5000 * cpu / taken
        print(f"{name}: {taken / cpu:,.0f} lines a second of one core ({share:.1f} % of a core at 5,000 a second),")
        print(f"    {size / taken:.0f} bytes a line ({log.stat().st_size / taken:.0f} written)")
        for query in ("99999", "items 777", "paid order", "nothing-of-this"):
            began = time.perf_counter()
            found = output.lines("shop", LineAsk(query=query))
            print(f"    {query!r}: {len(found)} lines in {1000 * (time.perf_counter() - began):.1f} ms")
        output.close()


def watched(count: int) -> None:
    requests = [
        Request(
            at=1.0,
            app="shop",
            release="r",
            slot="a",
            method="GET",
            path=f"/items/{number}",
            status=200,
            took_ms=2.0,
            upstream_ms=1.0,
            upstream="u",
            retries=0,
            client="aa",
            is_monitor=False,
            ip="203.0.113.9",
        )
        for number in range(1000)
    ]
    watch, began = Watch(), time.process_time()
    for _ in range(count // 1000):
        for request in requests:
            watch.heard(request)
    print(f"security: {1e6 * (time.process_time() - began) / count:.2f} µs of a request that nobody minds")


if __name__ == "__main__":
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else LINES
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    kept("plain", access_line, lines)
    kept("JSON", json_line, lines)
    kept("with tracebacks", trace_line, lines)
    watched(10 * lines)
