"""Who listens on a TCP port of loopback.

Asks the kernel for listening sockets only (sock_diag(7)): /proc/net/tcp also lists every connection and every
socket in TIME_WAIT, and reading it takes 50 ms on a busy machine.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
import struct
from collections.abc import Iterable
from typing import NamedTuple

from underway.drivers import proc

_SOCK_DIAG_BY_FAMILY = 20
_NETLINK_SOCK_DIAG = 4
_NLM_F_REQUEST_DUMP = 0x301
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_TCP_LISTEN = 10
_INET_DIAG_SKV6ONLY = 11
_HEADER = struct.Struct("=IHHII")
_MESSAGE_BYTES = 72  # struct inet_diag_msg


class Listener(NamedTuple):
    """A listening socket that answers at 127.0.0.1."""

    port: int
    inode: int


def listeners(port: int) -> list[Listener]:
    """The sockets that a connection to 127.0.0.1:`port` can reach (several with SO_REUSEPORT)."""
    try:
        found = _ask_kernel()
    except OSError:
        found = _read_tables()
    return [one for one in found if one.port == port]


def _reaches_loopback(address: bytes, is_v6only: bool) -> bool:
    if len(address) == 4:
        return address in (b"\0\0\0\0", b"\x7f\0\0\1")
    if address == bytes(16):
        return not is_v6only
    mapped = ipaddress.IPv6Address(address).ipv4_mapped
    return mapped is not None and _reaches_loopback(mapped.packed, False)


def _ask_kernel() -> list[Listener]:
    found: list[Listener] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as diag:
        diag.settimeout(1.0)
        for family in (socket.AF_INET, socket.AF_INET6):
            ask = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, 1 << _TCP_LISTEN) + bytes(48)
            diag.send(_HEADER.pack(_HEADER.size + len(ask), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST_DUMP, 1, 0) + ask)
            is_done = False
            while not is_done:
                is_done = _parse(diag.recv(1 << 18), found)
    return found


def _parse(answer: bytes, found: list[Listener]) -> bool:
    """Add what `answer` holds to `found`; True when it was the last part."""
    at = 0
    while at + _HEADER.size <= len(answer):
        length, kind, _, _, _ = _HEADER.unpack_from(answer, at)
        body = answer[at + _HEADER.size : at + length]
        at += max(_HEADER.size, (length + 3) & ~3)
        if kind == _NLMSG_DONE:
            return True
        if kind == _NLMSG_ERROR:
            raise OSError(-struct.unpack_from("=i", body)[0], "sock_diag")
        width = 4 if body[0] == socket.AF_INET else 16
        port, inode = struct.unpack_from("!H", body, 4)[0], struct.unpack_from("=I", body, 68)[0]
        if _reaches_loopback(body[8 : 8 + width], _is_v6only(body[_MESSAGE_BYTES:])):
            found.append(Listener(port, inode))
    return False


def _is_v6only(attributes: bytes) -> bool:
    at = 0
    while at + 4 <= len(attributes):
        length, kind = struct.unpack_from("=HH", attributes, at)
        if kind == _INET_DIAG_SKV6ONLY and length > 4:
            return attributes[at + 4] != 0
        at += max(4, (length + 3) & ~3)
    return False


def _read_tables() -> list[Listener]:
    """The same from /proc/net/tcp and tcp6, where sock_diag is not available (it cannot tell IPv6-only sockets)."""
    found: list[Listener] = []
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(path) as table:
                rows = [row.split() for row in table.readlines()[1:]]
        except OSError:
            continue
        for row in rows:
            if row[3] != "0A":
                continue
            address, _, port = row[1].partition(":")
            words = [bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)]
            if _reaches_loopback(b"".join(words), False):
                found.append(Listener(int(port, 16), int(row[9])))
    return found


def holder(inode: int, among: Iterable[int]) -> tuple[int, int] | None:
    """The first of these pids that has the socket open, with the descriptor's number."""
    wanted = f"socket:[{inode}]"
    for pid in among:
        try:
            descriptors = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for descriptor in descriptors:
            if holds(pid, int(descriptor), wanted):
                return pid, int(descriptor)
    return None


def holds(pid: int, descriptor: int, wanted: str) -> bool:
    """True when descriptor `descriptor` of the process is `wanted` ("socket:[123]")."""
    try:
        return os.readlink(f"/proc/{pid}/fd/{descriptor}") == wanted
    except OSError:
        return False


def ports_of(pids: Iterable[int]) -> list[int]:
    """The loopback ports that these processes listen on, ascending."""
    among = list(pids)
    try:
        found = _ask_kernel()
    except OSError:
        found = _read_tables()
    return sorted({one.port for one in found if holder(one.inode, among)})


def taken_by(port: int) -> str | None:
    """Who makes `port` unusable on 127.0.0.1, in words ("python3 (pid 4711)"); None when it is free."""
    for one in listeners(port):
        found = holder(one.inode, proc.pids())
        return f"{proc.name(found[0])} (pid {found[0]})" if found else "a process of another user"
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is no obstacle
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "a socket that does not listen"
            return re.sub(r"^\[Errno \d+\] ", "", str(error)).lower()
    return None


def stranger_on(port: int, home_id: str) -> str:
    """Who listens on `port` of loopback, when it is no process that carries this home's mark; empty for none."""
    for one in listeners(port):
        found = holder(one.inode, proc.pids())
        if found is None:
            return "a process of another user"
        if not proc.is_of(found[0], home_id):
            return f"{proc.name(found[0])} (pid {found[0]})"
    return ""
