"""Run the agent: one per home, an API on a unix socket that only its owner can open."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator, Mapping

import uvicorn

from underway.agent.agent import Agent
from underway.agent.api import make_api
from underway.agent.door import Door
from underway.journal.journal import Journal
from underway.ports.drivers import Drivers
from underway.terms.home import Home
from underway.terms.problem import Failure, Problem, Refusal
from underway.terms.process import InstanceEnded
from underway.wiring.drivers import make_drivers, open_journal
from underway.wiring.home import make_home

_log = logging.getLogger(__name__)

OpenJournal = Callable[[Home], Journal]
MakeDoor = Callable[[Agent], Door]


def run_agent(
    home: Home, environ: Mapping[str, str], open_it: OpenJournal = open_journal, make_door: MakeDoor | None = None
) -> None:
    """Serve until SIGTERM, SIGINT or `POST /v1/stop`. Raises `Refusal` (`agent.running`, `home.unwritable`,
    `journal.newer`, `journal.unwritable`)."""
    make_home(home)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it holds secrets, and so do those it starts
    with _only_one(home):
        asyncio.run(_serve(home, environ, open_it, make_door))


async def _serve(home: Home, environ: Mapping[str, str], open_it: OpenJournal, make_door: MakeDoor | None) -> None:
    heard: list[Callable[[InstanceEnded], None]] = []
    on: Drivers = make_drivers(home, environ, lambda news: heard[0](news) if heard else None)
    try:
        agent = Agent(on, open_it(home), owner=_owner())
        heard.append(agent.heard)
        await agent.start()
        agent.door = make_door(agent) if make_door else None
    except Failure as failure:
        raise Refusal([failure.problem]) from failure  # nothing was changed, so it is one

    def leave() -> None:
        agent.leaving.set()
        server.should_exit = True

    server = uvicorn.Server(
        uvicorn.Config(
            make_api(agent, leave),
            http="h11",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=1,
            server_header=False,
        )
    )
    listener = _listen(home)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, leave)
    if agent.door is not None:
        await agent.door.wake()
    try:
        await server._serve([listener])  # serve() would replace our signal handlers
    finally:
        if agent.door is not None:
            await agent.door.close()
        await agent.stop()
        with contextlib.suppress(FileNotFoundError):
            home.agent_socket.unlink()


def _listen(home: Home) -> socket.socket:
    """A socket in the 0700 run folder, 0600 from its first moment (the umask is 077)."""
    with contextlib.suppress(FileNotFoundError):
        home.agent_socket.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(home.agent_socket))
    home.agent_socket.chmod(0o600)
    return listener


@contextlib.contextmanager
def _only_one(home: Home) -> Iterator[None]:
    """Hold the home's lock; it goes with the process, however that ends."""
    descriptor = os.open(home.agent_lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            pid = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "another process"
            raise Refusal([_running(home, pid)]) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _owner() -> str:
    """`pid:start_ticks:boot_id`: names this process for good."""
    with open("/proc/self/stat") as stat, open("/proc/sys/kernel/random/boot_id") as boot:
        return f"{os.getpid()}:{stat.read().rpartition(')')[2].split()[19]}:{boot.read().strip()}"


def _running(home: Home, pid: str) -> Problem:
    return Problem(
        code="agent.running",
        where=str(home.root),
        why=f"the agent of this home is already running ({pid})",
        remedy="use it, or stop it first",
        command="underway agent stop",
    )
