"""What Linux tells of processes (proc_pid_stat(5)), and waiting for and signalling exactly one of them.

A pid alone names nothing for long: it is used again. Here a process is named by its pid *and* its start time
(`Identity`), and signals go through a pidfd that was checked to be that process.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

HOME_MARK = "UNDERWAY_HOME_ID"
INSTANCE_MARK = "UNDERWAY_INSTANCE"
TASK_MARK = "UNDERWAY_TASK"
SERVER_MARK = "UNDERWAY_SERVER"
AGENT_MARK = "UNDERWAY_AGENT"
SPAWN_MARK = "UNDERWAY_SPAWN"
"""A fresh random word per start: it tells this life of an instance or task from any other, also across a crash."""

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

_READ_BYTES = 1 << 20
_EXECVE_S = 1.0
_LOOK_S = 0.002
_FLAGS, _ENV_END = 6, 48
"""Where proc_pid_stat(5) has them, counted from the state."""
_PF_EXITING, _PF_KTHREAD = 0x4, 0x200000
"""Of the kernel's include/linux/sched.h."""


class Identity(NamedTuple):
    """One process for good (until the next boot)."""

    pid: int
    start_ticks: int


class Stat(NamedTuple):
    """The fields of /proc/PID/stat that are used here. Ticks are 1/CLOCK_TICKS s; `reaped_ticks` is the CPU time
    of children that ended and were waited for."""

    pid: int
    state: str
    ppid: int
    group: int
    session: int
    cpu_ticks: int
    reaped_ticks: int
    start_ticks: int
    rss_pages: int

    @property
    def identity(self) -> Identity:
        return Identity(self.pid, self.start_ticks)

    @property
    def is_over(self) -> bool:
        """It ended and only waits for its parent to notice (zombie)."""
        return self.state in "ZX"


class Mark(NamedTuple):
    """The marks of a home found in a process's environment. Empty strings where a mark is missing."""

    stat: Stat
    instance: str
    task: str
    server: str
    agent: str
    spawn: str


@functools.cache
def boot_id() -> str:
    """The kernel's random id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _read(path: str) -> bytes | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, _READ_BYTES)
    except OSError:
        return None
    finally:
        os.close(fd)


def stat(pid: int) -> Stat | None:
    """The process with this pid, zombies too; None when there is none."""
    f = _fields(pid)
    if not f:
        return None
    return Stat(
        pid, f[0].decode(), int(f[1]), int(f[2]), int(f[3]), int(f[11]) + int(f[12]), int(f[13]) + int(f[14]),
        int(f[19]), int(f[21]),
    )  # fmt: skip


def _fields(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from the state on, none when it is gone."""
    text = _read(f"/proc/{pid}/stat")
    return text[text.rindex(b")") + 2 :].split() if text else []  # the name before it may hold spaces and brackets


def is_alive(identity: Identity) -> bool:
    """True while this very process runs (a zombie does not)."""
    found = stat(identity.pid)
    return found is not None and found.start_ticks == identity.start_ticks and not found.is_over


def pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def living() -> dict[int, Stat]:
    """Every process that has not ended. Costs about 20 µs per process: use a thread when it matters."""
    found = (stat(pid) for pid in pids())
    return {one.pid: one for one in found if one is not None and not one.is_over}


def marked(home_id: str) -> list[Mark]:
    """Every living process that carries this home's mark, except the caller."""
    found: list[Mark] = []
    unread: list[int] = []
    for pid in pids():
        environ = _read(f"/proc/{pid}/environ")
        if environ and (mark := _mark(pid, environ, home_id)):
            found.append(mark)
        elif environ == b"" and _can_be_in_execve(pid):
            unread.append(pid)
    deadline = time.monotonic() + _EXECVE_S
    while unread and time.monotonic() < deadline:
        for pid in tuple(unread):
            is_late = _is_in_execve(pid)  # asked first: if it was over then, the environment can be seen
            environ = _read(f"/proc/{pid}/environ")
            if environ and (mark := _mark(pid, environ, home_id)):
                found.append(mark)
            if environ != b"" or not (is_late or _is_in_execve(pid)):
                unread.remove(pid)
        if unread:
            time.sleep(_LOOK_S)
    return found


def _can_be_in_execve(pid: int) -> bool:
    """False for a kernel thread and for what is ending: these have no environment and will have none."""
    fields = _fields(pid)
    return bool(fields) and fields[0] not in (b"Z", b"X") and not int(fields[_FLAGS]) & (_PF_EXITING | _PF_KTHREAD)


def _is_in_execve(pid: int) -> bool:
    """True while the process has its new memory from execve(2) and no environment in it: microseconds, or as long as
    a busy machine leaves it waiting there. `env_end` is 0 then, and not in a process that merely has no variables."""
    return _can_be_in_execve(pid) and len(fields := _fields(pid)) > _ENV_END and fields[_ENV_END] == b"0"


def is_of(pid: int, home_id: str) -> bool:
    """True when the process carries this home's mark, or is the caller itself."""
    return pid == os.getpid() or f"{HOME_MARK}={home_id}".encode() in (_read(f"/proc/{pid}/environ") or b"").split(
        b"\0"
    )


def _mark(pid: int, environ: bytes, home_id: str) -> Mark | None:
    if f"{HOME_MARK}={home_id}".encode() not in environ or pid == os.getpid():
        return None
    variables = dict(entry.partition(b"=")[::2] for entry in environ.split(b"\0"))
    one = stat(pid)
    if variables.get(HOME_MARK.encode()) != home_id.encode() or one is None or one.is_over:
        return None
    names = (INSTANCE_MARK, TASK_MARK, SERVER_MARK, AGENT_MARK, SPAWN_MARK)
    return Mark(one, *(variables.get(name.encode(), b"").decode(errors="replace") for name in names))


def argv(pid: int) -> list[str]:
    """The command line, empty for a kernel thread or a process that is gone."""
    text = _read(f"/proc/{pid}/cmdline") or b""
    return [word.decode(errors="replace") for word in text.rstrip(b"\0").split(b"\0")] if text else []


def name(pid: int) -> str:
    """The short name of a process ("python3"), empty when it is gone."""
    return (_read(f"/proc/{pid}/comm") or b"").decode(errors="replace").strip()


def age_s(identity: Identity) -> float:
    """Seconds since the process started."""
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - identity.start_ticks / CLOCK_TICKS)


def open_pidfd(identity: Identity) -> int | None:
    """A pidfd of exactly this process (readable when it ends), None when it is gone. The caller closes it."""
    try:
        fd = os.pidfd_open(identity.pid)
    except OSError:
        return None
    found = stat(identity.pid)
    if found is None or found.start_ticks != identity.start_ticks:
        os.close(fd)
        return None
    return fd


def send(identity: Identity, number: signal.Signals) -> bool:
    """Signal exactly this process; False when it is gone or not ours to signal."""
    fd = open_pidfd(identity)
    if fd is None:
        return False
    try:
        signal.pidfd_send_signal(fd, number)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


async def wait_ended(identities: Iterable[Identity], timeout_s: float) -> bool:
    """Wait until all of them ended, at most `timeout_s`. No polling: one pidfd each."""
    loop = asyncio.get_running_loop()
    fds = [fd for one in identities if (fd := open_pidfd(one)) is not None]
    waits: list[asyncio.Future[None]] = []
    try:
        for fd in fds:
            ended: asyncio.Future[None] = loop.create_future()
            loop.add_reader(fd, _resolve, loop, fd, ended)
            waits.append(ended)
        if waits:
            _, pending = await asyncio.wait(waits, timeout=max(0.0, timeout_s))
            return not pending
        return True
    finally:
        for fd in fds:
            loop.remove_reader(fd)
            os.close(fd)


def _resolve(loop: asyncio.AbstractEventLoop, fd: int, ended: asyncio.Future[None]) -> None:
    loop.remove_reader(fd)
    if not ended.done():
        ended.set_result(None)
