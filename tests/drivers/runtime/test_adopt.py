"""Instances survive their agent: kill -9 of it, at any moment, and a new one takes over what runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from underway.drivers import proc
from underway.guard.restarts import RestartPolicy
from underway.terms.home import Home
from underway.terms.process import Instance, InstanceSpec, InstanceState

Stage = Any

AGENT = """
import asyncio, json, sys
from pathlib import Path
import msgspec
from underway.drivers.clock.system import SystemClock
from underway.drivers.runtime.processes import LocalRuntime
from underway.terms.home import Home
from underway.terms.process import InstanceSpec
async def main():
    runtime = LocalRuntime(Home(Path(sys.argv[1])), SystemClock())
    for ask in json.loads(sys.argv[2]):
        spec = msgspec.convert(ask["spec"], InstanceSpec)
        await runtime.start(spec, ask["env"])
    print(msgspec.json.encode(runtime.instances()).decode(), flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


class DeadAgent:
    """An agent in a process of its own that starts instances and is then killed."""

    def __init__(self, stage: Stage, *asked: tuple[InstanceSpec, dict[str, str]]) -> None:
        asks = [{"spec": msgspec.to_builtins(spec), "env": env} for spec, env in asked]
        arguments = [sys.executable, "-c", AGENT, str(stage.home.root), json.dumps(asks)]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.started = msgspec.json.decode(self.process.stdout.readline(), type=list[Instance])

    def die(self) -> list[Instance]:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return self.started


def stranger(env: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"], env=env, start_new_session=True)


def test_a_killed_agents_instances_are_taken_over_with_the_same_pids(stage: Stage) -> None:
    async def story() -> None:
        asked = [stage.server(number=n) for n in (1, 2)]
        before = DeadAgent(stage, *asked).die()
        async with stage.runtime() as runtime:
            adopted = await runtime.adopt()
            assert [(one.pid, one.start_ticks) for one in adopted] == [(o.pid, o.start_ticks) for o in before]
            assert {(one.state, one.restarts) for one in adopted} == {(InstanceState.RUNNING, 0)}
            for spec, _ in asked:
                await stage.until(lambda spec=spec: runtime.owns_port(spec.id))
                assert runtime.sample(spec.id).pids == 2
                assert runtime.log_tail(spec.id) == ("serving",)
            assert stage.ended == []
            # started again by a resumed deploy, the same ones are returned
            assert (await runtime.start(*asked[0])).pid == before[0].pid
        assert not stage.pids()

    stage.play(story)


def test_an_adopted_instance_is_watched_and_its_exit_code_known(stage: Stage) -> None:
    async def story() -> None:
        spec, env = stage.server()
        DeadAgent(stage, (spec, env)).die()
        async with stage.runtime() as runtime:
            await runtime.adopt()
            await stage.until(lambda: runtime.owns_port(spec.id))
            leader = runtime.instances()[0].pid
            (served,) = [pid for pid in stage.pids() if pid != leader]
            os.kill(served, signal.SIGKILL)
            await stage.until(lambda: stage.ended and runtime.owns_port(spec.id))
            assert stage.ended[0].exit_code == -9
            assert runtime.instances()[0].restarts == 1

    stage.play(story)


def test_what_died_while_no_agent_was_there_is_told_and_started_again(stage: Stage) -> None:
    async def story() -> None:
        go = stage.folder / "go"
        first_life = f"echo up; while ! test -e {go}; do sleep 0.02; done; exit 9"
        spec = stage.spec(f"if test -e {go}; then exec sleep 60; fi; {first_life}")
        (before,) = DeadAgent(stage, (spec, stage.env())).die()
        await stage.until(lambda: stage.home.process_log("shop", "web", 1, "a").read_text() == "up\n")
        go.touch()
        await stage.until(lambda: not stage.pids())
        async with stage.runtime() as runtime:
            (adopted,) = await runtime.adopt()
            assert adopted.state is InstanceState.RUNNING
            assert adopted.pid != before.pid
            assert [(end.exit_code, end.restart_in_s) for end in stage.ended] == [(9, 0.0)]

    stage.play(story)


def test_half_of_a_tree_that_survived_its_leader_is_ended_before_the_new_life(stage: Stage) -> None:
    async def story() -> None:
        spec, env = stage.server()
        agent = DeadAgent(stage, (spec, env))
        await stage.until(lambda: len(stage.pids()) == 2)
        (before,) = agent.die()
        (served,) = [proc.stat(pid) for pid in stage.pids() if pid != before.pid]
        os.kill(before.pid, signal.SIGKILL)
        await stage.until(lambda: not proc.is_alive(proc.Identity(before.pid, before.start_ticks)))
        async with stage.runtime() as runtime:
            await runtime.adopt()
            assert not proc.is_alive(served.identity)
            await stage.until(lambda: runtime.owns_port(spec.id))

    stage.play(story)


def test_processes_that_no_record_knows_are_ended_but_not_the_homes_servers_tasks_and_agent(stage: Stage) -> None:
    async def story() -> None:
        spec, env = stage.server()
        DeadAgent(stage, (spec, env)).die()
        shutil.rmtree(stage.home.instances / spec.id)
        marks = [{proc.SERVER_MARK: "postgres"}, {proc.AGENT_MARK: "1"}, {proc.TASK_MARK: "build"}]
        others = [
            stranger({**env, proc.HOME_MARK: home, **more})
            for home, more in [*((stage.home.id, mark) for mark in marks), ("00000000", {proc.INSTANCE_MARK: "x"})]
        ]
        try:
            async with stage.runtime() as runtime:
                assert await runtime.adopt() == ()
                assert stage.pids(spec.id) == []
                assert [one.poll() for one in others] == [None] * 4
        finally:
            for one in others:
                one.kill()
                one.wait()

    stage.play(story)


def test_a_stop_that_was_begun_is_finished_and_not_undone(stage: Stage) -> None:
    async def story() -> None:
        spec, env = stage.server()
        DeadAgent(stage, (spec, env)).die()
        path = stage.home.instances / spec.id / "instance.json"
        path.write_text(path.read_text().replace('"wanted":"running"', '"wanted":"stopped"'))
        async with stage.runtime() as runtime:
            assert await runtime.adopt() == ()
            assert not stage.pids()
            assert not any(stage.home.instances.iterdir())
        assert stage.ended == []

    stage.play(story)


def test_a_reused_pid_is_not_taken_for_the_instance(stage: Stage) -> None:
    async def story() -> None:
        spec = stage.spec("exec sleep 60")
        (before,) = DeadAgent(stage, (spec, stage.env())).die()
        for pid in stage.pids():
            os.kill(pid, signal.SIGKILL)
        died = proc.Identity(before.pid, before.start_ticks)
        await stage.until(lambda: proc.age_s(died) > 0.05)  # start times are told in steps of 10 ms
        other = stranger(stage.env())
        try:
            path = stage.home.instances / spec.id / "instance.json"
            path.write_text(path.read_text().replace(f'"pid":{before.pid}', f'"pid":{other.pid}'))
            async with stage.runtime() as runtime:
                (adopted,) = await runtime.adopt()
                assert adopted.pid not in (before.pid, other.pid)
            assert other.poll() is None
        finally:
            other.kill()
            other.wait()

    stage.play(story)


def test_a_crash_loop_stays_one_for_the_next_agent(stage: Stage) -> None:
    async def story() -> None:
        loop = RestartPolicy(loop_after=1, loop_retry_s=600)
        async with stage.runtime(keep=True, restarts=loop) as runtime:
            await runtime.start(stage.spec("exit 4"), stage.env())
            await stage.until(lambda: stage.ended)
        async with stage.runtime(restarts=loop) as runtime:
            (adopted,) = await runtime.adopt()
            assert (adopted.state, adopted.exit_code) == (InstanceState.CRASH_LOOP, 4)
            assert len(stage.ended) == 1

    stage.play(story)


def test_two_homes_do_not_see_each_other(stage: Stage, tmp_path: Path) -> None:
    async def story() -> None:
        other = type(stage)(tmp_path / "other")
        other.folder.mkdir()
        async with stage.runtime() as ours, other.runtime() as theirs:
            spec = stage.spec("exec sleep 60")
            (mine, yours) = (await ours.start(spec, stage.env()), await theirs.start(spec, stage.env()))
            async with other.runtime(keep=True) as second:
                assert [one.pid for one in await second.adopt()] == [yours.pid]
            await theirs.stop(spec.id)
            assert [one.pid for one in ours.instances()] == [mine.pid]
            assert proc.is_alive(proc.Identity(mine.pid, mine.start_ticks))

    stage.play(story)


CRASHING = """
import asyncio, json, os, signal, sys
from pathlib import Path
from underway.drivers.clock.system import SystemClock
from underway.drivers.runtime.processes import LocalRuntime
from underway.drivers import proc
from underway.terms.home import Home
from underway.terms.process import InstanceSpec, InstanceState
from underway.terms.release import Slot

root, act = Path(sys.argv[1]), sys.argv[2]
home = Home(root)
spec = InstanceSpec(id="shop.r1.web.1", app="shop", release="r1", process="web", number=1, slot=Slot.A,
                    command="exec sleep 60", cwd=str(root), stop_timeout_s=2.0)
ENV = {"PATH": os.environ["PATH"]}
left = None

EFFECTS = ("os.", "subprocess.", "shutil.", "signal.")
LOOKS = ("os.listdir", "os.scandir", "os.walk", "os.fwalk")

def count(event, arguments):
    # called before every file, process and signal operation: at the N-th that changes something, die as by kill -9
    global left
    writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if left is not None and (writes or event.startswith(EFFECTS) and event not in LOOKS):
        left -= 1
        if left < 0:
            left = None
            os.kill(os.getpid(), signal.SIGKILL)

async def live(number):
    global left
    runtime = LocalRuntime(home, SystemClock())
    await runtime.adopt()
    if act != "start":
        await runtime.start(spec, ENV)
    if act == "restart":
        while not (found := leaders()):  # until its session is its own
            await asyncio.sleep(0.005)
        os.kill(found[0], signal.SIGKILL)
    left = number
    if act == "restart":
        while runtime.instances()[0].restarts == 0 or runtime.instances()[0].state is not InstanceState.RUNNING:
            await asyncio.sleep(0.005)
    else:
        await (runtime.start(spec, ENV) if act == "start" else runtime.stop(spec.id))
    left = None
    os._exit(7)

def leaders():
    return [m.stat.pid for m in proc.marked(home.id) if m.stat.session == m.stat.pid]

async def resume():
    runtime = LocalRuntime(home, SystemClock())
    found = leaders()
    adopted = await runtime.adopt()
    if act != "stop":
        kept = [one.pid for one in adopted] if found else []
        assert act == "restart" or found == kept, f"it ran as {found} and was adopted as {kept}"
        started = await runtime.start(spec, ENV)
        assert leaders() == [started.pid], f"{leaders()} run, {started.pid} is known"
    elif not adopted:
        assert leaders() == []
    await runtime.stop(spec.id)
    assert proc.marked(home.id) == [], "something was left"
    assert list(home.instances.iterdir()) == []
    await runtime.close()

number = 0
while True:
    child = os.fork()
    if child == 0:
        sys.addaudithook(count)
        asyncio.run(live(number))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (-9, 7), status
    try:
        asyncio.run(resume())
    except Exception as error:
        raise SystemExit(f"killed at operation {number} of {act}: {error!r}")
    if status == 7:
        break
    number += 1
print(number)
"""


@pytest.mark.parametrize("act", ["start", "stop", "restart"])
def test_an_agent_killed_at_any_operation_of_an_act_leaves_nothing_unknown(stage: Stage, act: str) -> None:
    script = stage.folder / "crashing.py"
    script.write_text(CRASHING)
    in_memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # a killed process needs no disk that lasts
    with tempfile.TemporaryDirectory(dir=in_memory) as root:
        arguments = [sys.executable, str(script), root, act]
        ran = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
        for mark in proc.marked(Home(Path(root)).id):
            proc.send(mark.stat.identity, signal.SIGKILL)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert int(ran.stdout) > 10
