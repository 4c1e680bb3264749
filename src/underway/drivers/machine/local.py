"""The machine Underway runs on."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Collection
from pathlib import Path

from underway.drivers import listeners
from underway.drivers.machine.shared import share
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

    def disk_bytes(self) -> int:
        figures = os.statvfs(self._home.root)
        return figures.f_blocks * figures.f_frsize

    def pythons(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(".".join(version.split(".")[:2]) for version in self._pythons()))

    def node(self) -> str:
        if self._node is None:
            self._node = _version_of("node")
        return self._node

    def is_file(self, path: str) -> bool:
        return Path(path).is_file() and os.access(path, os.R_OK)

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

    def link_shared(self, app: str, tree_dir: str, paths: Collection[str], source: str) -> tuple[str, ...]:
        """See the port."""
        shared = self._home.shared(app)
        return tuple(path for path in paths if share(shared / path, Path(tree_dir), Path(source), path))


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
