"""Control groups: limits the kernel holds for a whole process tree, and a list of the tree nobody can leave.

Version 1 and 2 may be mounted side by side with different controllers, writable or not, so each controller is
tried by making a folder (cgroups(7)). Nothing is delegated and no setting outside our own folders is changed,
except that version 2 controllers are passed on to the children of our own folder.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from underway.terms.process import Limit

PIDS_MAX = 4096
"""Processes and threads of one instance or task; stops a fork bomb long before the machine's pid_max (32768)."""

_PERIOD_US = 100_000
_FALLBACK_WHY = "no {} controller of the kernel's control groups is writable here"
_RESOURCES = ("memory", "cpu", "pids")


@dataclass(frozen=True)
class Mount:
    """One mounted hierarchy: version 1 with its controllers, or version 2, and our own place in it."""

    version: int
    controllers: frozenset[str]
    top: Path
    own: Path


@dataclass(frozen=True)
class Group:
    """The folders of one instance or task, one per hierarchy used. May be empty: then there is no group."""

    folders: tuple[Path, ...] = ()

    def pids(self) -> set[int]:
        """Every process in it, also in groups that the program made below."""
        return {pid for folder in self.folders for place in _walk(folder) for pid in _procs(place)}

    def pids_at_hand(self) -> set[int]:
        """The same by one read, without groups below."""
        return set(_procs(self.folders[0])) if self.folders else set()

    def kill(self) -> bool:
        """SIGKILL to all of it at once, forks included (`cgroup.kill`, Linux 5.14); False when not possible."""
        for folder in self.folders:
            if (folder / "cgroup.kill").exists():
                with contextlib.suppress(OSError):
                    (folder / "cgroup.kill").write_text("1")
                    return True
        return False

    def remove(self) -> bool:
        """Remove the folders; False while a process is still in one. Removing what is not there is fine."""
        for folder in self.folders:
            for place in sorted(_walk(folder), key=lambda p: len(p.parts), reverse=True):
                with contextlib.suppress(OSError):
                    place.rmdir()
            with contextlib.suppress(OSError):
                folder.parent.rmdir()  # the home's own folder, once it is empty
        return not any(folder.exists() for folder in self.folders)

    def cpu_s(self) -> float | None:
        """CPU seconds used by all that ever ran in it; None where the kernel does not count them."""
        for folder in self.folders:
            for line in _lines(folder / "cpu.stat"):
                if line.startswith("usage_usec "):
                    return int(line.split()[1]) / 1e6
        return None

    def out_of_memory_kills(self) -> int:
        """How often the kernel ended one of its processes for the memory limit."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                for line in _lines(folder / name):
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        return 0


class ControlGroups:
    """The control groups of one home. Cheap to make: it tries each controller once."""

    def __init__(self, home_id: str, mounts: tuple[Mount, ...] | None = None) -> None:
        self._name = f"underway-{home_id}"
        self._bases: list[tuple[Path, frozenset[str]]] = []
        missing = set(_RESOURCES)
        for mount in sorted(find_mounts() if mounts is None else mounts, key=lambda m: m.version, reverse=True):
            wanted = missing & mount.controllers if mount.version == 1 else missing
            if mount.version == 1 and not wanted:
                continue
            places = dict.fromkeys((mount.own, mount.own.parent, mount.top))
            tried = [
                (place / self._name, found & missing)
                for place in places
                if place.is_relative_to(mount.top)
                and (found := self._try(place / self._name, mount.version)) is not None
            ]
            best = max(tried, key=lambda base: len(base[1]), default=None)  # the first of equals: nearest to us
            if best is not None and (
                best[1] or mount.version == 2
            ):  # version 2 without controllers still lists and kills
                self._bases.append(best)
                missing -= best[1]
        self._missing = frozenset(missing)

    def limits(self) -> tuple[Limit, ...]:
        """Which limits hold here, and by what or why not."""
        return tuple(self._limit(resource) for resource in _RESOURCES)

    def make(self, name: str, *, memory_bytes: int = 0, cpus: float = 0.0) -> Group:
        """Make the group `name` (again: it may be there) with its limits; 0 is no limit."""
        folders = []
        for base, resources in self._bases:
            folder = base / name
            if not _make_folder(base, folder):
                continue
            folders.append(folder)
            if "memory" in resources:
                _limit_memory(folder, memory_bytes)
            if "cpu" in resources:
                _limit_cpu(folder, cpus)
            if "pids" in resources:
                _write(folder / "pids.max", str(PIDS_MAX))
        return Group(tuple(folders))

    def names(self) -> set[str]:
        """The names of all groups of this home that are there now."""
        found: set[str] = set()
        for base, _ in self._bases:
            with contextlib.suppress(OSError):
                found |= {entry.name for entry in base.iterdir() if entry.is_dir()}
        return found

    def group(self, name: str) -> Group:
        """The group `name` as it is now, without its limits being touched."""
        return Group(tuple(base / name for base, _ in self._bases if (base / name).is_dir()))

    def _limit(self, resource: str) -> Limit:
        if resource in self._missing:
            return Limit(resource=resource, applies=False, says=_FALLBACK_WHY.format(resource))
        base = next(base for base, resources in self._bases if resource in resources)
        version = 2 if (base.parent / "cgroup.controllers").exists() else 1
        return Limit(resource=resource, applies=True, says=f"control groups version {version}")

    def _try(self, base: Path, version: int) -> frozenset[str] | None:
        """The resources that a group below `base` could limit; None when no group can be made there."""
        probe = base / f"probe.{os.getpid()}"
        try:
            base.mkdir(exist_ok=True)
            if version == 2:
                _pass_on(base)
            probe.mkdir()
            _require_entry(probe)
        except OSError:
            with contextlib.suppress(OSError):
                probe.rmdir()
            with contextlib.suppress(OSError):
                base.rmdir()
            return None
        try:
            keys = {"memory": ("memory.max", "memory.limit_in_bytes"), "cpu": ("cpu.max", "cpu.cfs_quota_us")}
            keys["pids"] = ("pids.max", "pids.max")
            return frozenset(
                resource for resource in _RESOURCES if any(os.access(probe / key, os.W_OK) for key in keys[resource])
            )
        finally:
            for folder in (probe, base):
                with contextlib.suppress(OSError):
                    folder.rmdir()


def find_mounts(
    mountinfo: Path = Path("/proc/self/mountinfo"), own: Path = Path("/proc/self/cgroup")
) -> tuple[Mount, ...]:
    """The hierarchies mounted here, from /proc (proc_pid_mountinfo(5), cgroups(7))."""
    places: dict[str, str] = {}
    for line in _lines(own):
        _, names, path = line.split(":", 2)
        places |= dict.fromkeys(names.split(","), path)
    mounts = []
    for line in _lines(mountinfo):
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind not in ("cgroup", "cgroup2"):
            continue
        root, top = before.split(" ")[3:5]
        controllers = frozenset(options.split(",")) & set(_RESOURCES) if kind == "cgroup" else frozenset({""})
        if not controllers:
            continue
        path = places.get(next(iter(controllers)), "/")
        relative = path.removeprefix(root.rstrip("/")).lstrip("/")
        mounts.append(Mount(1 if kind == "cgroup" else 2, controllers, Path(top), Path(top) / relative))
    return tuple(mounts)


def _require_entry(folder: Path) -> None:
    """Raise `OSError` when a process of ours may not move into `folder`. Root always may; others need more rights
    than those to make the folder (cgroups(7), "Delegation containment")."""
    if os.geteuid() != 0:
        entering = subprocess.run(
            ["/bin/sh", "-c", 'echo $$ >"$1/cgroup.procs"', "sh", folder], stderr=subprocess.DEVNULL, check=False
        )
        if entering.returncode != 0:
            raise PermissionError(f"no process may be moved to {folder}")


def _make_folder(base: Path, folder: Path) -> bool:
    for _ in range(3):  # the base disappears when another of its groups is removed at this very moment
        try:
            if not base.is_dir():
                base.mkdir(exist_ok=True)
                _pass_on(base)
            folder.mkdir(exist_ok=True)
        except FileNotFoundError:
            continue
        except OSError:
            return False
        return True
    return False


def _pass_on(base: Path) -> None:
    """Let groups below `base` use the controllers that `base` itself was given (version 2)."""
    for controller in " ".join(_lines(base / "cgroup.controllers")).split():
        if controller in _RESOURCES:
            _write(base / "cgroup.subtree_control", f"+{controller}")


def _limit_memory(folder: Path, memory_bytes: int) -> None:
    if (folder / "memory.max").exists():
        _write(folder / "memory.max", str(memory_bytes or "max"))
        _write(folder / "memory.swap.max", "0" if memory_bytes else "max")
        return
    limit = str(memory_bytes or -1)
    _write(folder / "memory.memsw.limit_in_bytes", "-1")  # memory may never exceed memory + swap: raise it first
    _write(folder / "memory.limit_in_bytes", limit)
    _write(folder / "memory.memsw.limit_in_bytes", limit)


def _limit_cpu(folder: Path, cpus: float) -> None:
    quota_us = max(1000, int(cpus * _PERIOD_US)) if cpus else 0  # the kernel refuses less than 1 ms
    if (folder / "cpu.max").exists():
        _write(folder / "cpu.max", f"{quota_us or 'max'} {_PERIOD_US}")
    else:
        _write(folder / "cpu.cfs_quota_us", str(quota_us or -1))


def _write(path: Path, text: str) -> None:
    with contextlib.suppress(OSError):
        path.write_text(text)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _procs(folder: Path) -> Iterator[int]:
    return (int(line) for line in _lines(folder / "cgroup.procs") if line.isdigit())


def _walk(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield folder
        for parent, folders, _ in os.walk(folder):
            yield from (Path(parent) / name for name in folders)
