"""Any moment of an SQLite database can be had back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from underway.drivers.backups.replicas import LitestreamReplicas, databases, program
from underway.drivers.backups.shared import SharedCopies
from underway.drivers.clock.system import SystemClock
from underway.observe.database import late
from underway.ports.copies import PartFile
from underway.terms.home import Home
from underway.terms.problem import Failure


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    if program() is None:
        pytest.skip("there is no litestream")
    made = Home(tmp_path / "home")
    made.shared("shop").mkdir(parents=True)
    yield made
    asyncio.run(LitestreamReplicas(made, SystemClock()).pause())


def write(path: Path, number: int) -> None:
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as session:
        session.execute("CREATE TABLE IF NOT EXISTS t (n)")
        session.execute("INSERT INTO t VALUES (?)", (number,))
        session.commit()


async def numbers(home: Home, replicas: LitestreamReplicas, source: str, at: float, folder: Path) -> list[int]:
    """What the database held at that moment."""
    folder.mkdir()
    part = await replicas.recover("shop", source, at, str(folder), ())
    await SharedCopies(home).restore_beside("shop", PartFile(str(folder / part.file), part))
    path = home.shared("shop") / source
    with contextlib.closing(sqlite3.connect(path.with_name(f".{path.name}.restoring"))) as session:
        return [row[0] for row in session.execute("SELECT n FROM t ORDER BY n")]


async def marked() -> float:
    """A moment that is more than litestream's second away from the writes before and after it."""
    await asyncio.sleep(1.5)
    at = time.time()
    await asyncio.sleep(1.5)
    return at


def test_a_marked_second_is_had_back_through_a_kill_and_a_file_that_took_its_place(home: Home, tmp_path: Path) -> None:
    path = home.shared("shop") / "data" / "app.db"
    path.parent.mkdir()
    wanted = {"shop": ("data",)}

    async def story() -> None:
        replicas = LitestreamReplicas(home, SystemClock())
        assert replicas.held("shop", time.time()) == ()
        write(path, 1)
        await replicas.keep(wanted)
        first = await marked()
        assert replicas.held("shop", first) == ("data/app.db",)
        (follower,) = replicas.behind("shop")
        assert (follower.name, follower.state) == ("data/app.db", "streaming")
        assert follower.behind_s == 0
        write(path, 2)
        os.kill(replicas._server.pid, signal.SIGKILL)
        write(path, 3)
        await replicas.keep(wanted)
        second = await marked()
        write(path, 4)
        assert await numbers(home, replicas, "data/app.db", first, tmp_path / "a") == [1]
        assert await numbers(home, replicas, "data/app.db", second, tmp_path / "b") == [1, 2, 3]

        await replicas.pause()
        write(path, 5)
        os.utime(path.with_name("app.db-wal") if path.with_name("app.db-wal").exists() else path, (2e9, 2e9))
        (follower,) = replicas.behind("shop")
        assert follower.state == "stopped"
        assert follower.behind_s
        assert late((follower,)) == (follower,)
        os.utime(path, None)
        other = path.with_name("other.tmp")
        write(other, 100)
        for each in path.parent.glob("app.db*"):
            each.unlink()
        other.rename(path)
        later = LitestreamReplicas(home, SystemClock())
        await later.keep(wanted)
        third = await marked()
        assert await numbers(home, later, "data/app.db", second, tmp_path / "c") == [1, 2, 3]
        assert await numbers(home, later, "data/app.db", third, tmp_path / "d") == [100]
        with pytest.raises(Failure) as failed:
            await later.recover("shop", "data/app.db", first - 1000, str(tmp_path), ())
        assert failed.value.problem.code == "replicas.recover"
        await later.detach()

    asyncio.run(story())


def test_what_replicates_is_adopted_and_ends_when_nothing_is_wanted(home: Home) -> None:
    path = home.shared("shop") / "app.db"
    write(path, 1)

    async def story() -> None:
        former = LitestreamReplicas(home, SystemClock())
        await former.keep({"shop": ("app.db",)})
        pid = former._server.pid
        await former.detach()
        later = LitestreamReplicas(home, SystemClock())
        await later.keep({"shop": ("app.db",)})
        assert later._server.pid == pid
        await later.keep({})
        assert not Path(f"/proc/{pid}").exists() or Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"

    asyncio.run(story())


def test_databases_are_found_by_name_and_content_and_not_too_deep(home: Home) -> None:
    shared = home.shared("shop")
    for name in ("a.db", "x/b.sqlite3", "x/y/c.db", "x/y/z/too-deep.db", ".hidden.db"):
        (shared / name).parent.mkdir(parents=True, exist_ok=True)
        write(shared / name, 1)
    (shared / "text.db").write_text("no database")
    found = [str(path.relative_to(shared)) for path in databases(shared)]
    assert found == ["a.db", "x/b.sqlite3", "x/y/c.db"]
    assert databases(shared / "nowhere") == []
