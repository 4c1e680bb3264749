"""Kill -9 of the agent in the middle of a canary: the next one goes on with the same evidence to the same verdict."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import threading

import pytest

from underway.load.strict import StrictLoad

from . import bad
from .conftest import make_world, wait_until
from .test_crashes import start_dying_agent

STEP_S = 2.0


@pytest.fixture
def world():
    world = make_world()
    assert world.deploy(canary(world))["outcome"] == "live"
    yield world
    world.close()


def canary(world, steps="[20, 50]", step_time=f"{STEP_S:g}s", **changes):
    path = bad.patient(bad.plain(world, **changes))
    manifest = path / "underway.toml"
    words = f'strategy = "canary"\nsteps = {steps}\nstep_time = "{step_time}"'
    manifest.write_text(manifest.read_text().replace('strategy = "blue-green"', words))
    return path


def kept(world, release):
    """The rollout's evidence as the agent left it on disk."""
    found = list((world.home / "apps").glob(f"**/rollouts/{release}.json"))
    return json.loads(found[0].read_text()) if found else None


def deploying(world):
    """The release that is being deployed, once its act has begun."""
    act = world.status("plain")["act"]
    return act["release"] if act and act["kind"] == "deploy" else None


def start_victim(world, at, when):
    """An agent that dies once; a function that waits until it is dead, or has no more occasion to die."""
    if when != "middle":
        agent = start_dying_agent(world, at, when)
        return agent, lambda is_over: wait_until(lambda: agent.poll() is not None or is_over(), 120)
    agent, share = start_dying_agent(world, 10**6, "before"), float(at)

    def is_halfway(release):
        evidence = (kept(world, release) or {}).get("evidence")
        if not evidence or abs(evidence["weight"] - share) > 0.001 or not evidence["total"]["candidate"]:
            return False
        return evidence["clock"] - evidence["step_at"] >= STEP_S / 2

    def kill_halfway(is_over):
        release = wait_until(lambda: deploying(world), 60)
        wait_until(lambda: is_halfway(release), 60)
        agent.send_signal(signal.SIGKILL)
        agent.wait(10)

    return agent, kill_halfway


def deploy_and_die(world, at, when, mode):
    """Deploy under load with an agent that dies once; what came, what was kept at its death, and the tally."""
    path = canary(world, MODE=mode)
    agent, wait_for_death = start_victim(world, at, when)
    found: dict = {}

    async def story():
        async with StrictLoad(world.port, "plain.localhost", clients=8, pause_s=0.05) as load:
            await load.reaches(100)
            thread = threading.Thread(target=lambda: found.update(world.deploy(path)))
            thread.start()
            await asyncio.to_thread(wait_for_death, lambda: not thread.is_alive())
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
@pytest.mark.parametrize(("at", "when", "mode"), [("share_moved#2", "before", "good"), ("judged#1", "before", "half")])
def test_the_next_agent_goes_on_to_the_same_verdict(world, at, when, mode):
    before = world.status("plain")["live"]
    found, agent, tally = deploy_and_die(world, at, when, mode)
    assert agent.returncode == -signal.SIGKILL
    evidence = found["kept"]["evidence"]
    assert evidence["total"]["candidate"] + evidence["pending"]["candidate"] > 0
    check(world, found, mode, before, tally)


IN_EACH_STEP = {
    "good": [
        ("share_moved#1", "before"),
        ("share_moved#1", "after"),
        ("0.2", "middle"),
        ("share_moved#2", "before"),
        ("share_moved#2", "after"),
        ("0.5", "middle"),
        ("judged#1", "before"),
        ("judged#1", "after"),
        ("finished#1", "before"),
    ],
    "half": [
        ("share_moved#1", "after"),
        ("judged#1", "before"),
        ("judged#1", "after"),
        ("undo_started#1", "after"),
        ("undo_done#1", "before"),
        ("finished#1", "before"),
    ],
}
"""The beginning, the middle and the end of each share, the verdict, and the way back."""


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("mode", ["good", "half"])
def test_kill_9_at_the_beginning_the_middle_and_the_end_of_each_step(world, mode):
    for at, when in IN_EACH_STEP[mode]:
        before = world.status("plain")["live"]
        found, agent, tally = deploy_and_die(world, at, when, mode)
        assert agent.poll() == -signal.SIGKILL, (at, when)
        check(world, found, mode, before, tally)
        evidence = found["kept"]["evidence"] if found["kept"] else None
        seen = evidence["total"]["candidate"] if evidence else 0
        print(f"{mode}: {when} {at}, with {seen} requests of it seen → {found['outcome']}", flush=True)
    world.run("agent", "stop")


def counted(evidence):
    """Good requests of both releases, settled and not yet."""
    return {
        side: evidence["total"][side] + evidence["pending"][side]
        for side in ("candidate", "stable", "candidate_failed", "stable_failed")
    }


def wealth(evidence):
    """Each bet's stakes, in play and held back. Time brings some into play; only a request changes the sum."""
    wagers = {name: evidence[name] for name in ("errors", "alarm", "slower_ask", "slower_back", "probe_limit")}
    wagers |= evidence["limits"]
    return {name: sum(wager["stakes"]) + wager["held_back"] for name, wager in wagers.items()}


@pytest.mark.timeout(300)
def test_not_a_request_is_lost_or_counted_twice_and_the_evidence_is_the_same_to_the_last_digit(world):
    stable = world.status("plain")["live"]
    found: dict = {}
    path = canary(world, steps="[50]", step_time="20m")
    thread = threading.Thread(target=lambda: found.update(world.deploy(path)))
    thread.start()
    wait_until(lambda: (act := world.status("plain")["act"]) and act["rollout"], 60)
    release = deploying(world)

    async def traffic_and_two_deaths():
        async with StrictLoad(world.port, "plain.localhost", clients=6, pause_s=0.02) as load:
            for served in (150, 300):
                await load.reaches(served, 60)
                pid = await asyncio.to_thread(world.agent_pid)
                os.kill(pid, signal.SIGKILL)
                await load.reaches(served + 50, 60)
                await asyncio.to_thread(wait_until, lambda: world.status("plain")["act"], 60)
            await load.reaches(450, 60)
        return load.tally

    tally = asyncio.run(traffic_and_two_deaths())
    assert not tally.failed
    answered = {"candidate": 0, "stable": 0, "candidate_failed": 0, "stable_failed": 0}
    for body, times in tally.bodies.items():
        answered["candidate" if body.decode().endswith(release) else "stable"] += times
    assert answered["candidate"] > 50
    assert answered["stable"] > 50

    def at_rest():
        """Everything is read and settled, and the last block of times is closed."""
        left = kept(world, release)["evidence"]
        total = left["total"]
        is_read = total["candidate"] + total["stable"] >= tally.served
        return left if is_read and left["block"] is None else None

    before = wait_until(at_rest, 90)
    assert counted(before) == answered
    os.kill(world.agent_pid(), signal.SIGKILL)
    assert world.status("plain")["act"]["rollout"]["candidate"]["requests"] == answered["candidate"]
    after = wait_until(
        lambda: left if (left := kept(world, release)["evidence"])["last_now"] > before["last_now"] + 2 else None, 60
    )
    same = ("total", "pending", "probes", "gates", "at_weights", "blocks", "step", "weight", "clients_failed", "bins")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert wealth(after) == pytest.approx(wealth(before), rel=1e-12)
    assert world.run("release", "abort", "plain").returncode == 0
    thread.join(60)
    assert (found["outcome"], found["live"]) == ("rolled_back", stable)
    touched = found["events"][-1]["requests"]
    assert touched["failed"] == 0
    with contextlib.suppress(StopIteration):
        weighed = next(
            e["record"] for e in world.events("plain") if e["event"] == "weighed" and e["release"] == release
        )
        assert weighed["candidate"]["served"] == answered["candidate"]
