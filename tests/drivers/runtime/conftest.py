"""A home with real processes, and the proof after each test that none of them is left."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from underway.drivers import proc
from underway.drivers.cgroups import ControlGroups
from underway.drivers.clock.system import SystemClock
from underway.drivers.runtime.processes import LocalRuntime
from underway.guard.restarts import RestartPolicy
from underway.ports.clock import Clock
from underway.terms.home import Home
from underway.terms.process import InstanceEnded, InstanceSpec
from underway.terms.release import Slot

SERVER = """
import socket, os, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(os.environ["PORT"]))); s.listen(64)
print("serving", flush=True)
while True:
    c, _ = s.accept(); c.recv(4096); c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"); c.close()
"""


class Stage:
    """What the tests of this room share: a home, programs in it, and news of ended instances."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder / "home")
        self.ended: list[InstanceEnded] = []
        self.python = f"{sys.executable} -I -S"

    @asynccontextmanager
    async def runtime(
        self, *, keep: bool = False, clock: Clock | None = None, **options: Any
    ) -> AsyncIterator[LocalRuntime]:
        """A runtime; at the end it stops what it runs, or (`keep`) only lets go of it."""
        options.setdefault("restarts", RestartPolicy(first_delay_s=0.02, loop_retry_s=600))
        runtime = LocalRuntime(self.home, clock or SystemClock(), self.ended.append, **options)
        try:
            yield runtime
        finally:
            if not keep:
                await asyncio.gather(*(runtime.stop(one.spec.id) for one in runtime.instances()))
            await runtime.close()

    def program(self, name: str, text: str) -> str:
        """Write a Python program; return the command that runs it."""
        path = self.folder / name
        path.write_text(text)
        return f"{self.python} {path}"

    def spec(self, command: str, **more: Any) -> InstanceSpec:
        more = {"app": "shop", "release": "r1", "process": "web", "number": 1, "slot": Slot.A} | more
        name = f"{more['app']}.{more['release']}.{more['process']}.{more['number']}"
        return InstanceSpec(**{"id": name, "command": command, "cwd": str(self.folder), "stop_timeout_s": 5.0} | more)

    def env(self, **more: str) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", **more}

    def free_port(self) -> int:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return int(s.getsockname()[1])

    def server(self, **more: Any) -> tuple[InstanceSpec, dict[str, str]]:
        port = self.free_port()
        return self.spec(self.program("server.py", SERVER), port=port, **more), self.env(PORT=str(port))

    def pids(self, instance_id: str | None = None) -> list[int]:
        """Living processes of the home, the shell that leads each instance included."""
        return [m.stat.pid for m in proc.marked(self.home.id) if instance_id in (None, m.instance)]

    async def until(self, is_so: Callable[[], Any], what: str = "", timeout_s: float = 20.0) -> Any:
        deadline = time.monotonic() + timeout_s
        while not (found := is_so()):
            assert time.monotonic() < deadline, f"never came true: {what or is_so}"
            await asyncio.sleep(0.005)
        return found

    def play(self, story: Callable[[], Awaitable[None]]) -> None:
        async def with_limit() -> None:
            async with asyncio.timeout(60):
                await story()

        asyncio.run(with_limit())


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    built = Stage(tmp_path)
    yield built
    left = proc.marked(built.home.id)
    for mark in left:
        proc.send(mark.stat.identity, signal.SIGKILL)
    assert not left, f"processes were left behind: {[(m.stat.pid, proc.argv(m.stat.pid)) for m in left]}"
    groups = ControlGroups(built.home.id)
    names = groups.names()
    for name in names:
        groups.group(name).remove()
    assert not names, f"control groups were left behind: {names}"
