"""Counts failed requests while a FastAPI app is deployed again and again, switched, routed anew and given a neighbour.

    python -m bench.deploys [--quick] [--write docs/benchmarks.md]

Fifty strict clients ask all the time, half of them with POST (which nobody may send twice): once over kept-alive
connections, once with a connection for each request. Takes about eight minutes, with --quick one. Exits 1 when a
request failed or a deploy did not end live.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.journeys.world import World, make_world

from bench.report import machine, options, put, spread, table
from underway.load.strict import StrictLoad, Tally

APP, NEIGHBOUR = "streams", "plain"
CLIENTS = 50
PAUSE_S = 0.05
"""Between two requests of a client: kept-alive connections are idle most of the time, as those of people are."""
HEAD = ("what", "clients", "served", "failed", "p50 ms", "p95 ms", "each")
MODES = ((True, "keep-alive"), (False, "one connection per request"))


@dataclass
class Run:
    """One measurement: what the clients saw, how long each act took, and the app's releases that answered."""

    tally: Tally = field(default_factory=Tally)
    took_s: list[float] = field(default_factory=list)


class Bench:
    """A home with the app live in it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.path: Path = world.app(APP, like="streams")
        self.neighbour: Path = world.app(NEIGHBOUR, like="plain")
        self.manifest = (self.path / "underway.toml").read_text()
        self.releases: list[str] = []
        self._count = 0

    def deploy(self, manifest: str = "") -> None:
        self._count += 1
        World.write(self.path, VERSION=f"{self._count}\n", underway_dot_toml=manifest or self.manifest)
        done = self.world.deploy(self.path)
        require_live(done)
        self.releases.append(done["release"])

    def switch(self, number: int) -> None:
        """Back to the release before, and forward again: both are warm."""
        one, two = self.releases[-2:]
        done = self.world.run("rollback", APP, "--to", one if number % 2 == 0 else two, "--json")
        require_live(json.loads(done.stdout.splitlines()[-1]))

    def reroute(self, number: int) -> None:
        """Deploy with another number of instances, or with other domains: the proxy is loaded anew."""
        turn = number % 4
        domains = 'domains = ["streams.example.com"]\n' if turn in (1, 2) else ""
        instances = "\ninstances = 2" if turn in (0, 1) else ""
        command = 'command = "exec python server.py"'
        self.deploy(domains + self.manifest.replace(command, command + instances))

    def come_and_go(self, number: int) -> None:
        """Deploy a second app, or take it down: its route comes and goes."""
        if number % 2 == 0:
            World.write(self.neighbour, VERSION=f"{number}\n")
            require_live(self.world.deploy(self.neighbour))
        else:
            done = self.world.run("down", NEIGHBOUR, "--yes")
            assert done.returncode == 0, done.stderr

    async def under_load(self, keep_alive: bool, times: int, act: Callable[[int], None]) -> Run:
        run = Run()
        async with self._clients(keep_alive, run):
            for number in range(times):
                began = time.perf_counter()
                await asyncio.to_thread(act, number)
                run.took_s.append(time.perf_counter() - began)
            await asyncio.sleep(0.5)
        return run

    @asynccontextmanager
    async def _clients(self, keep_alive: bool, run: Run) -> AsyncIterator[None]:
        loads = [
            StrictLoad(
                self.world.port,
                f"{APP}.localhost",
                method=method,
                body=b"x" if method == "POST" else b"",
                clients=CLIENTS // 2,
                keep_alive=keep_alive,
                pause_s=PAUSE_S,
            )
            for method in ("GET", "POST")
        ]
        async with loads[0] as gets, loads[1] as posts:
            await asyncio.gather(gets.reaches(CLIENTS), posts.reaches(CLIENTS))
            yield
        run.tally = added(loads[0].tally, loads[1].tally)


def added(one: Tally, two: Tally) -> Tally:
    return Tally(
        served=one.served + two.served,
        failed=one.failed + two.failed,
        bodies=one.bodies + two.bodies,
        took_ms=one.took_ms + two.took_ms,
    )


def require_live(done: dict[str, object]) -> None:
    assert done["outcome"] == "live", done


async def measure(bench: Bench, is_quick: bool) -> tuple[str, int]:
    """All runs one after the other; returns the table and how many requests failed."""
    deploys, switches, reroutes, neighbours = (4, 10, 4, 4) if is_quick else (50, 50, 12, 12)
    await asyncio.to_thread(bench.deploy)
    rows: list[list[object]] = []
    failed: Counter[str] = Counter()
    print("\n" + table(HEAD, []), flush=True)
    for keep_alive, mode in MODES:
        for what, times, act in (
            (f"{deploys} deploys in a row", deploys, lambda _: bench.deploy()),
            (f"{switches} switches back and forth (`rollback`)", switches, bench.switch),
            (f"{reroutes} deploys that change instances or domains", reroutes, bench.reroute),
            (f"{neighbours} times a second app comes or goes", neighbours, bench.come_and_go),
        ):
            run = await bench.under_load(keep_alive, times, act)
            tally = run.tally
            failed += tally.failed
            if "second" not in what:
                assert len(tally.bodies) > 1, "more than one release answered"
            kinds = f" ({', '.join(f'{n} × {kind}' for kind, n in tally.failed.items())})" if tally.failed else ""
            p50, p95 = (f"{tally.quantile_ms(share):.1f}" for share in (0.5, 0.95))
            row = [what, mode, f"{tally.served:,}", f"{tally.failures}{kinds}", p50, p95, spread(run.took_s)]
            rows.append(row)
            print(f"| {' | '.join(str(cell) for cell in row)} |", flush=True)
    return table(HEAD, rows), failed.total()


def main() -> int:
    asked, on = options(__doc__), machine()
    world = make_world()
    try:
        text, failed = asyncio.run(measure(Bench(world), asked.quick))
    finally:
        world.close()
    about = (
        f"{CLIENTS} clients, half of them with POST, {PAUSE_S * 1000:.0f} ms between two requests of each."
        ' "Each" is the whole command, from its start to its exit.\n\n'
    )
    put(asked.write, "deploys", "No failed request", "python -m bench.deploys", on, about + text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
