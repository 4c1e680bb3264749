"""What keeping apps up costs, and how exact it is: `python -m bench.keeping quantiles | query | monitors`."""

from __future__ import annotations

import asyncio
import bisect
import os
import random
import sys
import tempfile
import time
from array import array
from pathlib import Path
from types import SimpleNamespace

from underway.agent.monitoring import Monitoring, Watched
from underway.drivers.asks.asks import Asking
from underway.drivers.clock.system import SystemClock
from underway.drivers.metrics.sqlite import SqliteMetrics
from underway.manifest.monitor import MonitorKeys
from underway.observe.figures import figures
from underway.terms.metrics import Level, Point, monitor_subject, release_subject
from underway.terms.route import LogOffset
from underway.terms.sketch import Sketch
from underway.uptime.judge import Quorum

SAMPLES, PARTS = 10_000_000, 100
MONITORS, INTERVAL_S, SECONDS = 1_000, 10.0, 60.0


def quantiles() -> None:
    """Ten million heavy-tailed times (Pareto, shape 1.2) in a hundred sketches, merged in two orders."""
    source, parts, every = random.Random(11), [Sketch() for _ in range(PARTS)], array("d")
    for number in range(SAMPLES):
        took_ms = 2.0 * source.paretovariate(1.2)
        parts[number % PARTS].add(took_ms)
        every.append(took_ms)
    exact = sorted(every)
    forwards, backwards = Sketch(), Sketch()
    for part in parts:
        forwards.merge(part)
    for part in reversed(parts):
        backwards.merge(part)
    print(f"{SAMPLES:,} samples; the order of merging changes {'nothing' if forwards == backwards else 'SOMETHING'}")
    for q in (0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999):
        is_ms, was_ms = forwards.quantile_ms(q), exact[int(q * (SAMPLES - 1))]
        print(
            f"p{100 * q:g}: exact {was_ms:,.3f} ms, sketch {is_ms:,.3f} ms, {100 * abs(is_ms / was_ms - 1):.2f} % off"
        )


def query() -> None:
    """A month of one busy app: the bytes it takes, and how long a query over 30 days takes."""
    with tempfile.TemporaryDirectory() as folder:
        store, source, now = SqliteMetrics(Path(folder) / "metrics.db"), random.Random(3), time.time()
        for level, seconds in ((Level.MINUTE, 30 * 86_400), (Level.FINE, 2 * 86_400)):
            for back in range(0, seconds, level.value):
                point = Point(served=100)
                for _ in range(100):
                    point.took.add(source.lognormvariate(3, 1))
                store.put("shop", release_subject("one"), now - back, point)
        store.write(LogOffset())
        store.prune(now)
        took = []
        for _ in range(7):
            began = time.process_time()
            figures(store, "shop", now - 30 * 86_400, now)
            took.append(1000 * (time.process_time() - began))
        megabytes = store.size_bytes() / 1e6
        print(f"{megabytes:.1f} MB; 30 days: {sorted(took)[3]:.1f} ms of processor time (median of 7)")


async def monitors() -> None:
    """A thousand monitors of one page at ten seconds each: the processor they take, and how late the latest was."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    receiving, sending = os.pipe()
    if not (child := os.fork()):

        async def answer() -> None:
            server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1000)
            os.write(sending, b"%d\n" % server.sockets[0].getsockname()[1])
            await asyncio.sleep(SECONDS + 30)

        asyncio.new_event_loop().run_until_complete(answer())
        os._exit(0)
    try:
        port = int(await asyncio.to_thread(os.read, receiving, 20))
        with tempfile.TemporaryDirectory() as folder:
            clock, store = SystemClock(), SqliteMetrics(Path(folder) / "metrics.db")
            snapshots = SimpleNamespace(load=lambda *_: None, save=lambda *_: None)
            on = SimpleNamespace(clock=clock, asks=Asking(clock), metrics=store, snapshots=snapshots)
            states: dict[str, object] = {}
            journal = SimpleNamespace(
                states=lambda: states, state=lambda app: SimpleNamespace(app=app, is_in_maintenance=False)
            )
            watching = Monitoring(on, journal, lambda: False)
            watching._look = lambda: None
            for number in range(MONITORS):
                keys = MonitorKeys(
                    name=f"m{number}", target=f"http://127.0.0.1:{port}/", interval_s=INTERVAL_S, private=True
                )
                it = watching.watched["shop", keys.name] = Watched("shop", keys, None, Quorum(), "UTC")
                bisect.insort(watching._due, (watching._next(it, clock.monotonic()), ("shop", keys.name)))
            task = asyncio.create_task(watching.go())
            cpu, began, late = time.process_time(), time.monotonic(), 0.0
            while time.monotonic() - began < SECONDS:
                await asyncio.sleep(0.5)
                late = max(late, *(it.late_s for it in watching.watched.values()))
                if int(time.monotonic() - began) % 10 == 0:
                    store.write(LogOffset())
            share = (time.process_time() - cpu) / (time.monotonic() - began)
            task.cancel()
            counts = [
                store.counts("shop", monitor_subject(f"m{number}"), Level.HOUR, 0, time.time() + 3600)
                for number in range(MONITORS)
            ]
            made, failed = sum(map(sum, counts)), sum(each[1] for each in counts)
            fewest = min(sum(each) for each in counts)
            print(f"{made:,} checks ({failed} failed, at least {fewest} of each monitor) in {SECONDS:g} s")
            print(f"{100 * share:.1f} % of a core; the latest began {late:.2f} s late (interval {INTERVAL_S:g} s)")
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)  # noqa: ASYNC222 - it was killed


if __name__ == "__main__":
    words = sys.argv[1:] or ["quantiles", "query", "monitors"]
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    for word in words:
        if word == "monitors":
            asyncio.run(monitors())
        else:
            {"quantiles": quantiles, "query": query}[word]()
