"""Kill -9 of the agent in the middle of a canary: the next one goes on with the same evidence to the same verdict."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import threading

import pytest

from underway.load.strict import StrictLoad

from . import bad
from .conftest import make_world, wait_until
from .test_crashes import start_dying_agent

CANARY = 'strategy = "canary"\nsteps = [20, 50]\nstep_time = "1s"'


@pytest.fixture
def world():
    world = make_world()
    assert world.deploy(canary(world))["outcome"] == "live"
    yield world
    world.close()


def canary(world, **changes):
    path = bad.patient(bad.plain(world, **changes))
    manifest = path / "underway.toml"
    manifest.write_text(manifest.read_text().replace('strategy = "blue-green"', CANARY))
    return path


def kept(world, release):
    """The rollout's evidence as the agent left it on disk."""
    found = list((world.home / "apps").glob(f"**/rollouts/{release}.json"))
    return json.loads(found[0].read_text()) if found else None


def deploy_and_die(world, at, when, mode):
    """Deploy under load with an agent that dies once; what came, what was kept at its death, and the tally."""
    path = canary(world, MODE=mode)
    agent = start_dying_agent(world, at, when)
    found: dict = {}

    async def story():
        async with StrictLoad(world.port, "plain.localhost", clients=8, pause_s=0.05) as load:
            await load.reaches(100)
            thread = threading.Thread(target=lambda: found.update(world.deploy(path)))
            thread.start()
            await asyncio.to_thread(wait_until, lambda: agent.poll() is not None or not thread.is_alive(), 120)
            started = next(e for e in reversed(world.events("plain")) if e["event"] == "act_started")
            found["kept"] = kept(world, started["release"]) if agent.poll() is not None else None
            await asyncio.to_thread(thread.join, 120)
        return load.tally

    tally = asyncio.run(story())
    return found, agent, tally


def check(world, found, mode, before, tally):
    """The end, whole: the right release serves, by the very words of the verdict that was kept."""
    good = mode == "good"
    assert found["outcome"] == ("live" if good else "rolled_back"), found
    live = world.status("plain")["live"]
    assert live == (found["release"] if good else before)
    assert {world.ask(app="plain").text.split()[1] for _ in range(10)} == {live}
    judged = [e["verdict"] for e in found["events"] if e["event"] == "judged" and e["verdict"]["rule"]]
    left = found["kept"]
    if left and left["ended"]:
        assert judged[-1]["because"] == left["ended"]["because"]
        assert judged[-1]["strengths"] == left["ended"]["strengths"]
    if good:
        assert tally.failures == 0, tally.failed
    else:
        assert "requests failed on" in judged[-1]["because"]
        assert set(tally.failed) <= {"status 500"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("at", "when", "mode"),
    [
        ("share_moved#2", "before", "good"),
        ("judged#1", "before", "half"),
        pytest.param("judged#1", "after", "good", marks=pytest.mark.slow),
    ],
)
def test_the_next_agent_goes_on_to_the_same_verdict(world, at, when, mode):
    before = world.status("plain")["live"]
    found, agent, tally = deploy_and_die(world, at, when, mode)
    assert agent.returncode == -signal.SIGKILL
    evidence = found["kept"]["evidence"]
    assert evidence["total"]["candidate"] + evidence["pending"]["candidate"] > 0
    check(world, found, mode, before, tally)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", ["good", "half"])
def test_kill_9_at_every_write_of_a_canary(world, mode):
    ends = []
    for at in itertools.count(1):
        for when in ("before", "after"):
            before = world.status("plain")["live"]
            found, agent, tally = deploy_and_die(world, f"#{at}", when, mode)
            check(world, found, mode, before, tally)
            if agent.poll() is None:
                break
            assert agent.returncode == -signal.SIGKILL
            seen = found["kept"]["evidence"]["total"]["candidate"] if found["kept"] else 0
            ends.append(f"{mode} write {at:>2} {when:<6} with {seen:>3} requests seen → {found['outcome']}")
            print(ends[-1], flush=True)
        else:
            continue
        break
    world.run("agent", "stop")
    agent.wait(timeout=30)
    assert len(ends) > 30
