"""Counts failed requests through switches, reloads and kills of the proxy.

    python -m bench.no_failed_requests [--quick]

The clients are strict: no retry, and a connection that closes before its answer is a failure. Real Caddy, real
uvicorn behind it, everything on loopback. Takes about a minute, with --quick fifteen seconds. Exits 1 when a request
failed in a switch or a reload, or when what was open did not end whole.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import websockets
from tests.drivers.router.proxied import HOST, Proxy, Upstream, kill, proxy, route, until, upstreams

from bench.strict_load import Broken, StrictLoad, Tally
from underway.terms.release import Slot
from underway.terms.route import AppRoute

CLIENTS = 50
STREAMS = 20
SETTLE_S = 0.1


async def _under_load(to: Proxy, keep_alive: bool, times: int, act: Callable[[int], Awaitable[None]]) -> Tally:
    async with StrictLoad(to.home.http_port, HOST, clients=CLIENTS, keep_alive=keep_alive) as load:
        await load.reaches(CLIENTS)
        for number in range(times):
            await act(number)
            await asyncio.sleep(SETTLE_S)
    return load.tally


async def _switches(to: Proxy, keep_alive: bool, times: int) -> tuple[Tally, float]:
    took: list[float] = []

    async def switch(number: int) -> None:
        began = time.perf_counter()
        to.router.set_share("shop", float(number % 2 == 0))
        took.append(time.perf_counter() - began)

    tally = await _under_load(to, keep_alive, times, switch)
    assert len(tally.bodies) == 2, "both releases answered"
    return tally, sum(took) / len(took) * 1000


async def _reloads(to: Proxy, shop: AppRoute, keep_alive: bool, times: int) -> tuple[Tally, float]:
    took: list[float] = []

    async def reload(number: int) -> None:
        began = time.perf_counter()
        assert await to.router.configure([shop, route(f"app{number}", a=shop.slots[0].ports)])
        took.append(time.perf_counter() - began)

    tally = await _under_load(to, keep_alive, times, reload)
    await to.router.configure([shop])
    return tally, sum(took) / len(took) * 1000


async def _kills(to: Proxy, keep_alive: bool, times: int) -> tuple[Tally, float]:
    took: list[float] = []

    async def end(_: int) -> None:
        pid = to.router.pid
        began = time.perf_counter()
        kill(pid)
        await until(lambda: to.router.pid not in (0, pid))
        took.append(time.perf_counter() - began)
        await asyncio.sleep(1.0)

    tally = await _under_load(to, keep_alive, times, end)
    return tally, sum(took) / len(took) * 1000


async def _socket(to: Proxy, is_over: asyncio.Event) -> int:
    """Keep a WebSocket busy until `is_over`; return how many messages went both ways. Raises when it breaks."""
    count = 0
    async with websockets.connect(f"ws://{HOST}:{to.home.http_port}/ws", host="127.0.0.1", proxy=None) as socket:
        while not is_over.is_set():
            await socket.send(str(count))
            assert await socket.recv() == f"A {count}"
            count += 1
            await asyncio.sleep(0.05)
    return count


async def _streams(to: Proxy, shop: AppRoute, seconds: float) -> dict[str, Counter[str]]:
    """Open streams and slow requests on A, switch to B, reload, and see how each ends."""
    to.router.set_share("shop", 0.0)
    is_over = asyncio.Event()
    events = int(seconds / 0.05)
    sockets = [asyncio.create_task(_socket(to, is_over)) for _ in range(STREAMS)]
    streams = [asyncio.create_task(to.get(f"/events/{events}")) for _ in range(STREAMS)]
    slow = [asyncio.create_task(to.get(f"/slow/{seconds}")) for _ in range(STREAMS)]
    async with asyncio.timeout(20):
        while await to.router.in_flight("shop", Slot.A) < 3 * STREAMS:
            await asyncio.sleep(0.01)
    to.router.set_share("shop", 1.0)
    await asyncio.sleep(seconds / 4)
    await to.router.configure([shop, route("another", a=shop.slots[0].ports)])
    ends: dict[str, Counter[str]] = {}
    for name, tasks in (("event streams", streams), ("slow requests", slow)):
        ends[name] = Counter()
        for answer in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(answer, BaseException):
                ends[name][repr(answer)] += 1
            elif name == "event streams" and answer.body.count(b"data: A") != events:
                ends[name]["cut short"] += 1
            else:
                ends[name]["whole" if answer.status == 200 else f"status {answer.status}"] += 1
    is_over.set()
    results = await asyncio.gather(*sockets, return_exceptions=True)
    ends["WebSockets"] = Counter("whole" if isinstance(each, int) else repr(each) for each in results)
    return ends


def _row(name: str, mode: str, tally: Tally, each_ms: float) -> None:
    kinds = ", ".join(f"{count} × {kind}" for kind, count in tally.failed.most_common())
    failed = f"{tally.failures}" + (f" ({kinds})" if kinds else "")
    print(
        f"| {name} | {mode} | {tally.served:,} | {failed} | {tally.quantile_ms(0.95):.0f} | {each_ms:.1f} |", flush=True
    )


async def _measure(one: Upstream, two: Upstream, folder: Path, is_quick: bool) -> bool:
    shop = route(a=(one.port,), b=(two.port,))
    switches, reloads, kills, seconds = (10, 4, 1, 1.0) if is_quick else (50, 20, 5, 5.0)
    failures = 0
    async with proxy(folder, shop) as to:
        print(f"{CLIENTS} strict clients\n")
        print("| what | clients | served | failed | p95 ms | ms each |\n|---|---|---|---|---|---|")
        for keep_alive, mode in ((True, "keep-alive"), (False, "one connection per request")):
            tally, each_ms = await _switches(to, keep_alive, switches)
            _row(f"{switches} switches", mode, tally, each_ms)
            failures += tally.failures
            tally, each_ms = await _reloads(to, shop, keep_alive, reloads)
            _row(f"{reloads} reloads", mode, tally, each_ms)
            failures += tally.failures
            _row(f"{kills} × kill -9 of the proxy", mode, *await _kills(to, keep_alive, kills))
        print("\n| through a switch and a reload | ended |\n|---|---|")
        try:
            ends = await _streams(to, shop, seconds)
        except Broken as error:
            print(f"| | {error} |")
            return False
        for name, counts in ends.items():
            print(f"| {STREAMS} {name} of {seconds:.0f} s | {', '.join(f'{n} {how}' for how, n in counts.items())} |")
            failures += counts.total() - counts["whole"]
    return failures == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    is_quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory(prefix="underway-bench-") as folder, upstreams("A", "B") as (one, two):
        return 0 if asyncio.run(_measure(one, two, Path(folder), is_quick)) else 1


if __name__ == "__main__":
    sys.exit(main())
