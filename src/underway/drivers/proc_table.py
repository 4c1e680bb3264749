"""Naming a process across reboots."""

from __future__ import annotations

from dataclasses import dataclass

from underway.drivers import proc


@dataclass(frozen=True)
class ProcessIdentity:
    """One process for good: `proc.Identity` with the boot it belongs to, so that it may be kept in a file."""

    pid: int
    start_ticks: int
    boot_id: str


def identity_of(pid: int) -> ProcessIdentity | None:
    """The identity of the living process `pid`; None when there is none (a zombie is none)."""
    found = proc.stat(pid)
    return None if found is None or found.is_over else ProcessIdentity(pid, found.start_ticks, proc.boot_id())


def is_alive(process: ProcessIdentity) -> bool:
    return process.pid > 0 and identity_of(process.pid) == process
