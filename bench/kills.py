"""Kills -9 of PostgreSQL, the agent and the dump at random moments, while four writers write and backups are made.

Counted are rows that were acknowledged and are not there afterwards, and backups that are listed and not whole.
Run it: `python -m bench.kills` (200 rounds), `--rounds 20` for a shorter one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import asyncpg
import psutil

from bench.report import machine, put, table
from underway.drivers.backups.folder import BackupFolders
from underway.drivers.backups.keys import AgeSeals
from underway.drivers.backups.shared import SharedCopies
from underway.drivers.clock.system import SystemClock
from underway.drivers.database.dumps import PostgresDumps
from underway.drivers.database.postgres import PostgresDatabase
from underway.drivers.database.scratch import PostgresScratches
from underway.ports.services import DatabaseAddress
from underway.steps.back_up import BackupAsk, take_backup
from underway.terms.backup import Reason, differences
from underway.terms.home import Home
from underway.terms.release import release_id
from underway.terms.secret import Secret

APP, WORD = "shop", Secret("correct-horse-1")
WRITERS = 4


class On:
    """The drivers that a backup needs, and no others."""

    def __init__(self, home: Home) -> None:
        self.home, self.clock = home, SystemClock()
        self.database = PostgresDatabase(home)
        self.dumps = PostgresDumps(self.database)
        self.backups, self.seals, self.file_copies = BackupFolders(home), AgeSeals(), SharedCopies(home)


async def agent(root: Path) -> None:
    """What is killed: it keeps the server alive and makes one backup after the other."""
    on = On(Home(root))
    on.backups.abandon(APP)
    await on.database.provision(APP, WORD)
    while True:
        ask = BackupAsk(
            app=APP,
            id=release_id(on.clock.now(), on.clock.entropy()),
            reason=Reason.ASKED,
            has_postgres=True,
        )
        try:
            await take_backup(ask, on)  # type: ignore[arg-type]  # it has what a backup of a database needs
        except Exception as error:
            print(type(error).__name__, str(error)[:200], file=sys.stderr)
        await asyncio.sleep(0.02)


class Writers:
    """Sessions that insert one row after the other and remember what was acknowledged."""

    def __init__(self, at: DatabaseAddress) -> None:
        self._at = at
        self.acknowledged: list[int] = []
        self._next = 0

    async def write(self) -> None:
        while True:
            try:
                session = await asyncpg.connect(
                    host=self._at.host, port=self._at.port, user=self._at.user, password=WORD.reveal(),
                    database=self._at.database, timeout=10,
                )  # fmt: skip
                while True:
                    self._next += 1
                    number = self._next
                    await session.execute("INSERT INTO t VALUES ($1, repeat(md5($1::bigint::text), 10))", number)
                    self.acknowledged.append(number)
                    await asyncio.sleep(0.002)
            except Exception:  # whatever asyncpg makes of a server that was killed: it was not acknowledged
                await asyncio.sleep(0.05)


async def rounds(root: Path, count: int, seed: int) -> dict[str, object]:
    chance = random.Random(seed)
    home = Home(root)
    on = On(home)
    at = await on.database.provision(APP, WORD)
    await _sql(on, "CREATE TABLE t (n bigint PRIMARY KEY, text text); ALTER TABLE t OWNER TO app_shop;")
    await _sql(on, "INSERT INTO t SELECT -n, repeat(md5(n::text), 10) FROM generate_series(1, 15000) n;")
    await on.database.detach()  # from here on the agent that is killed keeps it
    writers = Writers(at)
    writing = [asyncio.create_task(writers.write()) for _ in range(WRITERS)]
    child = _start(root)
    killed: Counter[str] = Counter()
    checked: set[str] = set()
    bad: list[str] = []
    lost = 0
    waits: list[float] = []
    try:
        for number in range(count):
            await asyncio.sleep(chance.uniform(0.0, 3.0))
            target = chance.choice(("server", "agent", "dump"))
            if await _kill(target, home, child, chance):
                killed[target] += 1
            if target == "agent":
                child.wait()
                child = _start(root)
            began, before = time.monotonic(), len(writers.acknowledged)
            while len(writers.acknowledged) < before + 20:
                assert time.monotonic() - began < 120, f"nobody could write after round {number}: {target} was killed"
                await asyncio.sleep(0.02)
            waits.append(time.monotonic() - began)
            acknowledged = list(writers.acknowledged)
            there = set(await _numbers(at))
            lost += len(set(acknowledged) - there)
            for kept in on.backups.all(APP):
                if kept.backup.id in checked:
                    continue
                checked.add(kept.backup.id)
                damage = kept.damage or await on.backups.damage(APP, kept.backup.id)
                if damage:
                    bad.append(f"{kept.backup.id}: {damage}")
                else:
                    await on.dumps.read_through(on.backups.file(APP, kept.backup.id, kept.backup.parts[0].file))
                if len(checked) > 12:  # room on the disk; each was read to its end
                    oldest = on.backups.all(APP)[-1].backup.id
                    on.backups.remove(APP, oldest)
            if number % 20 == 19:
                print(f"{number + 1} rounds, {len(acknowledged)} rows, {lost} lost, {len(checked)} backups", flush=True)
        child.kill()
        child.wait()
        scratches = PostgresScratches(home, on.database)
        restored = 0
        for kept in on.backups.all(APP)[:3]:
            part = kept.backup.parts[0]
            scratch, found = await scratches.restore(APP, on.backups.file(APP, kept.backup.id, part.file))
            await scratches.drop(scratch)
            bad += differences(part, found)
            restored += 1
    finally:
        for task in writing:
            task.cancel()
        child.kill()
        child.wait()
        await on.database.stop()
    return {
        "rounds": count,
        "killed": dict(killed),
        "rows acknowledged": len(writers.acknowledged),
        "rows lost": lost,
        "backups listed and read": len(checked),
        "restored and compared": restored,
        "listed and not whole": len(bad),
        "until writers went on": f"median {sorted(waits)[len(waits) // 2]:.2f} s, at most {max(waits):.2f} s",
    }


async def _kill(target: str, home: Home, child: subprocess.Popen[bytes], chance: random.Random) -> bool:
    """Kill -9; False when what was to be killed was not there."""
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        pid = 0
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            if target == "server":
                pid = int((home.services / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
                pid = pid if Path(f"/proc/{pid}").exists() else 0
            elif target == "agent":
                pid = child.pid
            else:
                pid = next((p.pid for p in psutil.Process(child.pid).children() if p.name() == "pg_dump"), 0)
        if pid:
            await asyncio.sleep(chance.uniform(0.0, 0.15) if target == "dump" else 0)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return True
        await asyncio.sleep(0.01)
    return False


async def _numbers(at: DatabaseAddress) -> list[int]:
    deadline = time.monotonic() + 60
    while True:
        try:
            session = await asyncpg.connect(
                host=at.host, port=at.port, user=at.user, password=WORD.reveal(), database=at.database, timeout=10
            )
            try:
                return [row[0] for row in await session.fetch("SELECT n FROM t WHERE n > 0")]
            finally:
                session.terminate()
        except Exception:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


async def _sql(on: On, script: str) -> None:
    ended = await (await on.database.client()).sql("app_shop", script)
    assert ended.exit_code == 0, ended.err


def _start(root: Path) -> subprocess.Popen[bytes]:
    log = (root / "agent-under-test.log").open("ab")
    return subprocess.Popen([sys.executable, "-m", "bench.kills", "--agent", str(root)], stderr=log, stdout=log)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--agent", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the result into its section of FILE")
    options = parser.parse_args()
    if options.agent:
        asyncio.run(agent(options.agent))
        return
    on = machine()
    root = Path(tempfile.mkdtemp(prefix="uw-kills-", dir="/tmp"))
    root.chmod(0o755)
    try:
        found = asyncio.run(rounds(root, options.rounds, options.seed))
    except AssertionError:
        print((root / "agent-under-test.log").read_text()[-3000:])
        print((root / "services" / "postgres" / "server.log").read_text()[-3000:])
        raise
    finally:
        shutil.rmtree(root, ignore_errors=True)
    text = table(("figure", "value"), found.items())
    print(text)
    put(options.write, "kills", "Kills while rows are written and backups are made", "python -m bench.kills", on, text)
    sys.exit(1 if found["rows lost"] or found["listed and not whole"] else 0)


if __name__ == "__main__":
    main()
