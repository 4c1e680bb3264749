"""One instance in the agent's memory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from underway.drivers import listeners, proc
from underway.drivers.cgroups import Group
from underway.drivers.masked_log import MaskedLog
from underway.drivers.process_tree import Tree
from underway.drivers.runtime.record import Record
from underway.drivers.spawn import written_exit_code
from underway.terms.environment import Environ
from underway.terms.process import Instance, InstanceState, ProcessSample


@dataclass(eq=False)
class Life:
    """An instance as the runtime of this agent holds it: its record, how it is watched, and what is due for it."""

    record: Record
    folder: Path
    log: Path
    home_id: str
    environ: Environ | None = None
    """What its processes get; None when what was kept of it cannot be read."""
    output: MaskedLog | None = None
    """Where its output goes on the way to the log; None for one that has no secrets."""
    state: InstanceState = InstanceState.STARTING
    popen: subprocess.Popen[bytes] | None = None
    pidfd: int | None = None
    timer: asyncio.TimerHandle | None = None
    socket: tuple[int, int, int] | None = None
    """(inode, pid, descriptor) of the listening socket as last found."""
    cpu_before_s: float = 0.0
    cpu_s: float = 0.0
    memory_kills: int = 0

    @property
    def has_process(self) -> bool:
        return self.state in (InstanceState.RUNNING, InstanceState.STOPPING)

    @property
    def group(self) -> Group:
        return Group(tuple(Path(folder) for folder in self.record.groups))

    @property
    def tree(self) -> Tree:
        is_this_boot = self.record.boot_id == proc.boot_id()
        leader = self.record.leader if is_this_boot else None
        return Tree(self.home_id, "instance", self.record.spec.id, leader, self.group if is_this_boot else Group())

    @property
    def writes_to(self) -> Path:
        return self.output.spool if self.output else self.log

    def pump(self) -> bool:
        """Bring its output so far to the log; True when there may be more."""
        return self.output is not None and self.output.pump()

    def end_output(self) -> None:
        """Bring all of its output to the log. Its processes have ended."""
        if self.output is not None:
            self.output.finish()

    def snapshot(self) -> Instance:
        runs = self.has_process
        return Instance(
            spec=self.record.spec,
            state=self.state,
            pid=self.record.pid if runs else 0,
            start_ticks=self.record.start_ticks if runs else 0,
            boot_id=self.record.boot_id if runs else "",
            started_at=self.record.started_at,
            restarts=self.record.restarts,
            exit_code=self.record.exit_code,
        )

    def unwatch(self, loop: asyncio.AbstractEventLoop) -> None:
        if self.pidfd is not None:
            loop.remove_reader(self.pidfd)
            os.close(self.pidfd)
            self.pidfd = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def reap(self) -> int | None:
        """Take the exit code of the leader that ended, and let its pid go. None when nobody can know it."""
        status: int | None = None
        if self.popen is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self.popen.wait(timeout=1.0)
            self.popen = None
        elif (leader := self.record.leader) and (now := proc.stat(leader.pid)) and now.identity == leader:
            with contextlib.suppress(OSError):  # ours after all when a runtime in this process was closed
                os.waitpid(leader.pid, os.WNOHANG)
        written = written_exit_code(self.folder, self.record.spawn)
        return status if written is None else written

    def sample(self) -> ProcessSample | None:
        """RSS summed over the tree (pages shared between processes count once each, as in `ps`), CPU of all that
        ever ran where the control group counts it, else of the living ones and the children they waited for."""
        if not self.has_process:
            return None
        found = [one for pid in self.tree.members_at_hand() if (one := proc.stat(pid)) and not one.is_over]
        if not found:
            return None
        counted = self.group.cpu_s()
        if counted is None:
            ticks = sum(one.cpu_ticks + one.reaped_ticks for one in found)
            counted = self.cpu_before_s + ticks / proc.CLOCK_TICKS
        self.cpu_s = max(self.cpu_s, counted)
        return ProcessSample(
            rss_bytes=sum(one.rss_pages for one in found) * proc.PAGE_BYTES, cpu_s=self.cpu_s, pids=len(found)
        )

    def listens_on(self) -> tuple[int, ...]:
        """The loopback ports the tree listens on."""
        return tuple(listeners.ports_of(self.tree.members_at_hand())) if self.has_process else ()

    def owns_port(self) -> bool:
        """All sockets that a connection to the port can reach are held by the tree (with SO_REUSEPORT a dying
        predecessor may share it)."""
        if not self.has_process or not self.record.spec.port:
            return False
        found = listeners.listeners(self.record.spec.port)
        if len(found) == 1 and self.socket is not None and self.socket[0] == found[0].inode:
            inode, pid, descriptor = self.socket
            if listeners.holds(pid, descriptor, f"socket:[{inode}]"):
                return True
        self.socket = None
        pids = self.tree.members_at_hand() if found else set()
        for one in found:
            held = listeners.holder(one.inode, pids)
            if held is None:
                return False
            self.socket = (one.inode, *held)
        return bool(found)
