"""Connecting to names that somebody else wrote: only where that is allowed."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl


class Forbidden(OSError):
    """The name leads to a private network or to this machine."""


async def address_of(host: str, port: int, *, may_be_private: bool) -> tuple[str, int]:
    """An address of `host` that may be connected to: (address, family). Raises `Forbidden` when all of them are
    private, loopback, link-local, multicast or reserved (RFC 6890) and that is not allowed, else `OSError`.

    What is returned is what must be connected to: resolving again could give another answer.
    """
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        if host.lower().rstrip(".").endswith(".localhost"):  # this machine, whatever a resolver says (RFC 6761, 6.3)
            host = "127.0.0.1"
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [(str(where[0]), int(family)) for family, _, _, _, where in found]
    else:
        addresses = [(host, int(socket.AF_INET if literal.version == 4 else socket.AF_INET6))]
    allowed = [each for each in addresses if may_be_private or is_public(each[0])]
    if not allowed:
        raise Forbidden(f"{host} leads to {addresses[0][0] if addresses else 'nothing'}, which is private")
    return min(allowed, key=lambda each: each[1] != socket.AF_INET)


def is_public(address: str) -> bool:
    """True for a global unicast address; an IPv4 address inside IPv6 (mapped, 6to4, NAT64, Teredo) counts itself."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


async def connect(
    host: str, port: int, *, may_be_private: bool, tls: ssl.SSLContext | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to `host`, where that is allowed. Raises `Forbidden`, `OSError`, `ssl.SSLError`."""
    address, family = await address_of(host, port, may_be_private=may_be_private)
    name = host if tls is not None else None
    return await asyncio.open_connection(address, port, family=family, ssl=tls, server_hostname=name)
