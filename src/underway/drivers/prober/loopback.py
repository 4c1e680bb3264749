"""Asking an instance over HTTP/1.1 on 127.0.0.1, whatever it answers."""

from __future__ import annotations

from collections.abc import Mapping

from underway.drivers.loopback_http import exchange
from underway.drivers.process_log import clean
from underway.ports.prober import Probe

MAX_BODY_BYTES = 65_536
MAX_SHOWN_CHARS = 2_048


class LoopbackProber:
    """`Prober` over one connection per question. Reads at most 64 KiB of head and 64 KiB of body."""

    async def get(
        self, port: int, path: str, *, host: str, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> Probe:
        """See the port. `took_ms` counts until the whole answer was read (or 64 KiB of its body)."""
        heard = await exchange(
            port, path, host=host, timeout_s=timeout_s, most_bytes=MAX_BODY_BYTES, headers=headers or {}
        )
        body = heard.body.decode(errors="replace")[: 2 * MAX_SHOWN_CHARS]
        shown = "\n".join(clean(line) for line in body.splitlines())[:MAX_SHOWN_CHARS]
        return Probe(
            status=0 if heard.error else heard.status,
            took_ms=heard.took_ms,
            location=heard.header("location"),
            body_head=shown,
            error=heard.error,
        )
