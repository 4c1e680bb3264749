from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One answer. `status` 0 means no answer, and `error` says why in a few words ("connection refused")."""

    status: int
    took_ms: float
    location: str = ""
    body_head: str = ""
    error: str = ""


class Prober(Protocol):
    """Asks an instance over HTTP on loopback. Never raises for what the other side does."""

    async def get(
        self, port: int, path: str, *, host: str, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> Probe:
        """GET `path` at 127.0.0.1:`port` with the Host header `host` and `X-Forwarded-Proto`. Follows nothing."""
        ...
