"""Taking stock of what a former agent of this home left behind."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from underway.drivers import proc, process_tree
from underway.drivers.cgroups import ControlGroups
from underway.drivers.proc import Identity, Mark
from underway.drivers.process_tree import Tree
from underway.drivers.runtime import record
from underway.drivers.runtime.record import Record
from underway.drivers.spawn import EXIT_FILE, is_leader
from underway.terms.home import Home
from underway.terms.problem import Failure

GROUP_PREFIX = "i."
"""Control groups of instances; those of tasks have another."""
_GRACE_S = 3.0
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """An instance that should run, and its leader when it does."""

    record: Record
    leader: Identity | None


@dataclass(frozen=True)
class Survey:
    kept: tuple[Kept, ...]
    stopped: tuple[Record, ...]
    """Instances whose stop was begun."""


def survey(home: Home) -> Survey:
    """Read the records and find the leaders that still run. Changes nothing."""
    records = record.read_all(home.instances)
    marks = proc.marked(home.id)
    kept = tuple(Kept(one, _leader(one, marks)) for one in records.values() if one.wanted == "running")
    return Survey(kept, tuple(one for one in records.values() if one.wanted == "stopped"))


def _leader(kept: Record, marks: Collection[Mark]) -> Identity | None:
    """The leader of exactly this life: by the word of its spawn, which it carries from its first moment on, so it
    is found also when the agent died before it could write down a pid."""
    for mark in marks:
        is_this_life = mark.instance == kept.spec.id and mark.spawn == kept.spawn
        if is_this_life and mark.stat.session == mark.stat.pid and is_leader(mark.stat.pid):
            return mark.stat.identity
    return None


def ran_s(folder: Path, kept: Record) -> float:
    """How long an instance ran that ended while no agent was there: until its exit code was written."""
    try:
        return max(0.0, (folder / EXIT_FILE).stat().st_mtime - kept.started_at)
    except OSError:
        return 0.0


async def end_strays(home: Home, groups: ControlGroups, spawns: Callable[[], Mapping[str, str]]) -> None:
    """End instance processes of this home that belong to nothing, and forget what was kept for them.

    `spawns` gives the word of each instance's present life. Servers, tasks and agents of the home are not touched.
    """
    marks = [
        mark
        for mark in await asyncio.to_thread(proc.marked, home.id)
        if mark.instance and not mark.server and not mark.agent
    ]
    kept = spawns()  # asked after the look at the processes: a life that began in between is in neither
    unknown = {mark.instance for mark in marks} | {
        name.removeprefix(GROUP_PREFIX) for name in groups.names() if name.startswith(GROUP_PREFIX)
    }
    for name in sorted(unknown - set(kept)):
        _LOG.warning("ending processes of %s, which no record knows", name)
        try:
            await process_tree.dissolve(
                Tree(home.id, "instance", name, None, groups.group(GROUP_PREFIX + name)), _GRACE_S
            )
        except Failure as failure:
            _LOG.error("%s", failure)
    older = [m.stat.identity for m in marks if m.instance in kept and m.spawn != kept[m.instance]]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for one in older:
            proc.send(one, number)
        await proc.wait_ended(older, _GRACE_S)
    for folder in home.instances.iterdir() if home.instances.is_dir() else ():
        if folder.name not in kept and folder.name not in spawns():
            record.remove(folder)
