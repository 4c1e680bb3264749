"""Whose socket answers on a port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import Any

import pytest

from underway.drivers import listeners

Stage = Any

SHARING = """
import os, signal, socket, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind(("127.0.0.1", int(os.environ["PORT"]))); s.listen(8)
print("serving", flush=True)
while True: time.sleep(60)
"""


def test_a_port_shared_with_the_previous_owner_is_not_ours_until_that_one_is_gone(stage: Stage) -> None:
    async def story() -> None:
        port = stage.free_port()
        command, env = stage.program("sharing.py", SHARING), stage.env(PORT=str(port))
        async with stage.runtime() as runtime:
            # the new one has no port in its spec's check: it starts while the old one still listens
            new = stage.spec(command, release="r2", port=port, stop_timeout_s=0.1)
            old_process = subprocess_of(command, env)
            try:
                await stage.until(lambda: listeners.listeners(port))
                old_process.send_signal(signal.SIGSTOP)
                with pytest.raises(Exception, match=f"pid {old_process.pid}"):
                    await runtime.start(new, env)
                late = stage.spec(f"sleep 0.05; {command}", release="r2", port=port, stop_timeout_s=0.1)
                old_process.kill()
                old_process.wait()
                await runtime.start(late, env)
                old_process = subprocess_of(command, env)
                await stage.until(lambda: len(listeners.listeners(port)) == 2)
                assert not runtime.owns_port(late.id)
                old_process.kill()
                old_process.wait()
                await stage.until(lambda: len(listeners.listeners(port)) == 1)
                assert runtime.owns_port(late.id)
            finally:
                old_process.kill()
                old_process.wait()

    stage.play(story)


def subprocess_of(command: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command.split(), env=env, stdout=subprocess.DEVNULL)


def test_the_port_is_owned_also_when_a_child_of_the_program_listens(stage: Stage) -> None:
    body = """
import os, socket, time
if os.fork() == 0:
    s = socket.socket(); s.bind(("127.0.0.1", int(os.environ["PORT"]))); s.listen(8)
    time.sleep(60)
time.sleep(60)
"""

    async def story() -> None:
        port = stage.free_port()
        async with stage.runtime() as runtime:
            spec = stage.spec(stage.program("child.py", body), port=port)
            worker = stage.spec("sleep 60", process="worker")
            await runtime.start(spec, stage.env(PORT=str(port)))
            await runtime.start(worker, stage.env())
            await stage.until(lambda: runtime.owns_port(spec.id))
            assert not runtime.owns_port(worker.id)
            assert not runtime.owns_port("unknown")

    stage.play(story)


def test_a_dead_owner_owns_nothing(stage: Stage) -> None:
    async def story() -> None:
        async with stage.runtime() as runtime:
            spec, env = stage.server()
            await runtime.start(spec, env)
            await stage.until(lambda: runtime.owns_port(spec.id))
            for pid in stage.pids():
                os.kill(pid, signal.SIGSTOP)  # it cannot be restarted meanwhile
            assert runtime.owns_port(spec.id)
            (served,) = [pid for pid in stage.pids() if pid != runtime.instances()[0].pid]
            os.kill(served, signal.SIGKILL)
            await stage.until(lambda: not listeners.listeners(spec.port))
            assert not runtime.owns_port(spec.id)
            os.kill(runtime.instances()[0].pid, signal.SIGCONT)

    stage.play(story)


@pytest.mark.parametrize(
    ("family", "address", "v6only", "reachable"),
    [
        (socket.AF_INET, "127.0.0.1", False, True),
        (socket.AF_INET, "0.0.0.0", False, True),
        (socket.AF_INET, "127.0.0.2", False, False),
        (socket.AF_INET6, "::", False, True),
        (socket.AF_INET6, "::", True, False),
        (socket.AF_INET6, "::1", False, False),
        (socket.AF_INET6, "::ffff:127.0.0.1", False, True),
    ],
)
def test_only_sockets_that_answer_at_127_0_0_1_count(family: int, address: str, v6only: bool, reachable: bool) -> None:
    try:
        with socket.socket(family) as s:
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
            s.bind((address, 0))
            s.listen()
            port, inode = s.getsockname()[1], os.fstat(s.fileno()).st_ino
            found = listeners.listeners(port)
            assert [one.inode for one in found] == ([inode] if reachable else [])
            with socket.socket() as caller:
                assert (caller.connect_ex(("127.0.0.1", port)) == 0) is reachable
            if not v6only:  # the tables do not tell sockets that are for IPv6 only
                assert [one.inode for one in listeners._read_tables() if one.port == port] == [o.inode for o in found]
    except OSError as error:
        pytest.skip(f"no such address here: {error}")


def test_a_bound_socket_that_does_not_listen_takes_the_port_too() -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        assert listeners.taken_by(port) == "a socket that does not listen"
    assert listeners.taken_by(port) is None


def test_a_connection_just_closed_does_not_take_the_port() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = server.accept()
            accepted.close()  # the side that closes first keeps TIME_WAIT
        assert sys.intern(listeners.taken_by(port) or "").endswith(f"(pid {os.getpid()})")
    assert listeners.taken_by(port) is None
