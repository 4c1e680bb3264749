"""The whole tree of an instance or a task: finding every process of it, and ending it so that none is left."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from underway.drivers import proc
from underway.drivers.cgroups import Group
from underway.drivers.proc import Identity
from underway.drivers.spawn import is_leader
from underway.terms.problem import Failure, Problem

KILL_WAIT_S = 10.0
"""How long a process may take to go after SIGKILL (it may be writing a large core or waiting for a disk)."""


@dataclass(frozen=True)
class Tree:
    """What tells the processes of one instance or task from all others, each covering what the other misses:

    the control group (nothing leaves it), the mark in the environment (children in sessions of their own, also
    after a restart of the agent), the leader's session (programs that overwrite their environment) and descent.
    """

    home_id: str
    kind: Literal["instance", "task"]
    name: str
    """The id of an instance; the word of a task's spawn (the same task may run twice)."""
    leader: Identity | None = None
    group: Group = field(default_factory=Group)

    def members(self) -> dict[int, Identity]:
        """Every living process of the tree, by a look at the whole of /proc. Use a thread."""
        everything = proc.living()
        found = self.group.pids()
        for mark in proc.marked(self.home_id):
            if mark.agent or mark.server:
                continue  # started from inside an instance, and yet the home's own
            if self.name == (mark.instance if self.kind == "instance" else mark.task and mark.spawn):
                found.add(mark.stat.pid)
        found |= self._session(everything)
        found = _with_descent(found, everything) - {0, 1, os.getpid()}
        return {pid: everything[pid].identity for pid in found if pid in everything}

    def members_at_hand(self) -> set[int]:
        """The pids of the tree, cheaply: the control group, or without one the leader's session and descent (then
        up to 0.2 s old, and without children that made a session of their own and lost their parent)."""
        found = self.group.pids_at_hand()
        if self.leader is None or self.leader.pid in found or not proc.is_alive(self.leader):
            return found
        everything = _living_lately(int(time.monotonic() * 5))
        return _with_descent(found | self._session(everything), everything) & everything.keys()

    def _session(self, everything: dict[int, proc.Stat]) -> set[int]:
        """A session keeps its number reserved, so it is ours unless its leader's pid is now somebody else's."""
        if self.leader is None:
            return set()
        now = everything.get(self.leader.pid)
        if now is not None and now.start_ticks != self.leader.start_ticks:
            return set()
        born = self.leader.start_ticks
        return {one.pid for one in everything.values() if one.session == self.leader.pid and one.start_ticks >= born}


@functools.lru_cache(maxsize=1)
def _living_lately(moment: int) -> dict[int, proc.Stat]:
    """One look at /proc for all questions of the same moment (a fifth of a second)."""
    return proc.living()


def _with_descent(found: set[int], everything: dict[int, proc.Stat]) -> set[int]:
    """`found` and all children of it, and theirs."""
    children: dict[int, list[int]] = {}
    for one in everything.values():
        children.setdefault(one.ppid, []).append(one.pid)
    whole, left = set(found), list(found)
    while left:
        fresh = set(children.get(left.pop(), ())) - whole
        whole |= fresh
        left += fresh
    return whole


async def end(tree: Tree, timeout_s: float) -> None:
    """SIGTERM to the whole tree, at most `timeout_s` for it to go, then SIGKILL until none is left.

    With `timeout_s` 0 it is killed at once. Raises `Failure` (`runtime.stop`) when something survives SIGKILL.
    """
    alive = await asyncio.to_thread(tree.members)
    if alive and timeout_s > 0:
        deadline = time.monotonic() + timeout_s
        while alive and all(is_leader(pid) for pid in alive) and time.monotonic() < deadline:
            await asyncio.sleep(0.002)  # the leader would swallow the signal, and its program, not yet there, miss it
            alive = await asyncio.to_thread(tree.members)
        _terminate(tree, alive)
        while alive and (left_s := deadline - time.monotonic()) > 0:
            await proc.wait_ended(alive.values(), left_s)
            alive = await asyncio.to_thread(tree.members)
    deadline = time.monotonic() + KILL_WAIT_S
    while alive:
        tree.group.kill()
        for one in alive.values():
            proc.send(one, signal.SIGKILL)
        await proc.wait_ended(alive.values(), 0.5)
        alive = await asyncio.to_thread(tree.members)
        if alive and time.monotonic() > deadline:
            raise Failure(_survivors(tree, alive))


async def dissolve(tree: Tree, timeout_s: float) -> None:
    """`end` it and remove its control group."""
    await end(tree, timeout_s)
    await _wait_for(tree.group.remove, 1.0)


def _terminate(tree: Tree, alive: dict[int, Identity]) -> None:
    """To the leader's group at once (a process forked meanwhile gets it too), to the others one by one."""
    group = 0
    if tree.leader is not None and alive.get(tree.leader.pid) == tree.leader:
        group = tree.leader.pid
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGTERM)
    for one in alive.values():
        found = proc.stat(one.pid)
        if found is not None and (not group or found.group != group):
            proc.send(one, signal.SIGTERM)


async def _wait_for(is_so: Callable[[], bool], timeout_s: float) -> bool:
    """A control group can be busy for some ms after its last process is gone."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.005)
    return True


def _survivors(tree: Tree, alive: dict[int, Identity]) -> Problem:
    listed = ", ".join(f"{proc.name(pid)} (pid {pid})" for pid in sorted(alive)[:5])
    return Problem(
        code="runtime.stop",
        where=tree.name,
        why=f"{listed} did not end within {KILL_WAIT_S:.0f} s of SIGKILL; the kernel keeps it, mostly for a disk",
        remedy="look at what it waits for, then stop it again",
        command=f"cat /proc/{min(alive)}/stack",
    )
