"""After a deploy has ended: the agent goes on watching, takes back what goes bad, and gives way to anybody."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal

import pytest

from underway.load.strict import StrictLoad

from . import bad
from .conftest import make_world, wait_until

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def home():
    world = make_world()
    assert world.deploy(bad.patient(bad.plain(world, VERSION="v0")))["outcome"] == "live"
    yield world
    world.close()


@pytest.fixture
def watched(home):
    """The home, where a new release of `plain` has just gone live and is watched for ten minutes; `was` is the version
    before it."""
    home.was = serves(home)
    done = home.deploy(plain(home, VERSION=f"v{next(_numbers)}"))
    assert done["outcome"] == "live", done
    home.release = done["release"]
    return home


def plain(world, extra="", **changes):
    path = bad.patient(bad.plain(world, extra, **changes))
    manifest = path / "underway.toml"
    manifest.write_text(manifest.read_text().replace('watch = "200ms"', 'watch = "10m"'))
    return path


def watching(world):
    return world.status("plain")["watching"]


def serves(world):
    return world.ask(app="plain").text.split()[0]


def test_a_release_that_keeps_dying_is_taken_back_and_one_death_is_forgiven(watched):
    view = wait_until(lambda: watching(watched), 10)
    assert view["release"] == watched.release
    assert "more of watching at 100 %" in view["rollout"]["waiting_for"]
    assert watched.status("plain")["act"] is None, "a watch keeps nobody from deploying"

    def killed():
        """The web instance of the live release, ended once more; its number of ends."""
        mine = next((i for i in watched.status("plain")["instances"] if i["release"] == watched.release), None)
        if mine is None or mine["state"] != "running":
            return None
        os.kill(mine["pid"], signal.SIGKILL)
        return mine["restarts"] + 1

    def restarted(times):
        mine = [i for i in watched.status("plain")["instances"] if i["release"] == watched.release]
        return bool(mine) and mine[0]["restarts"] >= times and mine[0]["state"] == "running"

    first = wait_until(killed, 10)
    wait_until(lambda: restarted(first), 20)
    assert watching(watched)["release"] == watched.release
    wait_until(killed, 10)
    wait_until(lambda: restarted(first + 1), 20)
    wait_until(killed, 10)
    wait_until(lambda: serves(watched) == watched.was, 30)
    status = wait_until(lambda: s if not (s := watched.status("plain"))["watching"] else None, 20)
    assert status["last"]["kind"] == "watch"
    assert status["last"]["outcome"] == "rolled_back"
    assert "3 times since the watch began" in status["last"]["because"]
    assert all(i["release"] != watched.release for i in status["instances"])


def test_a_release_that_grows_over_its_memory_limit_late_is_taken_back(home):
    was = serves(home)
    done = home.deploy(plain(home, VERSION="grows", extra='\n[release.limits]\nmemory = "120MB"\n'))
    assert done["outcome"] == "live", done
    wait_until(lambda: watching(home), 20)
    assert home.ask("/grow", app="plain").status == 200
    status = wait_until(lambda: s if not (s := home.status("plain"))["watching"] else None, 60)
    assert (status["last"]["kind"], status["last"]["outcome"]) == ("watch", "rolled_back")
    assert "over the limit of 120 MB" in status["last"]["because"]
    assert serves(home) == was


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_release_that_turns_bad_late_gets_a_small_share_again_and_is_compared(watched):
    act = wait_until(lambda: watching(watched), 20)["id"]

    async def under_load():
        async with StrictLoad(watched.port, "plain.localhost", clients=8, pause_s=0.02) as load:
            await load.reaches(200, 60)
            assert (await asyncio.to_thread(watched.ask, "/turn-bad", app="plain")).status == 200
            await asyncio.to_thread(wait_until, lambda: serves_only(watched, watched.was), 300)
        return load.tally

    tally = asyncio.run(under_load())
    assert set(tally.failed) == {"status 500"}
    status = wait_until(lambda: s if not (s := watched.status("plain"))["watching"] else None, 30)
    assert (status["last"]["kind"], status["last"]["outcome"]) == ("watch", "rolled_back")
    assert "requests failed on" in status["last"]["because"]
    moves = [e["share"] for e in watched.events("plain") if e["event"] == "share_moved" and e["act"] == act]
    assert min(moves) < 1, "it was compared beside the release before"


def serves_only(world, version):
    """Its watch is over, and nobody gets another version."""
    return not watching(world) and serves(world) == version


def test_a_person_takes_it_back_and_no_request_fails(watched):
    wait_until(lambda: watching(watched), 10)

    async def under_load():
        async with StrictLoad(watched.port, "plain.localhost", clients=5, pause_s=0.02) as load:
            await load.reaches(50)
            done = await asyncio.to_thread(watched.run, "release", "abort", "plain", "--as", "ana", "--because", "ugly")
            assert done.returncode == 0, done.stderr
            await asyncio.to_thread(wait_until, lambda: not watching(watched) and serves(watched) == watched.was, 30)
            await load.reaches(load.tally.served + 50)
        return load.tally

    tally = asyncio.run(under_load())
    assert tally.failures == 0
    assert "ana ordered it back" in watched.status("plain")["last"]["because"]
    order = next(e for e in reversed(watched.events("plain")) if e["event"] == "ordered")
    assert (order["by"], order["because"]) == ("ana", "ugly")
    assert order["account"]


@pytest.mark.slow
def test_it_gives_way_to_a_deploy_and_goes_on_after_the_agent_died(watched):
    before = wait_until(lambda: watching(watched), 10)
    os.kill(watched.agent_pid(), signal.SIGKILL)
    after = wait_until(lambda: watching(watched), 20)
    assert after["id"] == before["id"]
    assert watched.run("release", "hold", "plain").returncode == 0
    wait_until(lambda: watching(watched)["rollout"]["is_held"], 10)
    done = watched.deploy(plain(watched, VERSION="newer"))
    assert done["outcome"] == "live", done
    assert serves(watched) == "newer"
    ended = [e for e in watched.events("plain") if e["event"] == "finished" and e["act"] == before["id"]]
    assert [(e["outcome"], e["because"]) for e in ended] == [("done", "a deploy began")]
    assert watched.run("release", "promote", "plain").returncode == 0
    wait_until(lambda: not watching(watched), 10)
    assert serves(watched) == "newer"
    assert watched.deploy(plain(watched, VERSION="bad", MODE="dies"))["outcome"] == "failed"
    assert not watching(watched), "a deploy that changed nothing is not watched"
