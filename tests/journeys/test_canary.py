"""A canary on the real parts, with clients that never retry."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading

import pytest

from underway.load.strict import StrictLoad

from .conftest import make_world, wait_until


@pytest.fixture
def world():
    world = make_world()
    yield world
    world.close()


def a_canary(world, **changes):
    path = world.app(**changes)
    manifest = (path / "underway.toml").read_text()
    if "canary" not in manifest:
        canary = 'strategy = "canary"\nsteps = [10, 50]'
        world.write(path, underway_dot_toml=manifest.replace('strategy = "blue-green"', canary))
    return path


async def under_traffic(world, act, clients=10):
    """Run `act` (blocking) while clients ask; return its result and the clients' tally."""
    async with StrictLoad(world.port, "tiny.localhost", clients=clients, pause_s=0.05) as load:
        await load.reaches(100)
        result = await asyncio.to_thread(act)
    return result, load.tally


def test_a_release_that_fails_half_of_its_requests_is_gone_before_ten_of_them(world):
    first = world.deploy(a_canary(world))
    path = a_canary(world, VERSION="2", MODE="half")
    done, tally = asyncio.run(under_traffic(world, lambda: world.deploy(path)))
    assert (done["outcome"], done["exit_code"], done["live"]) == ("rolled_back", 5, first["release"])
    assert "requests failed on" in done["because"]
    assert set(tally.failed) == {"status 500"}
    assert tally.failures <= 10
    assert world.ask("/").json()["version"] == "1"


def test_a_person_can_promote_it_and_the_agent_can_die_meanwhile(world):
    world.deploy(a_canary(world))
    path = a_canary(world, VERSION="2")

    def act():
        found: dict = {}
        thread = threading.Thread(target=lambda: found.update(world.deploy(path)))
        thread.start()
        rollout = wait_until(lambda: (world.status()["act"] or {}).get("rollout"), 30)
        assert rollout["share"] == pytest.approx(0.1)
        wait_until(lambda: world.status()["act"]["rollout"]["candidate"]["requests"] > 5, 30)
        seen = world.status()["act"]["rollout"]["candidate"]["requests"]
        os.kill(world.agent_pid(), signal.SIGKILL)
        again = wait_until(lambda: (world.status()["act"] or {}).get("rollout"), 30)
        assert again["candidate"]["requests"] >= seen
        assert again["share"] == pytest.approx(0.1)
        assert world.run("release", "promote", "tiny").returncode == 0
        thread.join(60)
        return found

    done, tally = asyncio.run(under_traffic(world, act))
    assert done["outcome"] == "live"
    assert tally.failures == 0
    assert world.ask("/").json()["version"] == "2"
    line = next(event for event in done["events"] if event["event"] == "rollout" and event["share"])
    assert (line["app"], line["share"], line["candidate"]["release"]) == ("tiny", pytest.approx(0.1), done["release"])
    assert {"more errors", "few enough errors"} <= {strength["of"] for strength in line["strengths"]}
    assert line["waiting_for"]
    assert "rollout" not in {event["event"] for event in world.events()}, "nothing of it is kept"


def test_a_person_can_abort_it_and_everybody_goes_back(world):
    world.deploy(a_canary(world))
    path = a_canary(world, VERSION="2")

    def act():
        found: dict = {}
        thread = threading.Thread(target=lambda: found.update(world.deploy(path)))
        thread.start()
        wait_until(lambda: (world.status()["act"] or {}).get("rollout"), 30)
        world.run("release", "abort", "tiny")
        thread.join(60)
        return found

    done, tally = asyncio.run(under_traffic(world, act))
    assert done["outcome"] == "rolled_back"
    assert "ordered it back" in done["because"]
    assert tally.failures == 0
    assert {world.ask("/").json()["version"] for _ in range(20)} == {"1"}


def test_an_order_to_nothing_is_refused(world):
    world.deploy(a_canary(world))
    done = world.run("release", "promote", "tiny")
    assert done.returncode == 3
    assert "release.not-on-its-way" in done.stderr
    assert json.loads(world.run("status", "tiny", "--json").stdout)["act"] is None
