"""A server of ours that outlives the agent: adopted when it runs, started when it does not, kept alive."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from underway.drivers import proc
from underway.drivers.account import Account
from underway.drivers.whole_file import write_whole
from underway.terms.problem import Failure, Problem

_BACK_OFF_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_STEADY_AFTER_S = 60.0
"""A server that ran this long is started again without back-off."""
_LOG_LIMIT_BYTES = 8_000_000
_LOG_CHECK_S = 60.0
_READY_POLL_S = 0.01
_KILL_WAIT_S = 5.0
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerSpec:
    """How one server is run.

    `name` tells it from the home's other servers (`postgres`, `redis:shop`); `cwd` is its data folder, used by
    nothing else; `state_path` remembers which process it is. `prepare` runs before every start, `is_ready(pid)`
    says when it serves. `stop_signals` are sent one after the other, `stop_timeout_s` apart, before SIGKILL.
    `code` is that of the `Problem` raised when it does not start.
    """

    home_id: str
    name: str
    argv: tuple[str, ...]
    cwd: Path
    log_path: Path
    state_path: Path
    account: Account
    code: str
    is_ready: Callable[[int], Awaitable[bool]]
    prepare: Callable[[], Awaitable[None]]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGTERM,)
    stop_timeout_s: float = 10.0
    ready_timeout_s: float = 60.0

    @property
    def markers(self) -> dict[str, str]:
        """What the server's environment carries so that a later agent knows it, even without its state file."""
        return {proc.HOME_MARK: self.home_id, proc.SERVER_MARK: self.name}


class ServerEnded(msgspec.Struct, frozen=True, kw_only=True):
    """News: a server ended without being asked to, or could not be started again. It is tried again."""

    name: str
    ran_s: float
    restart_in_s: float
    log_tail: tuple[str, ...]


class _Recorded(msgspec.Struct, frozen=True):
    """The state file. `is_wanted` stays false after a stop, so that an agent's start leaves it stopped."""

    is_wanted: bool = True
    pid: int = 0
    start_ticks: int = 0
    boot_id: str = ""


def is_wanted(state_path: Path) -> bool:
    """True when the server of this state file was started and not stopped since."""
    return _recorded(state_path).is_wanted


class ServerProcess:
    """Runs one server after a `ServerSpec`. Calls may overlap; they take turns."""

    def __init__(self, spec: ServerSpec, tell: Callable[[ServerEnded], None] | None = None) -> None:
        self._spec = spec
        self._tell = tell
        self._turn = asyncio.Lock()
        self._process: proc.Identity | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._log_start = 0
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The server's pid, 0 when it does not run."""
        return self._process.pid if self._process is not None and proc.is_alive(self._process) else 0

    async def start(self) -> bool:
        """Adopt the running server or start it; return when it is ready, and keep it alive from now on.

        Returns True when a new process was started. Called again, it waits while a restart is under way.
        Raises `Failure` with the spec's code and the log's tail.
        """
        async with self._turn:
            is_new = not self.pid and not await self._adopt()
            if is_new:
                await self._spawn()
            await self._wait_ready()
            if self._keeper is None or self._keeper.done():
                self._keeper = asyncio.create_task(self._keep(), name=f"keep {self._spec.name}")
            return is_new

    async def stop(self) -> None:
        """Stop the server, whoever started it; on return no process of it is left. Stopping none is fine."""
        await self.detach()
        async with self._turn:
            process = self._process if self.pid else self.find()
            self._process = process
            self._record(is_wanted=False)
            if process is not None:
                await self._end(process)
            await self._clear_leftovers()
            self._process = None
            self._record(is_wanted=False)

    async def detach(self) -> None:
        """Stop watching and leave the server running."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper

    def find(self) -> proc.Identity | None:
        """The server's process if it runs: by its state file, else (a crash came before that) by its marks."""
        recorded = _recorded(self._spec.state_path)
        process = proc.Identity(recorded.pid, recorded.start_ticks)
        if recorded.pid and recorded.boot_id == proc.boot_id() and proc.is_alive(process):
            return process
        # Children of a server carry its marks too; only the server itself leads a session.
        found = (mark.stat for mark in proc.marked(self._spec.home_id) if mark.server == self._spec.name)
        return next((one.identity for one in found if one.session == one.pid), None)

    def log_tail(self, lines: int = 20) -> tuple[str, ...]:
        """The last lines the server wrote in this life."""
        with contextlib.suppress(OSError), self._spec.log_path.open("rb") as stream:
            stream.seek(max(self._log_start, _size(self._spec.log_path) - 64_000))
            return tuple(stream.read().decode(errors="replace").splitlines()[-lines:])
        return ()

    async def _adopt(self) -> bool:
        found = self.find()
        if found is None:
            return False
        self._process, self._child, self._began = found, None, time.monotonic()
        self._log_start = _size(self._spec.log_path)
        self._record(is_wanted=True)
        try:
            await self._wait_ready()
        except Failure:
            if self.pid:
                raise
            return False  # it was about to end when we found it
        return True

    async def _spawn(self) -> None:
        spec = self._spec
        self._began = time.monotonic()
        await self._clear_leftovers()
        await spec.prepare()
        self._child = self._open()
        started = proc.stat(self._child.pid)
        self._process = started.identity if started is not None else None
        self._record(is_wanted=True)

    def _open(self) -> subprocess.Popen[bytes]:
        spec = self._spec
        try:
            log = os.open(spec.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise self._failure(f"its log cannot be written: {error.strerror}") from error
        self._log_start = os.fstat(log).st_size
        try:
            return subprocess.Popen(
                spec.argv,
                cwd=spec.cwd,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", **spec.env, **spec.markers},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,
                user=spec.account.other_uid,
                group=spec.account.other_gid,
                extra_groups=spec.account.other_groups,
            )
        except OSError as error:
            raise self._failure(f"{spec.argv[0]} cannot be run: {error.strerror}") from error
        finally:
            os.close(log)

    async def _wait_ready(self) -> None:
        deadline = time.monotonic() + self._spec.ready_timeout_s
        while time.monotonic() < deadline:
            if not self.pid:
                self._reap()
                raise self._failure("it ended before it was ready")
            if await self._spec.is_ready(self.pid):
                return
            await asyncio.sleep(_READY_POLL_S)
        raise self._failure(f"it was not ready after {self._spec.ready_timeout_s:.0f} s (it is left to go on)")

    async def _keep(self) -> None:
        failures = 0
        while True:
            if self._process is not None:
                await self._wait_end(self._process)
            ran_s = time.monotonic() - self._began
            self._reap()
            failures = 0 if ran_s >= _STEADY_AFTER_S else failures
            delay_s = _BACK_OFF_S[min(failures, len(_BACK_OFF_S) - 1)]
            failures += 1
            ended = ServerEnded(name=self._spec.name, ran_s=ran_s, restart_in_s=delay_s, log_tail=self.log_tail())
            _LOG.warning("%s ended after %.1f s; starting it again in %.1f s", ended.name, ran_s, delay_s)
            if self._tell is not None:
                self._tell(ended)
            await asyncio.sleep(delay_s)
            async with self._turn:
                try:
                    if self.pid or await self._adopt():  # a call of start(), or another agent, came first
                        continue
                    await self._spawn()
                    await self._wait_ready()
                except (Failure, OSError) as failure:
                    _LOG.warning("%s: %s", self._spec.name, failure)

    async def _wait_end(self, process: proc.Identity) -> None:
        while not await proc.wait_ended([process], _LOG_CHECK_S):
            _trim(self._spec.log_path)

    async def _end(self, process: proc.Identity) -> None:
        for number in self._spec.stop_signals:
            proc.send(process, number)
            if await proc.wait_ended([process], self._spec.stop_timeout_s):
                break
        self._reap()

    async def _clear_leftovers(self) -> None:
        """End what is left of a server: one that does not stop, and the children of one that was killed."""
        deadline = time.monotonic() + _KILL_WAIT_S
        while leftovers := self._leftovers():
            for process in leftovers:
                proc.send(process, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise self._failure(f"processes of its former life do not end: {[one.pid for one in leftovers]}")
            await proc.wait_ended(leftovers, _KILL_WAIT_S)
            self._reap()

    def _leftovers(self) -> list[proc.Identity]:
        """Living processes with the server's marks, and those of its program that work in its data folder
        (PostgreSQL's children write their title over their environment)."""
        marked = (mark.stat for mark in proc.marked(self._spec.home_id) if mark.server == self._spec.name)
        program = os.path.basename(os.path.realpath(self._spec.argv[0]))
        working = (proc.stat(pid) for pid in proc.pids() if _works_in(pid, self._spec.cwd, program))
        return list({one.identity for one in (*marked, *working) if one is not None and not one.is_over})

    def _reap(self) -> None:
        """Take the exit status of a child of ours, so that no zombie stays."""
        if self._child is not None:
            self._child.poll()
        elif self._process is not None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._process.pid, os.WNOHANG)

    def _record(self, *, is_wanted: bool) -> None:
        process = self._process or proc.Identity(0, 0)
        state = _Recorded(is_wanted, process.pid, process.start_ticks, proc.boot_id())
        write_whole(self._spec.state_path, msgspec.json.encode(state))

    def _failure(self, why: str) -> Failure:
        spec = self._spec
        tail = self.log_tail()
        return Failure(
            Problem(
                code=spec.code,
                where=str(spec.cwd),
                why=f"{spec.name}: {why}" + (f": {tail[-1]}" if tail else ""),
                remedy="read the server's log, mend what it names, and start it again",
                command=f"tail -n 50 {spec.log_path}",
            ),
            tail,
        )


def _works_in(pid: int, folder: Path, program: str) -> bool:
    try:
        if os.readlink(f"/proc/{pid}/cwd") != str(folder):
            return False
        executable = os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return False
    return os.path.basename(executable.removesuffix(" (deleted)")) == program


def _recorded(state_path: Path) -> _Recorded:
    try:
        return msgspec.json.decode(state_path.read_bytes(), type=_Recorded)
    except (OSError, msgspec.DecodeError):
        return _Recorded(is_wanted=False)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _trim(log_path: Path) -> None:
    """Keep a log from growing for ever: beyond the limit it moves to `.1`. The server appends, so it goes on at 0."""
    if _size(log_path) > _LOG_LIMIT_BYTES:
        content = log_path.read_bytes()[-_LOG_LIMIT_BYTES:]
        write_whole(log_path.with_name(log_path.name + ".1"), content)
        os.truncate(log_path, 0)
