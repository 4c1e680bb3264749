"""How long users still meet a bad release after someone typed `underway rollback`.

    python -m bench.rollback [--quick] [--write docs/benchmarks.md]

Eight strict clients ask every 20 ms each. The time runs from the start of the command to the end of the last answer
that the bad release gave. Takes about two minutes, with --quick half of one. Exits 1 when a target is missed.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from statistics import median

from tests.journeys.world import World, make_world, wait_until

from bench.own_start import own_start_s
from bench.report import machine, options, put, table
from underway.load.strict import Broken, Connection, request_bytes

APP = "streams"
CLIENTS, PAUSE_S = 8, 0.02
WARM_S = 0.5
COLD_S = 1.0


class Watchers:
    """Clients that keep when each release last answered, and what failed. They ask while the context lasts."""

    def __init__(self, port: int) -> None:
        self.last: dict[str, float] = {}
        self.served = 0
        self.failed = 0
        self._port = port
        self._is_over = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Watchers:
        self._tasks = [asyncio.create_task(self._client()) for _ in range(CLIENTS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_over = True
        await asyncio.gather(*self._tasks)

    async def _client(self) -> None:
        connection, ask = Connection("127.0.0.1", self._port), request_bytes(f"{APP}.localhost")
        while not self._is_over:
            try:
                answer = await connection.ask(ask)
            except Broken:
                self.failed += 1
                continue
            self.last[answer.body.decode()] = time.perf_counter()
            self.served += 1
            self.failed += answer.status != 200
            await asyncio.sleep(PAUSE_S)
        connection.close()


async def rollbacks(world: World, times: int, *, is_cold: bool) -> tuple[list[float], float, Watchers]:
    """Roll back and forth between the two newest releases.

    Returns the seconds each took, the app's own start under the same load (0 when warm), and what the clients saw.
    """
    took_s = []
    own_s = 0.0
    async with Watchers(world.port) as watchers:
        if is_cold:
            own_s = await asyncio.to_thread(own_start_s, world, APP, "exec python server.py", "/health")
        for _ in range(times):
            status = await asyncio.to_thread(_settled, world, is_cold)
            bad = str(status["live"])
            to = next(r["id"] for r in _releases(world) if r["id"] != bad and r["state"] in ("warm", "kept"))
            began = time.perf_counter()
            done = await asyncio.to_thread(world.run, "rollback", APP, "--to", to)
            assert done.returncode == 0, done.stdout + done.stderr
            await asyncio.sleep(0.1)
            took_s.append(watchers.last[bad] - began)
            assert watchers.last[to] > watchers.last[bad], "the other release answers now"
    return took_s, own_s, watchers


def _settled(world: World, is_cold: bool) -> dict[str, object]:
    """The app's state once nothing is under way and the other release is as warm or cold as it should be."""

    def found() -> dict[str, object] | None:
        status: dict[str, object] = world.status(APP)
        return status if not status["act"] and bool(status["warm"]) is not is_cold else None

    return wait_until(found, 30)


def _releases(world: World) -> list[dict[str, str]]:
    return json.loads(world.run("releases", APP, "--json").stdout)


def refused(world: World) -> str:
    """What a rollback to a release that is not there does."""
    live, seq = world.status(APP)["live"], world.events(APP)[-1]["seq"]
    done = world.run("rollback", APP, "--to", "nowhere")
    is_untouched = (world.status(APP)["live"], world.events(APP)[-1]["seq"]) == (live, seq)
    assert done.returncode == 3, done.stderr
    assert is_untouched
    return f"exit code {done.returncode}, nothing changed"


def measure(world: World, is_quick: bool) -> tuple[str, bool]:
    path = world.app(APP, like="streams")
    manifest = (path / "underway.toml").read_text()
    rows: list[Sequence[object]] = []
    is_met = True
    for is_cold in (False, True):
        keep_warm = 'keep_warm = "0s"\n' if is_cold else 'keep_warm = "10m"\n'
        for version in ("1", "2"):
            World.write(path, VERSION=f"{keep_warm}{version}\n", underway_dot_toml=manifest + keep_warm)
            assert world.deploy(path)["outcome"] == "live"
        took_s, own_s, seen = asyncio.run(rollbacks(world, (3 if is_quick else 10), is_cold=is_cold))
        at_most = own_s + (COLD_S if is_cold else WARM_S)
        is_met &= median(took_s) < at_most and not seen.failed
        target = f"< {at_most:.2f} s" + (f" (own start {own_s:.2f} + {COLD_S:g})" if is_cold else "")
        what = "to a release that was stopped" if is_cold else "to the warm release before"
        found = f"{median(took_s):.2f} s ({min(took_s):.2f} to {max(took_s):.2f})"
        rows.append((what, len(took_s), found, target, f"{seen.served:,}", seen.failed))
    rows.append(("to a release that is not there", 1, refused(world), "not 0, nothing changed", "", ""))
    head = ("rollback", "times", "command to last bad answer", "target", "served meanwhile", "failed")
    return table(head, rows), is_met


def main() -> int:
    asked, on = options(__doc__), machine()
    world = make_world()
    try:
        text, is_met = measure(world, asked.quick)
    finally:
        world.close()
    print(text)
    put(asked.write, "rollback", "Rollback", "python -m bench.rollback", on, text)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
