"""The proxy's listening sockets, and what the kernel knows about their connections (Linux).

A port has three listening sockets (sides), and a one-instruction filter in the kernel says which of them new
connections go to. Before a reload the filter points to the next side, where they wait in the kernel's queue while
the old server finishes what it has accepted; the new configuration listens on that side, and on the one before it
for connections whose handshake was under way when the filter changed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from underway.drivers.listeners import taken_by
from underway.terms.problem import Failure, Problem

_BACKLOG = 4096
_SYS_PIDFD_GETFD = 438
"""The same number on every architecture (linux/include/uapi/asm-generic/unistd.h)."""
_SO_ATTACH_REUSEPORT_CBPF = 51
"""socket(7); the sockets of a port are numbered in the order in which they began to listen."""
_BPF_RETURN = 0x06
"""BPF_RET | BPF_K (linux/include/uapi/linux/filter.h)."""
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST_DUMP = 0x301
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_TCP_ESTABLISHED = 1
_HEADER = struct.Struct("=IHHII")
_COOKIE = slice(44, 52)
"""In struct inet_diag_msg (linux/include/uapi/linux/inet_diag.h): a number that names one socket for good."""


SIDES = 3


@dataclass(frozen=True)
class Entrance:
    """The sockets of a port, bound and perhaps listening."""

    port: int
    sockets: tuple[socket.socket, ...]

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return all(_listens(each) for each in self.sockets)

    def open(self, side: int) -> None:
        """Listen on all, new connections going to `side` (0 to 2). Opening again only moves them.

        Raises `OSError` when another process listens on the port.
        """
        for each in self.sockets:
            if not _listens(each):
                each.listen(_BACKLOG)  # the first one alone, or another home of this user could share the port
            for sharing in self.sockets:
                sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.lead_to(side)

    def lead_to(self, side: int) -> None:
        """Give new connections to the socket `side`; those in the other queues stay there."""
        program = ctypes.create_string_buffer(struct.pack("=HBBI", _BPF_RETURN, 0, 0, side))
        filter_ = struct.pack("@HP", 1, ctypes.addressof(program))
        self.sockets[0].setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, filter_)

    def close(self) -> None:
        for each in self.sockets:
            each.close()


def reserve(address: str, port: int) -> Entrance:
    """Sockets bound to `port` but not listening: on `address`, or on every address when that is empty.

    Several processes may have bound them; the first to listen has the port. Raises `OSError`.
    """
    with contextlib.ExitStack() as undo:
        bound = [undo.enter_context(_bound(address, port)) for _ in range(SIDES)]
        undo.pop_all()
    return Entrance(port, tuple(bound))


def _listens(each: socket.socket) -> bool:
    return bool(each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _bound(address: str, port: int) -> socket.socket:
    is_v6 = ":" in address or (not address and socket.has_dualstack_ipv6())
    bound = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_v6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1 if address else 0)
        bound.bind((address, port))
    except BaseException:
        bound.close()
        raise
    return bound


def open_entrance(address: str, port: int, variable: str, side: int, reserved: Entrance | None = None) -> Entrance:
    """Listen on `port` with `reserved` or with new sockets.

    `variable` is the environment variable that chooses the port. Raises `Failure` (`proxy.port-taken`).
    """
    opened = reserved
    try:
        opened = opened or reserve(address, port)
        opened.open(side)
    except OSError as error:
        if opened is not None and opened is not reserved:
            opened.close()
        raise Failure(_port_problem(port, variable, error)) from error
    return opened


def _port_problem(port: int, variable: str, error: OSError) -> Problem:
    if isinstance(error, PermissionError):
        return Problem(
            code="proxy.port-taken",
            where=f"port {port}",
            why="this user may not listen on it",
            remedy="run as root, allow low ports (sysctl net.ipv4.ip_unprivileged_port_start), or choose another port",
            command=f"{variable}=8080 underway agent start",
        )
    return Problem(
        code="proxy.port-taken",
        where=f"port {port}",
        why=f"{taken_by(port) or 'a socket on another address'} has it ({error.strerror or error})",
        remedy=f"stop that process, or give the proxy another port with {variable}",
        command=f"{variable}={port + 1 if port < 65_535 else 8080} underway agent start",
    )


def copies(pid: int, descriptors: tuple[int, ...], port: int) -> Entrance | None:
    """The entrance to `port` that the process `pid` has as `descriptors` (pidfd_getfd(2)).

    None when it has none or the kernel does not let us (another user; yama's ptrace_scope without root).
    """
    found = [copied for descriptor in descriptors if (copied := _copy(pid, descriptor, port)) is not None]
    if len(found) == len(descriptors):
        return Entrance(port, tuple(found))
    for each in found:
        each.close()
    return None


def _copy(pid: int, descriptor: int, port: int) -> socket.socket | None:
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return None
    try:
        copied = libc.syscall(_SYS_PIDFD_GETFD, process, descriptor, 0)
    finally:
        os.close(process)
    if copied < 0:
        return None
    try:
        found = socket.socket(fileno=copied)
    except OSError:  # no socket at all
        os.close(copied)
        return None
    found.set_inheritable(False)
    if found.family in (socket.AF_INET, socket.AF_INET6) and found.getsockname()[1] == port:
        return found
    found.close()
    return None


def listener_of(path: Path) -> int:
    """The pid of the process that listens on the unix socket `path` (SO_PEERCRED, unix(7)); 0 when none does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return 0
        pid, _, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)


def connections(*ports: int) -> frozenset[bytes]:
    """The established connections whose near end is one of `ports`, each as the kernel's cookie (sock_diag(7)).

    Those that nobody has accepted yet count too. Empty where the kernel does not tell.
    """
    found: set[bytes] = set()
    with contextlib.suppress(OSError), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as diag:
        diag.settimeout(1.0)
        for port in ports:
            for family in (socket.AF_INET, socket.AF_INET6):
                ask = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, 1 << _TCP_ESTABLISHED)
                ask += struct.pack("!H", port) + bytes(46)
                diag.send(_HEADER.pack(_HEADER.size + len(ask), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST_DUMP, 1, 0) + ask)
                while not _add_cookies(diag.recv(1 << 18), found):
                    pass
    return frozenset(found)


def _add_cookies(answer: bytes, found: set[bytes]) -> bool:
    """Add what one part of the kernel's answer holds; True when it was the last part."""
    at = 0
    while at + _HEADER.size <= len(answer):
        length, kind, _, _, _ = _HEADER.unpack_from(answer, at)
        if kind in (_NLMSG_DONE, _NLMSG_ERROR):
            return True
        found.add(answer[at + _HEADER.size :][_COOKIE])
        at += max(_HEADER.size, (length + 3) & ~3)
    return False
