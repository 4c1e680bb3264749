"""Choosing ports on 127.0.0.1 that stay the same for years."""

from __future__ import annotations

from collections.abc import Collection

from underway.drivers.listeners import taken_by

LOOPBACK = "127.0.0.1"


def choose_port(first: int, count: int, seed: int, avoid: Collection[int] = ()) -> int | None:
    """A free port of `first` … `first + count - 1`, looked for from a place that `seed` decides; None without one.

    Homes have different seeds, so two that choose at the same moment hardly meet. Keep the range below the
    kernel's ephemeral one (32768 and up), or an outgoing connection may hold the port when it is wanted again.
    """
    ports = (first + (seed + step) % count for step in range(count))
    return next((port for port in ports if port not in avoid and taken_by(port) is None), None)
