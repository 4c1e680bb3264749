"""Faults on purpose in the example app, behind the real proxy, with real visitors: what the guard said and when.

    python -m bench.faults [--rates 0.5,5,50,300] [--only NAME,…] [--at-once RPS] [--quick] [--keep FILE] [--write FILE]

Every cell is an app of its own (the example of this repository, its own database) that lives in one home with the
others: a healthy release with a minute of history, then a canary of a release with a fault. Visitors come at random
moments, keep their cookies and never try again; every failed request of theirs is counted here, and found again in the
proxy's log under the release that failed it. What is failed by the release that was live, or by none, would be the
fault of the switch. "Predicted" is the shipped simulator's median over 200 rollouts of the nearest simulated fault.

Takes about an hour on two cores, with --quick ten minutes. With --keep every cell is written to a file when it ends,
and what stands there is not measured again: the rates can be run one after the other.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import psutil
from tests.journeys.world import World, make_world

from bench.report import machine, put, table
from bench.visitors import Visitors
from underway.cli.demo_play import find_example
from underway.guard.policy import Policy
from underway.guard.simulate.rollout import roll_out
from underway.guard.simulate.worlds import HEALTHY, WORLDS, Fault
from underway.guard.simulate.worlds import World as Day
from underway.load.strict import Broken, Connection, request_bytes

RATES = (0.5, 5.0, 50.0, 300.0)
HISTORY_S = 60.0
GIVE_UP_S = 1500.0
PREDICTIONS = 200
FAULT_FILE = Path(__file__).with_name("fault_app") / "faults.py"
PLAIN = WORLDS[0]


def day(name: str) -> Day:
    return next(world for world in WORLDS if world.name == name)


@dataclass(frozen=True)
class Case:
    """A fault as it is done here, and the nearest one of the simulator (None: it has none)."""

    name: str
    says: str
    wanted: str
    """What a good judge says: `live` or `rolled_back`, or `failed` for what never gets a visitor."""
    fault: dict[str, Any] = field(default_factory=dict)
    is_database_slow: bool = False
    has_sick_client: bool = False
    simulated: tuple[Day, Fault] | None = None


CASES = (
    Case("healthy", "healthy", "live", simulated=(PLAIN, HEALTHY)),
    Case(
        "errors-5",
        "5 % of requests raise",
        "rolled_back",
        {"errors": 0.05},
        simulated=(PLAIN, Fault("errors-5", "", error_rate=0.05)),
    ),
    Case(
        "errors-50",
        "50 % of requests raise",
        "rolled_back",
        {"errors": 0.5},
        simulated=(PLAIN, Fault("errors-50", "", error_rate=0.5)),
    ),
    Case(
        "errors-100",
        "every request raises, health checks pass",
        "rolled_back",
        {"errors": 1.0},
        simulated=(PLAIN, Fault("crash", "", error_rate=1.0)),
    ),
    Case("no-start", "ends at its start", "failed", {"ends_after_s": 0}),
    Case("late-crash", "the process ends after 2 minutes", "rolled_back", {"ends_after_s": 120}),
    Case(
        "slow-route",
        "+100 ms on one route (2 of 5 requests)",
        "rolled_back",
        {"path": "/api/version", "delay_ms": 100},
        simulated=(PLAIN, Fault("slow-route", "", extra_ms=100.0, extra_share=0.4)),
    ),
    Case("leak", "leaks 150 MB a minute", "rolled_back", {"leak_mb_per_min": 150}),
    Case(
        "database",
        "the database is slow for both for 2 min",
        "live",
        is_database_slow=True,
        simulated=(day("incident"), HEALTHY),
    ),
    Case(
        "sick-client",
        "one client fails in a loop, twice a second",
        "live",
        has_sick_client=True,
        simulated=(day("sick-client"), HEALTHY),
    ),
)


@dataclass
class Seen:
    """What happened in one cell."""

    outcome: str
    because: str
    seconds: float
    """From the first visitor's share to the verdict that ended the rollout."""
    asked: int
    failed: int
    """Failed requests of visitors, from before the deploy until after its end."""
    by_release: Counter[str]
    """Which release failed them, in the proxy's log: `new`, `old`, or `none` for an answer without one."""
    kinds: Counter[str]


def lay_out(world: World, app: str, fault: dict[str, Any]) -> Path:
    """The example with the fault's middleware around it, and the fault in a file: another file, another release."""
    path = world.root / "apps" / app
    if not path.exists():
        ignored = shutil.ignore_patterns(".venv", "__pycache__", ".*_cache", "tests", "releases")
        shutil.copytree(find_example(), path, ignore=ignored)
        shutil.copy(FAULT_FILE, path / "app" / "faults.py")
        with (path / "app" / "main.py").open("a") as main:
            main.write("\nfrom app.faults import Faulty  # noqa: E402\n\napp.add_middleware(Faulty)\n")
        (path / "underway.toml").write_text(f'app = "{app}"\n\n[release]\nstrategy = "canary"\n')
    (path / "app" / "fault.json").write_text(json.dumps(fault))
    return path


async def deploy(world: World, path: Path) -> dict[str, Any]:
    return await asyncio.to_thread(world.deploy, path, timeout=int(2 * GIVE_UP_S))


def database_url(world: World, app: str) -> str:
    """What the app's own process was given."""
    for process in world.processes():
        with contextlib.suppress(psutil.Error):
            found = process.environ()
            if found.get("UNDERWAY_APP") == app and "DATABASE_URL" in found:
                return found["DATABASE_URL"].replace("postgresql+asyncpg", "postgresql")
    raise AssertionError(f"no process of {app} has a DATABASE_URL")


async def slow_database(url: str, seconds: float) -> None:
    """Hold the tables of the game for 1.5 of every 2 seconds."""
    connection = await asyncpg.connect(url)
    try:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            async with connection.transaction():
                await connection.execute("lock table children, letters, answers in access exclusive mode")
                await asyncio.sleep(1.5)
            await asyncio.sleep(0.5)
    finally:
        await connection.close()


async def sick_client(world: World, host: str, is_over: asyncio.Event) -> None:
    """Ask twice a second what no release can answer, with a cookie that leads to the newest release first."""
    headers = {"Cookie": "underway_bucket=0000", "X-Sick": "1"}
    connection = Connection("127.0.0.1", world.port)
    while not is_over.is_set():
        with contextlib.suppress(Broken):
            await connection.ask(request_bytes(host, "/api/version", headers=headers))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await is_over.wait()
    connection.close()


async def ended(world: World, app: str) -> dict[str, Any]:
    """The app's status when nothing is under way any more."""
    until = time.monotonic() + GIVE_UP_S
    while time.monotonic() < until:
        status = await asyncio.to_thread(world.status, app)
        if not status.get("act") and not status.get("watching"):
            return status
        await asyncio.sleep(2)
    return status


async def one(world: World, case: Case, rps: float, seed: int) -> Seen:
    """One cell from its first release to the end of its second."""
    app = f"{case.name}-{str(rps).replace('.', '-')}"
    host = f"{app}.localhost"
    async with preparing:
        first = await deploy(world, lay_out(world, app, {}))
    assert first["outcome"] == "live", first
    people = max(40, round(8 * rps)) if rps < 100 else 1000
    is_over = asyncio.Event()
    async with Visitors(world.port, host, rps, people=people, seed=seed) as visitors, asyncio.TaskGroup() as beside:
        await asyncio.sleep(HISTORY_S)
        before, began_at = visitors.served + len(visitors.failed), time.time()
        if case.has_sick_client:
            beside.create_task(sick_client(world, host, is_over))
        deploying = asyncio.create_task(deploy(world, lay_out(world, app, {"seed": seed, **case.fault})))
        if case.is_database_slow:
            await share_moves(world, app)
            beside.create_task(slow_database(database_url(world, app), 120))
        last = await deploying
        await ended(world, app)
        await asyncio.sleep(2)
        is_over.set()
        asked = visitors.served + len(visitors.failed) - before
    failed = [each for each in visitors.failed if each.at >= began_at]
    events = await asyncio.to_thread(world.events, app)
    old, new = first["release"], last["release"]
    outcome, because, seconds = ending(events, new)
    by_release = in_log(world, app, old, new, began_at)
    kinds = Counter(each.came for each in failed)
    return Seen(outcome, because or last.get("because", ""), seconds, asked, len(failed), by_release, kinds)


preparing = asyncio.Semaphore(1)


async def share_moves(world: World, app: str) -> None:
    """Wait until the new release has its first visitors."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if any(each["event"] == "share_moved" for each in await asyncio.to_thread(world.events, app)):
            return
        await asyncio.sleep(0.5)
    raise AssertionError(f"{app}: no share was moved")


def ending(events: Sequence[dict[str, Any]], release: str) -> tuple[str, str, float]:
    """How the release's last act ended, why, and how many seconds after its first visitors it was decided."""
    own = [each for each in events if each.get("release") == release]
    began = next((each["at"] for each in own if each["event"] == "share_moved"), 0.0)
    # The watch over a release that is live ends as `done` when it has nothing to say.
    done = [each for each in own if each["event"] == "finished" and each["outcome"] != "done"]
    judged = [each for each in own if each["event"] == "judged"]
    at = judged[-1]["at"] if judged else began
    because = judged[-1]["verdict"]["because"] if judged else ""
    return done[-1]["outcome"] if done else "paused", because, at - began


def in_log(world: World, app: str, old: str, new: str, since: float) -> Counter[str]:
    """Who failed the visitors' requests, as the proxy wrote it down. The sick client's own are left out."""
    found: Counter[str] = Counter()
    names = {old: "old", new: "new"}
    for part in sorted((world.home / "proxy").glob("access*.log")):
        for line in part.read_text(errors="replace").splitlines():
            try:
                seen = json.loads(line)
            except ValueError:
                continue
            is_user = seen.get("app") == app and not seen.get("probe") and seen["status"] >= 500
            if is_user and seen["ts"] >= since and seen.get("bucket") != "0000":
                found[names.get(seen.get("release") or "", "none")] += 1
    return found


def predicted(case: Case, rps: float) -> str:
    if case.simulated is None:
        return "–"
    endings = [roll_out(Policy(), *case.simulated, rps, seed) for seed in range(PREDICTIONS)]
    hows = Counter(each.how for each in endings)
    how, count = hows.most_common(1)[0]
    alike = [each for each in endings if each.how == how]
    at = median((each.promoted_at_s if how == "promoted" else each.at_s) or 0.0 for each in alike)
    return f"{how} {100 * count / PREDICTIONS:.0f} %, {at:.0f} s, {median(each.failed for each in alike):.0f}"


@contextlib.asynccontextmanager
async def room(load: asyncio.Condition, taken: list[float], rps: float, most: float) -> AsyncIterator[None]:
    """Wait until `rps` more requests a second fit; one cell always does."""
    async with load:
        await load.wait_for(lambda: not taken or sum(taken) + rps <= most)
        taken.append(rps)
    try:
        yield
    finally:
        async with load:
            taken.remove(rps)
            load.notify_all()


async def all_cells(
    world: World, cells: Sequence[tuple[Case, float]], most_rps: float, keep: Path | None
) -> dict[tuple[str, float], Seen]:
    load, taken, seen = asyncio.Condition(), [], {}
    # A command that follows its deploy holds a thread until the end.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2 * len(cells) + 4))

    async def cell(number: int, case: Case, rps: float) -> None:
        async with room(load, taken, rps, most_rps):
            try:
                found = await one(world, case, rps, number)
            except (AssertionError, KeyError, OSError, subprocess.SubprocessError, ExceptionGroup) as error:
                found = Seen(
                    f"not measured: {type(error).__name__} {str(error)[:150]}", "", 0, 0, 0, Counter(), Counter()
                )
        seen[case.name, rps] = found
        if keep and not found.outcome.startswith("not measured"):
            kept = {**read_kept(keep), (case.name, rps): found}
            keep.write_text(json.dumps([[*key, vars(each)] for key, each in kept.items()], indent=1))
        print(
            f"{time.strftime('%H:%M:%S')} {case.name} at {rps:g}: {found.outcome}, {found.seconds:.0f} s, "
            f"{found.failed} of {found.asked} {dict(found.by_release)} {dict(found.kinds)} {found.because}",
            file=sys.stderr,
            flush=True,
        )

    await asyncio.gather(*(cell(number, case, rps) for number, (case, rps) in enumerate(cells)))
    return seen


def read_kept(keep: Path | None) -> dict[tuple[str, float], Seen]:
    """The cells that an earlier run has measured."""
    if keep is None or not keep.exists():
        return {}
    return {
        (name, rps): Seen(**{**seen, "by_release": Counter(seen["by_release"]), "kinds": Counter(seen["kinds"])})
        for name, rps, seen in json.loads(keep.read_text())
    }


def line(case: Case, rps: float, seen: Seen) -> tuple[object, ...]:
    ours = seen.failed - seen.by_release["new"]
    verdict = seen.outcome.replace("_", " ")
    met = "yes" if seen.outcome == case.wanted else "**no**"
    return (
        case.says,
        f"{rps:g}",
        predicted(case, rps),
        f"{verdict}, {seen.seconds:.0f} s, {seen.failed} of {seen.asked}",
        met,
        max(ours, 0),
        seen.because.replace("|", "/"),
    )


HEAD = (
    "fault",
    "requests/s",
    "predicted: verdict, time, failed",
    "observed: verdict, time, failed",
    "as wanted",
    "failed by anything else",
    "in its own words",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default=",".join(f"{rate:g}" for rate in RATES))
    parser.add_argument("--only", default="", help="names of faults, with commas")
    parser.add_argument("--at-once", type=float, default=320.0, metavar="RPS", help="requests a second over all cells")
    parser.add_argument("--quick", action="store_true", help="5 and 50 requests a second only")
    parser.add_argument("--keep", type=Path, metavar="FILE")
    parser.add_argument("--write", type=Path, metavar="FILE")
    asked, on = parser.parse_args(), machine()
    rates = [float(rate) for rate in ("5,50" if asked.quick else asked.rates).split(",")]
    chosen = [case for case in CASES if not asked.only or case.name in asked.only.split(",")]
    kept = read_kept(asked.keep)
    cells = [(case, rps) for rps in rates for case in chosen if (case.name, rps) not in kept]
    world = make_world()

    def stop(*_: object) -> None:
        """What was started is ended when this program is told to end, the commands first: they would go on."""
        for child in psutil.Process().children():
            child.kill()
        world.close()
        os._exit(143)

    signal.signal(signal.SIGTERM, stop)
    try:
        seen = asyncio.run(all_cells(world, cells, asked.at_once, asked.keep))
    finally:
        world.close()
    seen = {**kept, **seen}
    rows = [line(case, rps, seen[case.name, rps]) for case in chosen for rps in rates]
    text = table(HEAD, rows)
    print(text)
    command = "python -m bench.faults" + (" --quick" if asked.quick else "")
    put(asked.write, "faults", "Faults on purpose, on real processes", command, on, text)
    return (
        0
        if all(each.outcome == case.wanted for case in chosen for rps in rates if (each := seen[case.name, rps]))
        else 1
    )


if __name__ == "__main__":
    sys.exit(main())
