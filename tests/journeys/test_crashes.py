"""Kill -9 of the agent at every journal write of a deploy, and of every part beneath it while a deploy runs.

Whatever is killed, and whenever: one whole release serves, the journal agrees with what runs, no process is left over
and no acknowledged row is lost.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from .conftest import make_world, wait_until

DYING = Path(__file__).with_name("dying_agent.py")


@pytest.fixture(scope="module")
def tiny():
    """A home where tiny is live as version 1."""
    world = make_world()
    assert world.deploy(world.app(VERSION="1"))["outcome"] == "live"
    yield world
    world.close()


def start_dying_agent(world, at, when):
    world.run("agent", "stop")
    agent = subprocess.Popen(
        [sys.executable, str(DYING), str(at), when],
        env=world.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until(lambda: (world.home / "run" / "agent.sock").exists() or agent.poll() is not None, 60)
    return agent


def check_whole(world, rows):
    """One whole release serves and everything agrees."""
    status = wait_until(lambda: s if not (s := world.status())["act"] else None, 30)
    live = status["live"]
    answers = [world.ask("/").json() for _ in range(5)]
    assert {answer["release"] for answer in answers} == {live}
    running = [i for i in status["instances"] if i["release"] == live]
    assert sorted((i["process"], i["state"]) for i in running) == [("web", "running"), ("worker", "running")]
    workers = [i for i in status["instances"] if i["process"] == "worker"]
    assert len(workers) == 1
    assert {answer["pid"] for answer in answers} <= _tree(running)
    assert rows <= set(world.ask("/notes").json()["ids"])
    known = {pid for i in status["instances"] for pid in _descendants(i["pid"])}
    strays = [p for p in world.processes() if _is_instance(p.pid) and p.pid not in known]
    assert strays == []


def _tree(instances):
    return {pid for i in instances for pid in _descendants(i["pid"])}


def _descendants(pid):
    import psutil

    try:
        return {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}
    except psutil.NoSuchProcess:
        return set()


def _is_instance(pid):
    try:
        return b"UNDERWAY_INSTANCE=" in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def changes(mode, version, at):
    return {"MODE": mode, "VERSION": version, f"migrations__{at:04}_{version}_dot_sql": "SELECT 1;"}


PARTS = 4
"""The writes of a deploy are dealt out to so many tests, which may run side by side."""


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(
    ("mode", "sides"),
    [
        ("good", "alternating"),
        pytest.param("good", "both", marks=pytest.mark.slow),
        pytest.param("unhealthy", "both", marks=pytest.mark.slow),
    ],
)
def test_kill_9_of_the_agent_at_every_write_of_a_deploy(tiny, mode, sides, part):
    """`before` dies with the effect done and not written down, `after` with it written down and nothing since.

    A deploy that would be undone dies in its undoing as well. Alternating takes one side of each write, in turn.
    """
    tiny.deploy(tiny.app(**changes(mode, f"first-{part}", 0)))
    rows: set[int] = set()
    ends = []
    for at in itertools.count(part + 1, PARTS):
        for when in ("before", "after") if sides == "both" else [("before", "after")[at % 2]]:
            version = f"{mode}-{at}-{when}"
            path = tiny.app(**changes(mode, version, at))
            agent = start_dying_agent(tiny, at, when)
            rows.add(tiny.ask("/notes", method="POST", body=version).json()["id"])
            done = tiny.deploy(path)
            check_whole(tiny, rows)
            assert done["outcome"] == ("live" if mode == "good" else "failed")
            assert (tiny.ask("/").json()["version"] == version) == (mode == "good")
            if agent.poll() is None:
                break
            assert agent.returncode == -signal.SIGKILL
            ends.append((at, when, done["outcome"]))
        else:
            continue
        break  # the agent outlived its deploy: there was no write with this number
    tiny.run("agent", "stop")
    agent.wait(timeout=30)
    print("\n".join(f"{mode} write {at:>2} {when:<6} → {outcome}" for at, when, outcome in ends))
    assert len({at for at, *_ in ends}) > 15 // PARTS


def kill_during(world, path, pids, step="health"):
    """Deploy, and kill -9 what `pids` names once `step` has begun."""
    result = {}
    thread = threading.Thread(target=lambda: result.update(world.deploy(path)))
    seq = max(event["seq"] for event in world.events())
    thread.start()
    wait_until(
        lambda: any(e["event"] == "step_started" and e["step"] == step and e["seq"] > seq for e in world.events()),
        60,
    )
    killed = pids()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    thread.join(120)
    assert killed
    return result


def pids_of(world, word):
    return [p.pid for p in world.processes() if p.name() == word]


def test_kill_9_of_the_proxy_during_a_deploy(tiny):
    row = tiny.ask("/notes", method="POST", body="x").json()["id"]
    done = kill_during(tiny, tiny.app(VERSION="caddy"), lambda: pids_of(tiny, "caddy"))
    assert done["outcome"] == "live"
    check_whole(tiny, {row})


def test_kill_9_of_the_live_instance_during_a_deploy(tiny):
    row = tiny.ask("/notes", method="POST", body="x").json()["id"]
    live = tiny.status()["live"]

    def web():
        return [i["pid"] for i in tiny.status()["instances"] if i["release"] == live and i["process"] == "web"]

    done = kill_during(tiny, tiny.app(VERSION="instance"), web)
    assert done["outcome"] == "live"
    check_whole(tiny, {row})


def test_kill_9_of_postgres_during_a_deploy(tiny):
    rows = {tiny.ask("/notes", method="POST", body="x").json()["id"] for _ in range(20)}

    def postmaster():
        return [int((tiny.home / "services/postgres/data/postmaster.pid").read_text().split()[0])]

    kill_during(tiny, tiny.app(VERSION="postgres"), postmaster)
    wait_until(lambda: tiny.ask("/notes").status == 200, 30)
    check_whole(tiny, rows)
    assert tiny.deploy(tiny.app(VERSION="after"))["outcome"] == "live"
    check_whole(tiny, rows)
