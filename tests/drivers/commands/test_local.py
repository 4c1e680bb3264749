"""Tasks: commands that run to their end, or are brought to it with everything they started."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from underway.drivers import proc
from underway.drivers.cgroups import ControlGroups
from underway.drivers.commands.apart import EXIT_NO_VIEW
from underway.drivers.commands.local import LocalCommands
from underway.terms.home import Home
from underway.terms.problem import Failure
from underway.terms.process import Apart, Task, TaskEnd


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    built = Home(tmp_path / "home")
    yield built
    left = proc.marked(built.id)
    for mark in left:
        proc.send(mark.stat.identity, signal.SIGKILL)
    assert not left, f"processes were left behind: {[proc.argv(m.stat.pid) for m in left]}"
    assert ControlGroups(built.id).names() == set()


def task(home: Home, *argv: str, **more: object) -> Task:
    given = {"id": "build", "cwd": str(home.root.parent), "env": {"PATH": os.environ["PATH"]}, "timeout_s": 30.0}
    return Task(**{**given, "argv": argv, "log_path": str(home.root / "logs" / "build.log"), **more})


def run(home: Home, *argv: str, **more: object) -> TaskEnd:
    return asyncio.run(LocalCommands(home, grace_s=0.3).run(task(home, *argv, **more)))


async def until_found(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("script", "exit_code"), [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", -9), ("kill -TERM $$", -15)]
)
def test_the_exit_code_is_that_of_the_command(home: Home, script: str, exit_code: int) -> None:
    end = run(home, "sh", "-c", script)
    assert (end.exit_code, end.timed_out) == (exit_code, False)


def test_arguments_arrive_as_they_are(home: Home) -> None:
    words = ["two words", "$HOME", "", 'it\'s "quoted"', "-c", "a;b", "*"]
    end = run(home, sys.executable, "-c", "import sys; print(sys.argv[1:])", *words)
    assert end.log_tail == (str(words),)


def test_only_the_given_environment_is_seen(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTS_OWN_TOKEN", "canary")
    end = run(home, "env", env={"PATH": os.environ["PATH"], "A": "b c"})
    names = {line.partition("=")[0] for line in end.log_tail}
    assert "A=b c" in end.log_tail
    assert names == {"PATH", "A", "PWD", "UNDERWAY_HOME_ID", "UNDERWAY_TASK", "UNDERWAY_SPAWN"}


def test_output_goes_to_a_private_log_and_the_tail_is_of_this_task_alone(home: Home) -> None:
    run(home, "sh", "-c", "echo one; echo two >&2")
    end = run(home, "sh", "-c", "for i in $(seq 100); do echo line $i; done; printf '\\033[31mlast\\033[0m'")
    assert end.log_tail == (*(f"line {n}" for n in range(72, 101)), "last")
    log = home.root / "logs" / "build.log"
    assert log.read_text().startswith("one\ntwo\nline 1\n")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert run(home, "true").log_tail == ()


@pytest.mark.parametrize(
    "more",
    [{"argv": ("no-such-program",)}, {"argv": ("./nowhere",)}, {"cwd": "/nowhere"}, {"argv": ()}, {"env": {"A": "\0"}}],
    ids=["unknown program", "missing file", "missing folder", "nothing", "bad environment"],
)
def test_what_cannot_be_started_is_a_failure(home: Home, more: dict[str, object]) -> None:
    with pytest.raises(Failure) as failed:
        run(home, "/bin/true", **more)
    assert failed.value.problem.code == "command.spawn"


FAMILY = "trap '' TERM; (setsid sleep 60 &); sleep 60 & touch up; sleep 60; sleep 60"


def test_a_task_over_its_time_is_ended_with_everything_it_started(home: Home) -> None:
    began = time.monotonic()
    end = run(home, "sh", "-c", "echo begun; sleep 60 & setsid sleep 60 & sleep 60", timeout_s=0.3)
    assert end.timed_out
    assert end.exit_code == -15
    assert end.log_tail[0] == "begun"
    assert 0.3 <= time.monotonic() - began < 30
    assert proc.marked(home.id) == []


def test_a_task_that_ignores_sigterm_is_killed(home: Home) -> None:
    end = run(home, "sh", "-c", FAMILY, timeout_s=0.3)
    assert end.timed_out
    assert end.exit_code == -9
    assert proc.marked(home.id) == []


def test_a_cancelled_task_is_ended_before_the_cancellation_goes_on(home: Home) -> None:
    async def story() -> None:
        running = asyncio.create_task(
            LocalCommands(home, grace_s=0.3).run(task(home, "sh", "-c", "setsid sleep 60 & touch up; sleep 60"))
        )
        await until_found(home.root.parent / "up")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert proc.marked(home.id) == []

    asyncio.run(story())


def test_a_second_cancellation_does_not_leave_processes_behind(home: Home) -> None:
    async def story() -> None:
        running = asyncio.create_task(LocalCommands(home, grace_s=0.3).run(task(home, "sh", "-c", FAMILY)))
        await until_found(home.root.parent / "up")
        for _ in range(3):
            running.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await running
        assert proc.marked(home.id) == []

    asyncio.run(story())


def test_what_a_task_leaves_in_the_background_ends_with_it(home: Home) -> None:
    assert run(home, "sh", "-c", "setsid sleep 60 & sleep 60 & echo done").log_tail == ("done",)
    assert proc.marked(home.id) == []


def test_tasks_run_side_by_side_also_with_one_id(home: Home) -> None:
    async def story() -> None:
        commands = LocalCommands(home, grace_s=0.3)
        both = [commands.run(task(home, "sh", "-c", f"sleep {s}; exit {n}")) for n, s in ((1, 0.05), (2, 0.3))]
        assert [end.exit_code for end in await asyncio.gather(*both)] == [1, 2]

    asyncio.run(story())


AGENT = """
import asyncio, sys
from pathlib import Path
from underway.drivers.commands.apart import EXIT_NO_VIEW
from underway.drivers.commands.local import LocalCommands
from underway.terms.home import Home
from underway.terms.process import Task
home = Home(Path(sys.argv[1]))
asyncio.run(LocalCommands(home).run(Task(
    id="build", argv=("sh", "-c", "setsid sleep 60 & touch up; sleep 60"), cwd=str(home.root.parent),
    env={"PATH": sys.argv[2]}, log_path=str(home.root / "build.log"), timeout_s=600)))
"""


def test_tasks_of_a_dead_agent_are_swept_and_nothing_else_is(home: Home) -> None:
    async def story() -> None:
        await until_found(home.root.parent / "up")
        agent.kill()
        agent.wait()
        assert len(proc.marked(home.id)) >= 2
        commands = LocalCommands(home, grace_s=0.3)
        running = asyncio.create_task(commands.run(task(home, "sh", "-c", "touch up2; sleep 0.5; exit 5")))
        await until_found(home.root.parent / "up2")
        assert await commands.sweep() >= 2
        assert (await running).exit_code == 5
        assert proc.marked(home.id) == [m for m in proc.marked(home.id) if m.instance]
        assert await commands.sweep() == 0
        assert instance.poll() is None

    marks = {proc.HOME_MARK: home.id, proc.INSTANCE_MARK: "shop.r1.web.1"}
    instance = subprocess.Popen(["sleep", "60"], env={**os.environ, **marks})
    agent = subprocess.Popen([sys.executable, "-c", AGENT, str(home.root), os.environ["PATH"]])
    try:
        asyncio.run(story())
    finally:
        for started in (agent, instance):
            started.kill()
            started.wait()


def test_a_task_over_its_memory_limit_fails_alone(home: Home) -> None:
    (memory,) = [limit for limit in ControlGroups(home.id).limits() if limit.resource == "memory"]
    if not memory.applies:
        pytest.skip(memory.says)
    end = run(home, sys.executable, "-c", "held = bytearray(200_000_000); print('fits')", memory_bytes=60_000_000)
    assert end.exit_code == -9
    assert "fits" not in end.log_tail


def test_a_command_set_apart_sees_a_copy_and_writes_nowhere_else(home: Home, tmp_path: Path) -> None:
    real, copy, kept = tmp_path / "real", tmp_path / "copy", Path("/var/lib")
    for folder, text in ((real, "real"), (copy, "copy")):
        folder.mkdir()
        (folder / "file").write_text(text)
    (tmp_path / "link").symlink_to(real)
    apart = Apart(binds=((str(real), str(copy)),))
    script = f"cat {real}/file {tmp_path}/link/file; cd real && echo more >new; echo no >{kept}/underway-test"
    end = run(home, "sh", "-c", script, apart=apart)
    if end.exit_code == EXIT_NO_VIEW:
        pytest.skip(f"no mount namespaces here: {end.log_tail[-1]}")
    assert "copycopy" in "".join(end.log_tail), "by every path"
    assert "Read-only file system" in end.log_tail[-1]
    assert sorted(path.name for path in copy.iterdir()) == ["file", "new"]
    assert [path.read_text() for path in real.iterdir()] == ["real"]
    assert not (kept / "underway-test").exists()
