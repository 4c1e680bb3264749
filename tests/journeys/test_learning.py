"""Letter Meadow from its folder to live, to a better release, past a broken one, and back, while families play."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys

from underway.cli.demo_play import find_example
from underway.load.strict import Connection, StrictLoad, request_bytes

EXAMPLE = find_example()
HOST = "learning.localhost"
AT_ONCE = ("--strategy", "blue-green")


def load_traffic():
    """The example's own `traffic.py`: it is no part of a package."""
    spec = importlib.util.spec_from_file_location("learning_traffic", EXAMPLE / "traffic.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


traffic = load_traffic()


def lay_out(world, patch=None):
    """A developer's folder: the example as it is, or with a patch on it."""
    path = world.root / "apps" / "learning"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(EXAMPLE, path, ignore=shutil.ignore_patterns(".venv", "__pycache__", ".*_cache", "tests"))
    if patch:
        env = {**os.environ, "GIT_DIR": os.devnull}
        subprocess.run(["git", "apply", str(EXAMPLE / "releases" / patch)], cwd=path, env=env, check=True)
    return path


def visit(world, steps):
    """What a family does, through the proxy, on one connection that never retries."""

    async def go():
        connection = Connection("127.0.0.1", world.port)

        async def ask(step):
            sent = request_bytes(HOST, step.path, method=step.method, headers=step.headers, body=step.body)
            return await connection.ask(sent)

        with contextlib.closing(connection):
            return await traffic.follow(steps, ask)

    return asyncio.run(go())


def under_load(world, family, act):
    """`act` while strict clients ask and `family` plays on in one session; its result and the tallies."""

    async def play_on(is_over):
        while not is_over.is_set():
            await asyncio.to_thread(visit, world, family.play(1))
            await asyncio.sleep(0.1)

    async def go():
        is_over = asyncio.Event()
        async with (
            StrictLoad(world.port, HOST, path="/api/version", clients=4, pause_s=0.05) as kept,
            StrictLoad(world.port, HOST, path="/", clients=2, pause_s=0.05, keep_alive=False) as single,
        ):
            playing = asyncio.create_task(play_on(is_over))
            await kept.reaches(20)
            result = await asyncio.to_thread(act)
            await kept.reaches(kept.tally.served + 20)
            is_over.set()
            await playing
        return result, [kept.tally, single.tally]

    return asyncio.run(go())


def test_letter_meadow(world):
    path = lay_out(world)
    assert not (path / "underway.toml").exists()
    first = world.deploy(path)
    assert (first["outcome"], first["exit_code"]) == ("live", 0)
    family = traffic.Family("ada@example.org")
    visit(world, family.first_visit())
    assert (family.turns, family.stars, family.stickers) == (10, 8, [])

    # A better release, with a migration, while everybody plays on.
    guest = traffic.Family("grace@example.org")
    visit(world, guest.first_visit(1))
    # Not as a canary, which it becomes where enough was asked before the plan was made: that takes minutes.
    better, tallies = under_load(world, guest, lambda: world.deploy(lay_out(world, "0002-better.patch"), *AT_ONCE))
    assert better["outcome"] == "live", better
    assert [tally.failures for tally in tallies] == [0, 0], [tally.says() for tally in tallies]
    assert better["requests"]["failed"] == 0
    assert guest.turns > 10
    assert world.ask("/api/version", app="learning").json()["version"] == "1.1.0"
    visit(world, family.next_visit())
    assert (family.turns, family.stars) == (20, 16)
    shelf = visit(world, family.progress())["stickers"]
    assert [sticker["number"] for sticker in shelf] == [1, 2, 3]
    assert family.stickers

    # A release that never becomes healthy gets no traffic. Its owner does not want to wait a minute for that.
    broken = lay_out(world, "broken-health.patch")
    assert world.run("init", broken).returncode == 0
    manifest = broken / "underway.toml"
    manifest.write_text(manifest.read_text().replace('path = "/health"', 'path = "/health"\ntimeout = "4s"'))
    failed = world.deploy(broken, *AT_ONCE)
    assert (failed["outcome"], failed["exit_code"]) == ("failed", 4)
    assert failed["live"] == better["release"]
    assert "503" in str(failed["events"])
    assert visit(world, family.progress())["turns"] == 20

    # Back to the first release: its tables, and the sticker shelf's, are as they were.
    played = guest.turns
    back, tallies = under_load(world, guest, lambda: world.run("rollback", "learning", "--json"))
    assert back.returncode == 0
    assert [tally.failures for tally in tallies] == [0, 0], [tally.says() for tally in tallies]
    assert world.ask("/api/version", app="learning").json()["version"] == "1.0.0"
    visit(world, family.next_visit())
    progress = visit(world, family.progress())
    assert (progress["turns"], progress["stars"]) == (30, 24)
    assert "stickers" not in progress
    assert visit(world, guest.progress())["turns"] == guest.turns > played
