"""Instances that end without being asked to."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from underway.drivers import proc
from underway.guard.restarts import RestartPolicy
from underway.terms.problem import Failure
from underway.terms.process import InstanceState

Stage = Any
ONCE = RestartPolicy(loop_after=1, loop_retry_s=600)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("exit 3", 3),
        ("true", 0),
        ("kill -KILL $$", -9),
        ("kill -TERM $$", -15),
        ("cd . && sh -c 'exit 7'", 7),
        ("no-such-program-here", 127),
        ("", 0),
        ("if then", 2),
    ],
)
def test_the_exit_code_is_told(stage: Stage, command: str, expected: int) -> None:
    async def story() -> None:
        async with stage.runtime(restarts=ONCE) as runtime:
            spec = stage.spec(command)
            await runtime.start(spec, stage.env())
            await stage.until(lambda: stage.ended)
            (end,) = stage.ended
            assert end.exit_code == expected
            assert end.restart_in_s is None
            (left,) = runtime.instances()
            assert (left.state, left.exit_code, left.pid) == (InstanceState.CRASH_LOOP, expected, 0)
            assert runtime.sample(spec.id) is None

    stage.play(story)


def test_an_instance_that_dies_is_started_again_with_its_last_words_told(stage: Stage) -> None:
    async def story() -> None:
        async with stage.runtime() as runtime:
            spec, env = stage.server()
            first = await runtime.start(spec, env)
            await stage.until(lambda: runtime.owns_port(spec.id) and runtime.log_tail(spec.id))
            (served,) = [pid for pid in stage.pids() if pid != first.pid]
            os.kill(served, signal.SIGKILL)
            await stage.until(lambda: stage.ended)
            assert stage.ended[0].exit_code == -9
            assert stage.ended[0].restart_in_s == pytest.approx(0.02)
            assert stage.ended[0].log_tail == ("serving",)
            assert 0 < stage.ended[0].ran_s < 20
            await stage.until(lambda: runtime.owns_port(spec.id))
            (now,) = runtime.instances()
            assert (now.state, now.restarts, now.exit_code) == (InstanceState.RUNNING, 1, -9)
            assert now.pid != first.pid

    stage.play(story)


def test_a_killed_leader_takes_its_program_with_it_before_the_next_life(stage: Stage) -> None:
    async def story() -> None:
        async with stage.runtime() as runtime:
            spec, env = stage.server()
            first = await runtime.start(spec, env)
            await stage.until(lambda: runtime.owns_port(spec.id))
            before = {proc.stat(pid) for pid in stage.pids()}
            os.kill(first.pid, signal.SIGKILL)
            await stage.until(lambda: stage.ended and runtime.owns_port(spec.id))
            assert stage.ended[0].exit_code == -9
            assert not any(proc.is_alive(one.identity) for one in before)

    stage.play(story)


def test_a_program_that_leaves_a_daemon_behind_does_not_keep_it(stage: Stage) -> None:
    async def story() -> None:
        async with stage.runtime(restarts=ONCE) as runtime:
            await runtime.start(stage.spec("setsid sleep 60 & echo left"), stage.env())
            await stage.until(lambda: stage.ended)
            assert not stage.pids()

    stage.play(story)


def test_five_short_lives_are_a_crash_loop_and_then_it_is_left_alone(stage: Stage) -> None:
    async def story() -> None:
        async with stage.runtime() as runtime:
            spec = stage.spec("echo life; exit 1")
            await runtime.start(spec, stage.env())
            await stage.until(lambda: len(stage.ended) == 5)
            assert [end.restart_in_s for end in stage.ended] == [
                pytest.approx(0.02 * 2**n) for n in range(4)
            ] + [None]  # fmt: skip
            (left,) = runtime.instances()
            assert (left.state, left.restarts) == (InstanceState.CRASH_LOOP, 4)
            assert not stage.pids()
            assert runtime.log_tail(spec.id) == ("life",) * 5
            # asked for again, it is started at once and its slate is clean
            again = await runtime.start(spec, stage.env())
            assert again.state is InstanceState.RUNNING
            await stage.until(lambda: len(stage.ended) == 6)
            assert stage.ended[5].restart_in_s == pytest.approx(0.02)

    stage.play(story)


def test_a_crash_loop_is_tried_again_after_a_long_while(stage: Stage) -> None:
    async def story() -> None:
        policy = RestartPolicy(first_delay_s=0.01, loop_after=2, loop_retry_s=0.05)
        async with stage.runtime(restarts=policy) as runtime:
            repaired = stage.folder / "repaired"
            spec = stage.spec(f"test -e {repaired} && exec sleep 60")
            await runtime.start(spec, stage.env())
            await stage.until(lambda: any(end.restart_in_s is None for end in stage.ended))
            repaired.touch()
            await stage.until(lambda: stage.pids() and runtime.instances()[0].state is InstanceState.RUNNING)

    stage.play(story)


def test_stop_during_back_off_is_the_end_of_it(stage: Stage) -> None:
    async def story() -> None:
        async with stage.runtime(restarts=RestartPolicy(first_delay_s=600, longest_delay_s=600)) as runtime:
            spec = stage.spec("exit 1")
            await runtime.start(spec, stage.env())
            await stage.until(lambda: stage.ended)
            assert runtime.instances()[0].state is InstanceState.BACKING_OFF
            await runtime.stop(spec.id)
            assert runtime.instances() == ()
            assert not any(stage.home.instances.iterdir())

    stage.play(story)


def test_a_restart_that_is_not_possible_is_told_with_its_reason(stage: Stage) -> None:
    async def story() -> None:
        async with stage.runtime(restarts=RestartPolicy(first_delay_s=0.05, loop_after=3)) as runtime:
            folder = stage.folder / "release"
            folder.mkdir()
            await runtime.start(stage.spec(f"rmdir {folder}; exit 1", cwd=str(folder)), stage.env())
            await stage.until(lambda: len(stage.ended) == 3)
            assert stage.ended[1].exit_code is None
            assert "the folder to run it in is not there" in stage.ended[1].log_tail[-1]
            assert runtime.instances()[0].state is InstanceState.CRASH_LOOP

    stage.play(story)


def test_a_listener_that_fails_does_not_stop_the_restart(stage: Stage) -> None:
    async def story() -> None:
        async with stage.runtime() as runtime:
            runtime._on_ended = lambda end: 1 / 0
            await runtime.start(stage.spec("exit 1"), stage.env())
            await stage.until(lambda: runtime.instances()[0].state is InstanceState.CRASH_LOOP)

    stage.play(story)


def test_an_instance_over_its_memory_limit_is_ended_and_the_reason_told(stage: Stage) -> None:
    body = "held = bytearray(200_000_000)\nimport time; time.sleep(60)"

    async def story() -> None:
        async with stage.runtime(restarts=ONCE) as runtime:
            (memory,) = [limit for limit in runtime.limits() if limit.resource == "memory"]
            if not memory.applies:
                pytest.skip(memory.says)
            await runtime.start(stage.spec(stage.program("eats.py", body), memory_bytes=50_000_000), stage.env())
            await stage.until(lambda: stage.ended)
            assert stage.ended[0].exit_code == -9
            assert stage.ended[0].is_out_of_memory
            assert not stage.pids()

    stage.play(story)


def test_a_fork_bomb_hits_its_limit_and_is_ended_whole(stage: Stage) -> None:
    body = """
import os, time
made = 0
try:
    for _ in range(300):
        if os.fork() == 0: time.sleep(60)
        made += 1
except OSError as error:
    print("refused", flush=True)
print("made", made, flush=True)
time.sleep(60)
"""

    async def story() -> None:
        async with stage.runtime(restarts=ONCE) as runtime:
            spec = stage.spec(stage.program("bomb.py", body), stop_timeout_s=0.2)
            await runtime.start(spec, stage.env())
            await stage.until(lambda: any(line.startswith("made") for line in runtime.log_tail(spec.id)))
            assert len(stage.pids()) > 300
            await runtime.stop(spec.id)
            assert not stage.pids()

    stage.play(story)


def test_a_port_that_is_in_use_is_refused_naming_who_has_it(stage: Stage) -> None:
    async def story() -> None:
        async with stage.runtime() as runtime:
            spec, env = stage.server()
            await runtime.start(spec, env)
            await stage.until(lambda: runtime.owns_port(spec.id))
            (served,) = [pid for pid in stage.pids() if pid != runtime.instances()[0].pid]
            with pytest.raises(Failure) as refused:
                await runtime.start(stage.spec("sleep 60", release="r2", port=spec.port), env)
            assert refused.value.problem.code == "runtime.port-taken"
            assert f"(pid {served})" in refused.value.problem.why
            assert [one.spec.id for one in runtime.instances()] == [spec.id]

    stage.play(story)
