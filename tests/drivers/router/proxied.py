"""A real proxy with real apps behind it, for one test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.strict_load import Answer, Broken, ask, request_bytes

from underway.drivers.router.caddy import CaddyRouter
from underway.terms.home import Home
from underway.terms.release import Slot
from underway.terms.route import AppRoute, SlotRoute, SlotTarget

HOST = "shop.localhost"
RELEASE_A, RELEASE_B = "0aaaaaaaaa", "0bbbbbbbbb"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(is_so: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, f"not so within {timeout_s} s"
        time.sleep(0.005)


async def until(is_so: Callable[[], bool], timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not is_so():
            await asyncio.sleep(0.005)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Upstream:
    """One instance of the small web app."""

    name: str
    port: int = field(default_factory=free_port)
    fall_file: str = "/nonexistent/fall"
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = Path(__file__).with_name("upstream.py")
        self.process = subprocess.Popen([sys.executable, str(program), str(self.port), self.name, self.fall_file])
        wait_until(lambda: answers(self.port))

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def upstreams(*names: str, fall_file: str = "/nonexistent/fall") -> Iterator[list[Upstream]]:
    running = [Upstream(name, fall_file=fall_file) for name in names]
    try:
        for each in running:
            each.start()
        yield running
    finally:
        for each in running:
            each.kill()


def make_home(root: Path) -> Home:
    return Home(root=root, http_port=free_port(), https_port=free_port())


def route(app: str = "shop", *, a: tuple[int, ...] = (), b: tuple[int, ...] = (), **keys: Any) -> AppRoute:
    slots = (SlotRoute(slot=Slot.A, ports=a), SlotRoute(slot=Slot.B, ports=b))
    return AppRoute(app=app, **{"hosts": (f"{app}.localhost",), "slots": slots, "has_web": bool(a or b)} | keys)


@dataclass
class Proxy:
    home: Home
    router: CaddyRouter

    async def get(self, path: str = "/", *, host: str = HOST, **keys: Any) -> Answer:
        return await ask("127.0.0.1", self.home.http_port, request_bytes(host, path, keep_alive=False, **keys))

    async def status(self, path: str = "/", **keys: Any) -> int:
        """The answer's status, 0 without one."""
        try:
            return (await self.get(path, **keys)).status
        except Broken:
            return 0

    def log_lines(self) -> list[Mapping[str, Any]]:
        return [json.loads(line) for line in (self.home.proxy / "access.log").read_text().splitlines()]


@contextlib.asynccontextmanager
async def proxy(root: Path, *routes: AppRoute) -> AsyncIterator[Proxy]:
    """A proxy for `routes`, whose slots carry the releases A and B. Everything of it is ended afterwards."""
    home = make_home(root)
    router = CaddyRouter(home, address="127.0.0.1")
    await router.start()
    try:
        await router.configure(routes)
        for each in routes:
            router.set_target(each.app, Slot.A, SlotTarget(release=RELEASE_A))
            router.set_target(each.app, Slot.B, SlotTarget(release=RELEASE_B))
        yield Proxy(home, router)
    finally:
        await router.stop()


@contextlib.asynccontextmanager
async def successor(to: Proxy) -> AsyncIterator[CaddyRouter]:
    """The router of the agent that comes after `to`'s, which has ended. It leaves the proxy running, as agents do."""
    await to.router.detach()
    router = CaddyRouter(to.home, address="127.0.0.1")
    try:
        await router.start()
        yield router
    finally:
        await router.detach()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def kill(pid: int) -> None:
    assert pid > 1
    os.kill(pid, signal.SIGKILL)
