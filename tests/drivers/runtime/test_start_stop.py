"""Starting and stopping real programs, well and badly behaved ones."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from underway.drivers import listeners, proc
from underway.drivers.cgroups import ControlGroups
from underway.terms.problem import Failure
from underway.terms.process import InstanceState

Stage = Any


def test_a_server_runs_and_after_stop_nothing_of_it_is_left(stage: Stage) -> None:
    async def story() -> None:
        async with stage.runtime() as runtime:
            spec, env = stage.server()
            started = await runtime.start(spec, env)
            assert started.state is InstanceState.RUNNING
            assert proc.is_alive(proc.Identity(started.pid, started.start_ticks))
            await stage.until(lambda: runtime.owns_port(spec.id))
            assert runtime.log_tail(spec.id) == ("serving",)
            assert runtime.instances("other") == ()
            await runtime.stop(spec.id)
            assert runtime.instances() == ()
            assert not stage.pids()
            assert listeners.taken_by(spec.port) is None
            assert not any(stage.home.instances.iterdir())
            await runtime.stop(spec.id)  # what is not there may be stopped
        assert stage.ended == []

    stage.play(story)


def test_starting_what_runs_returns_the_one_that_runs(stage: Stage) -> None:
    async def story() -> None:
        async with stage.runtime() as runtime:
            spec, env = stage.server()
            both = await asyncio.gather(runtime.start(spec, env), runtime.start(spec, env))
            third = await runtime.start(spec, env)
            assert len({one.pid for one in (*both, third)}) == 1
            assert len(stage.pids()) <= 2  # the leader and the program

    stage.play(story)


def test_a_program_gets_the_given_environment_and_nothing_of_the_agents(stage: Stage, monkeypatch: Any) -> None:
    monkeypatch.setenv("AGENTS_OWN_TOKEN", "canary")
    out = stage.folder / "seen"
    body = f"""
import os, time, json
fds = [f"/proc/self/fd/{{fd}}" for fd in os.listdir("/proc/self/fd")]
fds = [os.readlink(fd) for fd in fds if os.path.exists(fd)]
seen = dict(env=dict(os.environ), fds=fds, sid=os.getsid(0), cwd=os.getcwd())
open({str(out)!r} + ".tmp", "w").write(json.dumps(seen)); os.rename({str(out)!r} + ".tmp", {str(out)!r})
time.sleep(60)
"""

    async def story() -> None:
        import json

        with (stage.folder / "agents-file").open("w") as agents_file:
            os.set_inheritable(agents_file.fileno(), True)
            async with stage.runtime() as runtime:
                spec = stage.spec(stage.program("look.py", body))
                started = await runtime.start(spec, stage.env(d="1", n="2", c="3", r="4", g="5", GREETING="it's $HOME"))
                await stage.until(out.exists)
        seen = json.loads(out.read_text())
        assert {k: v for k, v in seen["env"].items() if not k.startswith("UNDERWAY_")} == {
            "PATH": "/usr/bin:/bin", "PWD": str(stage.folder), "GREETING": "it's $HOME",
            "d": "1", "n": "2", "c": "3", "r": "4", "g": "5",
        } | ({"LC_CTYPE": "C.UTF-8"} if "LC_CTYPE" in seen["env"] else {})  # fmt: skip
        assert seen["env"]["UNDERWAY_INSTANCE"] == spec.id
        assert seen["sid"] == started.pid
        assert seen["cwd"] == str(stage.folder)
        open_files = sorted(name for name in seen["fds"] if not name.startswith("/proc"))
        log = str(stage.home.process_log("shop", "web", 1, "a"))
        assert open_files == sorted(["/dev/null", log, log])

    stage.play(story)


def test_secrets_stay_in_files_that_only_the_owner_reads_and_go_with_the_instance(stage: Stage) -> None:
    async def story() -> None:
        async with stage.runtime() as runtime:
            spec, env = stage.server()
            started = await runtime.start(spec, {**env, "PASSWORD": "canary-5f21"})
            folder = stage.home.instances / spec.id
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert stat.S_IMODE((folder / "instance.json").stat().st_mode) == 0o600
            assert stat.S_IMODE(stage.home.process_log("shop", "web", 1, "a").stat().st_mode) == 0o600
            assert "canary-5f21" not in repr(started)
            for pid in stage.pids():
                assert "canary-5f21" not in " ".join(proc.argv(pid))
        holding = [
            path for path in stage.home.root.rglob("*") if path.is_file() and b"canary-5f21" in path.read_bytes()
        ]
        assert holding == []

    stage.play(story)


STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True: time.sleep(60)
"""

ORPHANS = """
import os, time
# a daemon as they were once made: two forks and a session of its own, deaf to SIGTERM
import signal
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.closerange(0, 3)
        out = os.environ["OUT"]
        open(out + ".tmp", "w").write(str(os.getpid())); os.rename(out + ".tmp", out)
        while True: time.sleep(60)
    os._exit(0)
os.wait()
while True: time.sleep(60)
"""

CLEANED = """
import os, sys, time
# the same, and it forgets its environment on the way
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve(sys.executable, [sys.executable, "-I", "-S", "-c", '''
import os, sys, time
open(sys.argv[1] + ".tmp", "w").write(str(os.getpid())); os.rename(sys.argv[1] + ".tmp", sys.argv[1])
while True: time.sleep(60)
''', os.environ["OUT"]], {})
    os._exit(0)
os.wait()
while True: time.sleep(60)
"""


def test_a_program_that_ignores_sigterm_is_killed_after_its_time(stage: Stage) -> None:
    async def story() -> None:
        async with stage.runtime() as runtime:
            spec = stage.spec(stage.program("stubborn.py", STUBBORN), stop_timeout_s=0.3)
            await runtime.start(spec, stage.env())
            await stage.until(lambda: runtime.log_tail(spec.id) == ("ready",))
            began = time.monotonic()
            await runtime.stop(spec.id)
            assert 0.3 <= time.monotonic() - began < 30
            assert not stage.pids()

    stage.play(story)


@pytest.mark.parametrize("pause_ms", [0, 1, 2, 4, 8, 16])
def test_a_stop_right_after_the_start_reaches_the_program(stage: Stage, pause_ms: int) -> None:
    async def story() -> None:
        async with stage.runtime() as runtime:
            spec = stage.spec("exec sleep 60", stop_timeout_s=30.0)
            await runtime.start(spec, stage.env())
            await asyncio.sleep(pause_ms / 1000)
            began = time.monotonic()
            await runtime.stop(spec.id)
            assert time.monotonic() - began < 30

    stage.play(story)


def test_a_program_that_stops_nicely_is_given_the_time_to(stage: Stage) -> None:
    drain = """
import signal, sys, time
def leave(*_):
    time.sleep(0.4); print("drained", flush=True); sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("ready", flush=True)
while True: time.sleep(60)
"""

    async def story() -> None:
        async with stage.runtime() as runtime:
            spec = stage.spec(stage.program("drain.py", drain))
            await runtime.start(spec, stage.env())
            await stage.until(lambda: runtime.log_tail(spec.id) == ("ready",))
            began = time.monotonic()
            await runtime.stop(spec.id)
            assert 0.4 <= time.monotonic() - began < 30
        assert "drained" in stage.home.process_log("shop", "web", 1, "a").read_text()

    stage.play(story)


@pytest.mark.parametrize("program", [ORPHANS, CLEANED], ids=["ignores SIGTERM", "forgets its environment"])
def test_children_that_leave_the_session_are_ended_too(stage: Stage, program: str) -> None:
    out = stage.folder / "orphan"

    async def story() -> None:
        async with stage.runtime() as runtime:
            groups = ControlGroups(stage.home.id)
            if program is CLEANED and not groups.make("x").folders:
                pytest.skip("without control groups such a process cannot be told from others")
            groups.group("x").remove()
            spec = stage.spec(stage.program("orphans.py", program), stop_timeout_s=0.3)
            await runtime.start(spec, stage.env(OUT=str(out)))
            await stage.until(out.exists)
            orphan = proc.stat(int(out.read_text()))
            assert orphan is not None
            assert os.getsid(orphan.pid) != runtime.instances()[0].pid
            await runtime.stop(spec.id)
            assert not proc.is_alive(orphan.identity)

    stage.play(story)


def test_a_stop_goes_on_when_its_caller_goes_away(stage: Stage) -> None:
    async def story() -> None:
        async with stage.runtime() as runtime:
            spec = stage.spec(stage.program("stubborn.py", STUBBORN), stop_timeout_s=0.3)
            await runtime.start(spec, stage.env())
            asking = asyncio.create_task(runtime.stop(spec.id))
            await stage.until(lambda: runtime.instances()[0].state is InstanceState.STOPPING)
            asking.cancel()
            await stage.until(lambda: runtime.instances() == ())
            assert not stage.pids()

    stage.play(story)


def test_what_cannot_be_started_is_refused_with_the_reason(stage: Stage) -> None:
    async def story() -> None:
        async with stage.runtime() as runtime:
            with pytest.raises(Failure) as gone:
                await runtime.start(stage.spec("true", cwd=str(stage.folder / "nowhere")), {})
            assert gone.value.problem.code == "runtime.spawn"
            assert "nowhere" in gone.value.problem.why
            with pytest.raises(Failure) as odd:
                await runtime.start(stage.spec("true"), {"A": "with\0nul"})
            assert odd.value.problem.code == "runtime.spawn"
            assert runtime.instances() == ()
            assert list(Path(stage.home.instances).iterdir()) == []

    stage.play(story)


def test_the_sample_covers_the_whole_tree_and_its_cpu_time_only_grows(stage: Stage) -> None:
    body = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        held = bytearray(20_000_000)
        while time.process_time() < 0.1: pass
        print("held", flush=True); time.sleep(60)
while True: time.sleep(60)
"""

    async def story() -> None:
        async with stage.runtime() as runtime:
            spec = stage.spec(stage.program("forks.py", body))
            assert runtime.sample(spec.id) is None
            await runtime.start(spec, stage.env())
            await stage.until(lambda: len(runtime.log_tail(spec.id)) == 3)
            first = runtime.sample(spec.id)
            assert first is not None
            assert first.pids == 5  # the leader, the program, its three children
            assert 60_000_000 < first.rss_bytes < 300_000_000
            assert first.cpu_s >= 0.25  # 3 × 0.1 s, counted in steps of 10 ms where no control group counts
            os.kill(stage.pids(spec.id)[-1], signal.SIGKILL)
            again = runtime.sample(spec.id)
            assert again is not None
            assert again.cpu_s >= first.cpu_s

    stage.play(story)
