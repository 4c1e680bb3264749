"""Keeping a server that outlives its keeper, tried on a small server of our own making."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from underway.drivers import proc
from underway.drivers.account import Account
from underway.drivers.server_process import ServerEnded, ServerProcess, ServerSpec, is_wanted
from underway.terms.problem import Failure

SERVER = "echo begun >&2; touch ready; exec sleep 600"
STUBBORN = "trap '' TERM; touch ready; while :; do sleep 0.05; done"
BROKEN = "echo 'no such option: --colour' >&2; exit 3"
SLEEPER = "sleep 600 & echo $! >child; touch ready; wait"


def a_server(folder: Path, script: str, **changes: object) -> ServerSpec:
    data = folder / "data"
    data.mkdir(exist_ok=True)

    async def is_ready(pid: int) -> bool:
        return (data / "ready").exists()

    async def prepare() -> None:
        (data / "ready").unlink(missing_ok=True)

    values: dict[str, object] = {
        "home_id": f"{abs(hash(folder)):08x}"[:8],
        "name": "trial",
        "argv": ("/bin/sh", "-c", script),
        "cwd": data,
        "log_path": folder / "server.log",
        "state_path": folder / "server.json",
        "account": Account(os.geteuid(), os.getegid(), "me", is_other=False),
        "code": "trial.start",
        "is_ready": is_ready,
        "prepare": prepare,
        "stop_timeout_s": 0.3,
    }
    return ServerSpec(**{**values, **changes})


async def until(holds: Callable[[], bool], within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.01)


def run(story: Callable[[], Awaitable[None]], spec: ServerSpec) -> None:
    async def and_end() -> None:
        try:
            await story()
        finally:
            await ServerProcess(spec).stop()

    asyncio.run(and_end())


def living(spec: ServerSpec) -> list[int]:
    return [mark.stat.pid for mark in proc.marked(spec.home_id)]


def test_it_is_started_once_and_told_of_when_it_ends(tmp_path: Path) -> None:
    spec = a_server(tmp_path, SERVER)
    news: list[ServerEnded] = []

    async def story() -> None:
        server = ServerProcess(spec, news.append)
        assert await server.start()
        assert not await server.start()
        first = server.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: server.pid not in (0, first))
        assert [(one.name, one.log_tail) for one in news] == [("trial", ("begun",))]
        assert not Path(f"/proc/{first}").exists(), "it was left a zombie"

    run(story, spec)
    assert living(spec) == []


def test_two_keepers_of_one_server_do_not_fight(tmp_path: Path) -> None:
    spec = a_server(tmp_path, SERVER)

    async def story() -> None:
        one, other = ServerProcess(spec), ServerProcess(spec)
        assert await one.start()
        assert not await other.start()
        first = one.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: one.pid == other.pid and one.pid not in (0, first))
        assert len(living(spec)) == 1
        await one.detach()
        await other.detach()

    run(story, spec)


def test_one_that_does_not_start_is_a_failure_with_its_words(tmp_path: Path) -> None:
    spec = a_server(tmp_path, BROKEN)

    async def story() -> None:
        with pytest.raises(Failure) as failed:
            await ServerProcess(spec).start()
        assert failed.value.problem.code == "trial.start"
        assert "no such option: --colour" in failed.value.problem.why
        assert failed.value.log_tail == ("no such option: --colour",)

    run(story, spec)


def test_a_program_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    spec = a_server(tmp_path, SERVER, argv=(str(tmp_path / "absent"),))

    async def story() -> None:
        with pytest.raises(Failure) as failed:
            await ServerProcess(spec).start()
        assert str(tmp_path / "absent") in failed.value.problem.why

    run(story, spec)


def test_starts_that_keep_failing_come_less_and_less_often(tmp_path: Path) -> None:
    spec = a_server(tmp_path, "test -e ../broken && exit 1; touch ready; exec sleep 600")
    news: list[ServerEnded] = []

    async def story() -> None:
        server = ServerProcess(spec, news.append)
        await server.start()
        (tmp_path / "broken").touch()
        os.kill(server.pid, signal.SIGKILL)
        await until(lambda: len(news) >= 4)
        assert [one.restart_in_s for one in news[:4]] == [0.0, 0.2, 0.5, 1.0]
        (tmp_path / "broken").unlink()
        await until(lambda: server.pid != 0 and (spec.cwd / "ready").exists())

    run(story, spec)


def test_one_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    spec = a_server(tmp_path, STUBBORN)

    async def story() -> None:
        server = ServerProcess(spec)
        await server.start()
        began = time.monotonic()
        await server.stop()
        assert server.pid == 0
        assert 0.3 <= time.monotonic() - began < 30
        assert living(spec) == []

    run(story, spec)


def test_children_of_a_killed_server_are_ended_before_the_next_begins(tmp_path: Path) -> None:
    spec = a_server(tmp_path, SLEEPER)

    async def story() -> None:
        server = ServerProcess(spec)
        await server.start()
        first, child = server.pid, int((spec.cwd / "child").read_text())
        os.kill(first, signal.SIGKILL)
        await until(lambda: server.pid not in (0, first))
        assert (found := proc.stat(child)) is None or found.is_over

    run(story, spec)


def test_a_stop_is_remembered_and_so_is_a_start(tmp_path: Path) -> None:
    spec = a_server(tmp_path, SERVER)

    async def story() -> None:
        assert not is_wanted(spec.state_path)
        await ServerProcess(spec).start()
        assert is_wanted(spec.state_path)
        await ServerProcess(spec).stop()  # by another agent than the one that started it
        assert not is_wanted(spec.state_path)
        assert living(spec) == []

    run(story, spec)


def test_a_pid_that_is_used_again_is_not_taken_for_the_server(tmp_path: Path) -> None:
    spec = a_server(tmp_path, SERVER)
    mine = proc.stat(os.getpid())
    assert mine is not None
    for ticks, boot in ((mine.start_ticks + 1, proc.boot_id()), (mine.start_ticks, "another-boot")):
        spec.state_path.write_text(f'{{"is_wanted":true,"pid":{os.getpid()},"start_ticks":{ticks},"boot_id":"{boot}"}}')
        assert ServerProcess(spec).find() is None


def test_its_environment_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_SECRET", "CANARY")
    spec = a_server(tmp_path, SERVER, env={"OWN": "1"})

    async def story() -> None:
        server = ServerProcess(spec)
        await server.start()
        names = {entry.partition(b"=")[0] for entry in Path(f"/proc/{server.pid}/environ").read_bytes().split(b"\0")}
        assert {b"OWN", b"UNDERWAY_HOME_ID", b"UNDERWAY_SERVER"} <= names
        assert b"AGENT_SECRET" not in names

    run(story, spec)
