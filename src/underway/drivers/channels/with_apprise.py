"""Run as a program: reads {url, title, body, private} and lets apprise deliver it. Exit code 0 delivered, 1 not, 2
unknown, 3 refused: the address leads to a private network or to this machine.

What apprise speaks finds its servers in many ways, and follows redirects. So the sockets themselves connect only where
that is allowed, to the very address that was looked at: whatever a name leads to the next moment.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from underway.drivers.net import is_public


class _Refused(OSError):
    pass


_refused: list[str] = []


def _keep_inside() -> None:
    """Let sockets of this process reach public addresses alone, and the proxies that its environment names."""
    proxies = {where[4][0] for where in _proxies()}
    plain = socket.socket

    def require(family: int, address: Any) -> None:
        host = str(address[0]) if isinstance(address, tuple) and address else ""
        try:
            is_allowed = family in (socket.AF_INET, socket.AF_INET6) and (host in proxies or is_public(host))
        except ValueError:  # a name: it would be looked up once more, and could lead elsewhere then
            is_allowed = False
        if not is_allowed:
            _refused.append(host)
            raise _Refused(f"{host} is private")

    class Guarded(plain):  # type: ignore[valid-type,misc]  # the class is a value here
        def connect(self, address: Any) -> None:
            require(self.family, address)
            super().connect(address)

        def connect_ex(self, address: Any) -> int:
            require(self.family, address)
            return int(super().connect_ex(address))

        def sendto(self, *given: Any) -> int:
            require(self.family, given[-1])
            return int(super().sendto(*given))

    socket.socket = Guarded  # type: ignore[misc]  # before anything else is imported that keeps the name


def _proxies() -> list[Any]:
    found: list[Any] = []
    for url in getproxies().values():
        parts = urlsplit(url)
        if parts.hostname:
            try:
                found += socket.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
            except OSError:
                continue
    return found


def main() -> int:
    asked = json.load(sys.stdin)
    if not asked["private"]:
        _keep_inside()
    import apprise

    told = apprise.Apprise()
    if not told.add(asked["url"]):
        return 2
    is_told = told.notify(title=asked["title"], body=asked["body"])
    return 0 if is_told else 3 if _refused else 1


if __name__ == "__main__":
    sys.exit(main())
