"""Kills -9 of PostgreSQL, the agent and the dump at random moments, while four writers write and backups are made.

An app is deployed with a backup due every second. Writers post rows through the proxy and remember what was
acknowledged; after each kill every acknowledged row must be there, and every backup that is listed is read to its
last byte. At the end of a run the newest ones are restored by a drill. `--results FILE` keeps the counts of a run, so
that 200 rounds can be made in several: `python -m bench.kills --rounds 50 --seed 1 --results FILE`, then seed 2 …
Run it: `python -m bench.kills` (200 rounds).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
from tests.journeys.world import World, make_world

from bench.report import machine, put, table
from underway.drivers.backups.folder import BackupFolders
from underway.drivers.database.dumps import PostgresDumps
from underway.drivers.database.postgres import PostgresDatabase
from underway.terms.home import Home
from underway.terms.problem import Failure

APP = "tiny"
WRITERS = 4
DRILLS = 3
_PATIENCE_S = 120.0


@dataclass
class Counted:
    """What came of the rounds of one run. `bad` names backups that were listed and are not whole."""

    rounds: int = 0
    killed: dict[str, int] = field(default_factory=dict)
    acknowledged: int = 0
    lost: int = 0
    read: int = 0
    drilled: int = 0
    bad: list[str] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)


class Writers:
    """Clients that post one row after the other through the proxy and remember what was acknowledged."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.acknowledged: list[int] = []
        self.is_over = threading.Event()
        self._threads = [threading.Thread(target=self._write, daemon=True) for _ in range(WRITERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self.is_over.set()
        for thread in self._threads:
            thread.join()

    def _write(self) -> None:
        body = "a row that must not get lost " * 10
        while not self.is_over.is_set():
            try:
                answer = self._world.ask("/notes", app=APP, method="POST", body=body)
                if answer.status == 201:
                    self.acknowledged.append(answer.json()["id"])
                time.sleep(0.005)
            except Exception:  # whatever a client makes of a server that was killed: it was not acknowledged
                time.sleep(0.05)


def deployed(world: World) -> None:
    path = world.app(APP) / "underway.toml"
    smoke = '[[smoke]]\nname = "the notes"\npath = "/notes"\n'
    path.write_text(f'{path.read_text()}\n[backup]\nevery = "1s"\ndrill = "0s"\n\n{smoke}')
    assert world.deploy(world.app(APP))["outcome"] == "live"
    for _ in range(40):
        world.ask("/notes", app=APP, method="POST", body=os.urandom(20_000).hex())  # so that a dump takes a while


def rounds(world: World, count: int, seed: int) -> Counted:
    chance, counted = random.Random(seed), Counted()
    deployed(world)
    home = Home(world.home)
    folders, dumps = BackupFolders(home), PostgresDumps(PostgresDatabase(home))
    writers, killed = Writers(world), Counter[str]()
    checked: set[str] = set()
    writers.start()
    try:
        for number in range(count):
            time.sleep(chance.uniform(0.0, 1.5))
            target = chance.choice(("server", "agent", "dump"))
            if _kill(target, world, chance):
                killed[target] += 1
            began, before = time.monotonic(), len(writers.acknowledged)
            if target == "agent":
                world.status(APP)  # any command that asks it something starts it again
            while len(writers.acknowledged) < before + 20:
                assert time.monotonic() - began < _PATIENCE_S, f"nobody could write: {target} was killed"
                time.sleep(0.02)
            counted.waits_s.append(time.monotonic() - began)
            acknowledged = list(writers.acknowledged)
            counted.lost += len(set(acknowledged) - _there(world))
            _look_at_backups(folders, dumps, checked, counted)
            if number % 10 == 9:
                print(f"{number + 1} rounds, {len(acknowledged)} rows, {counted.lost} lost, {len(checked)} backups",
                      flush=True)  # fmt: skip
    finally:
        writers.end()
    for kept in folders.all(APP)[:DRILLS]:
        done = world.run("db", "drill", APP, kept.backup.id, "--json")
        counted.drilled += done.returncode == 0
        if done.returncode:
            counted.bad.append(f"{kept.backup.id}: {done.stdout}")
    counted.rounds, counted.killed, counted.read = count, dict(killed), len(checked)
    counted.acknowledged = len(writers.acknowledged)
    return counted


def _look_at_backups(folders: BackupFolders, dumps: PostgresDumps, checked: set[str], counted: Counted) -> None:
    """Read what is newly listed to its last byte, and make room of what was read."""
    for kept in folders.all(APP):
        backup = kept.backup
        if backup.id in checked:
            continue
        checked.add(backup.id)
        try:
            if damage := kept.damage or asyncio.run(folders.damage(APP, backup.id)):
                counted.bad.append(f"{backup.id}: {damage}")
            else:
                asyncio.run(dumps.read_through(folders.file(APP, backup.id, backup.parts[0].file)))
        except Failure as failure:
            counted.bad.append(f"{backup.id}: {failure}")
    for old in folders.all(APP)[12:]:
        folders.remove(APP, old.backup.id)


def _kill(target: str, world: World, chance: random.Random) -> bool:
    """Kill -9; False when what was to be killed was not there."""
    deadline = time.monotonic() + 5
    agent = world.agent_pid() if target != "server" else 0
    while time.monotonic() < deadline:
        pid = 0
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            if target == "server":
                pid = int((world.home / "services/postgres/data/postmaster.pid").read_text().split()[0])
                pid = pid if Path(f"/proc/{pid}").exists() else 0
            elif target == "agent":
                pid = agent
            else:
                pid = next((p.pid for p in psutil.Process(agent).children() if p.name() == "pg_dump"), 0)
        if pid:
            time.sleep(chance.uniform(0.0, 0.15) if target == "dump" else 0)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return True
        time.sleep(0.005)
    return False


def _there(world: World) -> set[int]:
    """The rows that the app has now."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            answer = world.ask("/notes", app=APP)
            assert answer.status == 200
            return set(answer.json()["ids"])
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def told(runs: list[dict[str, Any]]) -> str:
    """The table of all runs together."""
    killed: Counter[str] = Counter()
    for run in runs:
        killed.update(run["killed"])
    waits = sorted(wait for run in runs for wait in run["waits_s"])

    def of(name: str) -> int:
        return sum(run[name] for run in runs)

    lines: list[tuple[object, ...]] = [
        ("rounds", f"{of('rounds'):,}" + (f" in {len(runs)} runs" if len(runs) > 1 else "")),
        ("killed with -9", ", ".join(f"{name} {count}" for name, count in sorted(killed.items()))),
        ("rows acknowledged", f"{of('acknowledged'):,}"),
        ("acknowledged rows lost", of("lost")),
        ("backups listed, and read to the last byte", f"{of('read'):,}"),
        ("listed and not whole", sum(len(run["bad"]) for run in runs)),
        ("restored by a drill, with the app on them", of("drilled")),
        ("until 20 more rows were written", f"median {waits[len(waits) // 2]:.2f} s, at most {waits[-1]:.2f} s"),
    ]
    return table(("what", "counted"), lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, metavar="FILE", help="add this run's counts to FILE, and tell of all")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the result into its section of FILE")
    options = parser.parse_args()
    on = machine()
    world = make_world()
    try:
        counted = asdict(rounds(world, options.rounds, options.seed))
    except AssertionError:
        shutil.copy(world.home / "agent.log", "/tmp/kills-agent.log")
        raise
    finally:
        world.run("agent", "stop", "--all", "--yes")
        shutil.rmtree(world.root, ignore_errors=True)
    runs = json.loads(options.results.read_text()) if options.results and options.results.exists() else []
    runs.append(counted)
    if options.results:
        options.results.write_text(json.dumps(runs))
    text = told(runs)
    print(text)
    print("\n".join(counted["bad"]))
    put(options.write, "kills", "Kills while rows are written and backups are made", "python -m bench.kills", on, text)
    sys.exit(1 if counted["lost"] or counted["bad"] else 0)


if __name__ == "__main__":
    main()
