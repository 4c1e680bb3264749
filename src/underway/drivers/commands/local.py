"""Tasks as processes of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from underway.drivers import proc, process_log, process_tree
from underway.drivers.account import server_account
from underway.drivers.cgroups import ControlGroups
from underway.drivers.masked_log import MaskedLog
from underway.drivers.process_tree import Tree
from underway.drivers.spawn import spawn_task
from underway.terms.environment import hidden_names
from underway.terms.home import Home
from underway.terms.problem import Failure, Problem
from underway.terms.process import Apart, Task, TaskEnd

_LOG = logging.getLogger(__name__)
_TAIL_LINES = 30
_GROUP_PREFIX = "t."
_SPOOL = ".out"
_PUMP_EVERY_S = 0.2
GRACE_S = 3.0
"""From SIGTERM to SIGKILL for a task that is not wanted any more."""


class LocalCommands:
    """`Commands` on this machine. A task's own child processes end with it, daemons too."""

    def __init__(self, home: Home, groups: ControlGroups | None = None, *, grace_s: float = GRACE_S) -> None:
        self._home = home
        self._groups = groups or ControlGroups(home.id)
        self._grace_s = grace_s
        self._running: set[str] = set()
        """The words of the tasks' spawns."""

    async def run(self, task: Task) -> TaskEnd:
        """See the port. On the time limit the tree gets SIGTERM, and SIGKILL `grace_s` later."""
        _require_program(task)
        began = time.monotonic()
        log, spawn = Path(task.log_path), secrets.token_hex(8)
        log_from = process_log.size(log)
        group = self._groups.make(_GROUP_PREFIX + spawn, memory_bytes=task.memory_bytes)
        marks = {proc.HOME_MARK: self._home.id, proc.TASK_MARK: task.id, proc.SPAWN_MARK: spawn}
        output: MaskedLog | None = None
        try:
            if hidden_names(task.env):
                output = MaskedLog(log.with_name(f".{log.name}.{spawn}{_SPOOL}"), log, task.env)
            writes_to = output.spool if output else log
            argv = apart_words(task.apart, task.argv) if task.apart else task.argv
            popen = spawn_task(
                argv, task.cwd, {**task.env, **marks}, writes_to, group,
                account=server_account([task.user]) if task.user else None, file_bytes=task.file_bytes,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            group.remove()
            _end_output(output)
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise Failure(_cannot_start(task, why)) from error
        self._running.add(spawn)
        found = proc.stat(popen.pid)
        tree = Tree(self._home.id, "task", spawn, found.identity if found else None, group)
        has_timed_out, grace_s = True, self._grace_s
        pumping = asyncio.create_task(_pump(output)) if output else None
        try:
            if await proc.wait_ended([tree.leader] if tree.leader else [], task.timeout_s):
                has_timed_out, grace_s = False, 0.0
        finally:
            ending = asyncio.ensure_future(self._end(tree, spawn, popen, grace_s))
            try:
                await _to_its_end(ending)
            finally:
                if pumping is not None:
                    pumping.cancel()
                _end_output(output)
        return TaskEnd(
            exit_code=ending.result(),
            took_s=time.monotonic() - began,
            timed_out=has_timed_out,
            log_tail=tuple(process_log.tail(log, _TAIL_LINES, log_from)),
        )

    async def sweep(self) -> int:
        marks = [m for m in await asyncio.to_thread(proc.marked, self._home.id) if m.task and not m.server]
        names = {mark.spawn for mark in marks} | {
            name.removeprefix(_GROUP_PREFIX) for name in self._groups.names() if name.startswith(_GROUP_PREFIX)
        }
        trees = [
            Tree(self._home.id, "task", name, None, self._groups.group(_GROUP_PREFIX + name))
            for name in sorted(names - self._running)
        ]
        for spool in self._home.root.glob(f"apps/*/logs/.*{_SPOOL}"):  # of tasks that a former agent had begun
            spool.unlink(missing_ok=True)
        ended = sum([len(await asyncio.to_thread(tree.members)) for tree in trees])
        await asyncio.gather(*(_end_quietly(tree, self._grace_s) for tree in trees))
        return ended

    async def _end(self, tree: Tree, spawn: str, popen: subprocess.Popen[bytes], grace_s: float) -> int:
        try:
            await process_tree.dissolve(tree, grace_s)
        except Failure as failure:
            _LOG.error("%s", failure)
        finally:
            self._running.discard(spawn)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return await asyncio.to_thread(popen.wait, 1.0)
        return -9


def apart_words(apart: Apart, argv: Sequence[str]) -> tuple[str, ...]:
    """The words that run `argv` with a view of files of its own (see `apart.py`)."""
    program = Path(__file__).with_name("apart.py")
    return (sys.executable, "-I", str(program), msgspec.json.encode(apart).decode(), *argv)


async def _pump(output: MaskedLog) -> None:
    while True:
        if not output.pump():
            await asyncio.sleep(_PUMP_EVERY_S)
        await asyncio.sleep(0)


def _end_output(output: MaskedLog | None) -> None:
    if output is not None:
        output.finish()
        output.close()
        output.spool.unlink(missing_ok=True)


async def _end_quietly(tree: Tree, grace_s: float) -> None:
    try:
        await process_tree.dissolve(tree, grace_s)
    except Failure as failure:
        _LOG.error("%s", failure)


async def _to_its_end(work: asyncio.Future[int]) -> None:
    """Wait for `work` even when the waiter is cancelled meanwhile; the cancellation is then passed on."""
    cancelled = False
    while not work.done():
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError


def _require_program(task: Task) -> None:
    """`sh` would only say 127, the same as a program that ends with 127 of its own."""
    if not Path(task.cwd).is_dir():
        raise Failure(_cannot_start(task, f"the folder to run it in is not there: {task.cwd}"))
    program = task.argv[0] if task.argv else ""
    place = str(Path(task.cwd) / program) if "/" in program else program
    if not program or shutil.which(place, path=task.env.get("PATH", "/usr/bin:/bin")) is None:
        raise Failure(_cannot_start(task, f"there is no program {program!r} that can be run"))


def _cannot_start(task: Task, why: str) -> Problem:
    program = task.argv[0] if task.argv else ""
    return Problem(
        code="command.spawn",
        where=f"{task.id}: {program}",
        why=why,
        remedy="install the program, or name it by its full path",
        command=f"command -v {Path(program).name}" if program else "",
    )
