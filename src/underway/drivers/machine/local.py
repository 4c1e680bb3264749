"""The machine Underway runs on."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Collection
from pathlib import Path

from underway.drivers import listeners
from underway.terms.home import Home
from underway.terms.problem import Failure, Problem

FIRST_PORT, LAST_PORT = 10_240, 32_000
"""Below the ephemeral ports of Linux (32768–60999, ip(7)), so that no outgoing connection takes a slot's port."""


class LocalMachine:
    """A `Machine`. `pythons` tells the versions of the interpreters that run, newest first, to the patch."""

    def __init__(self, home: Home, pythons: Callable[[], tuple[str, ...]]) -> None:
        self._home = home
        self._pythons = pythons
        self._node: str | None = None

    def cpus(self) -> int:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def memory_bytes(self) -> int:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    def disk_free_bytes(self) -> int:
        figures = os.statvfs(self._home.root)
        return figures.f_bavail * figures.f_frsize

    def pythons(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(".".join(version.split(".")[:2]) for version in self._pythons()))

    def node(self) -> str:
        if self._node is None:
            self._node = _version_of("node")
        return self._node

    def free_block(self, count: int, taken: Collection[int]) -> int:
        span = LAST_PORT - FIRST_PORT
        start = int(self._home.id, 16) % span
        for offset in range(0, span, max(count, 1)):
            first = FIRST_PORT + (start + offset) % span
            block = range(first, first + count)
            if block.stop <= LAST_PORT and self._is_good(block, taken):
                return first
        raise Failure(
            Problem(
                code="machine.no-ports",
                where=f"127.0.0.1:{FIRST_PORT}-{LAST_PORT}",
                why=f"there are no {count} neighbouring ports that are free",
                remedy="end what listens there, or run fewer instances",
                command="ss -ltn",
            )
        )

    def are_free(self, ports: Collection[int]) -> bool:
        return all(_is_free(port) for port in ports)

    def stranger_on(self, port: int) -> str:
        return listeners.stranger_on(port, self._home.id)

    def _is_good(self, block: range, taken: Collection[int]) -> bool:
        return not any(port in taken for port in block) and self.are_free(block)

    def link_shared(self, app: str, tree_dir: str, paths: Collection[str]) -> None:
        for path in paths:
            _link(self._home.shared(app) / path, Path(tree_dir) / path)


def _link(kept: Path, in_tree: Path) -> None:
    """Make `in_tree` a link to `kept`. A name with a suffix (db.sqlite3) is a file, any other a folder."""
    if in_tree.is_symlink() and os.readlink(in_tree) == str(kept):
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    if in_tree.exists() and not in_tree.is_symlink() and not kept.exists():
        carried = kept.with_name(f".{kept.name}.carried")
        if in_tree.is_dir():
            shutil.rmtree(carried, ignore_errors=True)
            shutil.copytree(in_tree, carried, symlinks=True)
        else:
            shutil.copy2(in_tree, carried)
        carried.rename(kept)
    elif not kept.exists() and not kept.suffix:
        kept.mkdir()
    if in_tree.is_symlink() or in_tree.is_file():
        in_tree.unlink()
    elif in_tree.is_dir():
        shutil.rmtree(in_tree)
    in_tree.parent.mkdir(parents=True, exist_ok=True)
    in_tree.symlink_to(kept)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _version_of(program: str) -> str:
    found = shutil.which(program)
    if not found:
        return ""
    try:
        done = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().removeprefix("v") if done.returncode == 0 else ""
