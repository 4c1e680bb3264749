"""Run before a Python server that opens its port itself: `python .underway/listen.py SCRIPT …` or `-m MODULE …`.

What it listens on first becomes $PORT on loopback, so that only the proxy reaches it and two releases can run at once.
Later sockets of the same number go with it (a server often opens one for IPv4 and one for IPv6); other numbers stay.
UNDERWAY_FIXED_PORT names the number where the script looks at its port before it listens.
"""

from __future__ import annotations

import os
import runpy
import socket
import sys

_PORT = int(os.environ.get("PORT") or 0)
_bind, _connect = socket.socket.bind, socket.socket.connect
_asked = [int(os.environ["UNDERWAY_FIXED_PORT"])] if os.environ.get("UNDERWAY_FIXED_PORT", "").isdigit() else []
_HERE = ("127.0.0.1", "localhost", "::1", "0.0.0.0")  # noqa: S104  # where a script asks itself


def _is_meant(at: socket.socket, address: object) -> bool:
    """True for an address of TCP with the number that the script listens on."""
    is_tcp = at.family in (socket.AF_INET, socket.AF_INET6) and at.type == socket.SOCK_STREAM
    return bool(is_tcp and _PORT and isinstance(address, tuple) and len(address) >= 2 and address[1] in _asked)


def _own(at: socket.socket, address: tuple) -> tuple:  # type: ignore[type-arg]  # of IPv4 or IPv6
    """The same place as $PORT on loopback."""
    if at.family == socket.AF_INET:
        return ("127.0.0.1", _PORT)
    takes_both = not at.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    return ("::ffff:127.0.0.1" if takes_both and address[0] != "::1" else "::1", _PORT, *address[2:])


def _bound(self, address):  # type: ignore[no-untyped-def]  # it stands in for a method of any socket
    is_tcp = self.type == socket.SOCK_STREAM and isinstance(address, tuple) and len(address) >= 2
    if is_tcp and not _asked and isinstance(address[1], int) and address[1]:
        _asked.append(address[1])
    return _bind(self, _own(self, address) if _is_meant(self, address) else address)


def _connected(self, address):  # type: ignore[no-untyped-def]  # servers look at their own port, before and after
    is_own = _is_meant(self, address) and address[0] in _HERE
    return _connect(self, _own(self, address) if is_own else address)


def _main() -> None:
    socket.socket.bind = _bound  # type: ignore[method-assign]  # what this module is for
    socket.socket.connect = _connected  # type: ignore[method-assign]  # what this module is for
    words = sys.argv[1:]
    if words[:1] == ["-m"]:
        sys.argv = words[1:]
        sys.path[0] = os.getcwd()
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        return
    sys.argv = words
    sys.path[0] = os.path.dirname(os.path.abspath(words[0]))
    with open(words[0], "rb") as file:
        code = compile(file.read(), words[0], "exec")
    own = sys.modules["__main__"].__dict__
    own.update({"__file__": words[0], "__doc__": None})
    exec(code, own)  # noqa: S102  # the script itself, in __main__ itself, where pickles and child processes look for its names


_main()
