"""Asking an instance over HTTP/1.1 on 127.0.0.1, whatever it answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Mapping
from urllib.parse import quote

import h11

from underway.drivers.process_log import clean
from underway.ports.prober import Probe

MAX_HEAD_BYTES = 65_536
MAX_BODY_BYTES = 65_536
MAX_SHOWN_CHARS = 2_048
_SAFE_IN_TARGET = "/?#[]@!$&'()*+,;=:%-._~"  # RFC 3986: reserved, unreserved, and what is already encoded


class LoopbackProber:
    """`Prober` over one connection per question. Reads at most 64 KiB of head and 64 KiB of body."""

    async def get(
        self, port: int, path: str, *, host: str, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> Probe:
        """See the port. `took_ms` counts until the whole answer was read (or 64 KiB of its body)."""
        began = time.perf_counter()
        answer = _Answer()
        try:
            async with asyncio.timeout(timeout_s):
                await _ask(port, path, host, headers or {}, answer)
        except TimeoutError:
            answer.error = f"no {'whole ' if answer.status else ''}answer within {timeout_s:g} s"
        except OSError as error:
            answer.error = _words(error)
        except h11.LocalProtocolError:
            answer.error = "the path, host or a header cannot be sent"
        except h11.RemoteProtocolError as error:
            answer.error = f"not an HTTP answer ({clean(str(error))[:120]})"
        return answer.probe((time.perf_counter() - began) * 1000)


class _Answer:
    """What came so far."""

    def __init__(self) -> None:
        self.status = 0
        self.location = ""
        self.body = b""
        self.error = ""

    def probe(self, took_ms: float) -> Probe:
        body = self.body.decode(errors="replace")[: 2 * MAX_SHOWN_CHARS]
        shown = "\n".join(clean(line) for line in body.splitlines())[:MAX_SHOWN_CHARS]
        return Probe(
            status=0 if self.error else self.status,
            took_ms=took_ms,
            location=self.location,
            body_head=shown,
            error=self.error,
        )


async def _ask(port: int, path: str, host: str, headers: Mapping[str, str], answer: _Answer) -> None:
    fields = {
        "Host": host,
        "User-Agent": "underway",
        "Accept": "*/*",
        "X-Forwarded-Proto": "http",
        "X-Underway-Probe": "1",
    }
    lower = {name.lower() for name in headers}
    fields = {name: value for name, value in fields.items() if name.lower() not in lower}
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    target = quote(path if path.startswith("/") else f"/{path}", safe=_SAFE_IN_TARGET)
    try:
        ask = h11.Request(
            method="GET", target=target, headers=[*fields.items(), *headers.items(), ("Connection", "close")]
        )
    except UnicodeEncodeError as error:
        raise h11.LocalProtocolError("not ASCII") from error
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write((connection.send(ask) or b"") + (connection.send(h11.EndOfMessage()) or b""))
        await writer.drain()
        await _read(connection, reader, answer)
    finally:
        writer.transport.abort()  # an answer that was cut short is not waited for
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _read(connection: h11.Connection, reader: asyncio.StreamReader, answer: _Answer) -> None:
    head_bytes = 0
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            received = await reader.read(16_384)
            if not received and connection.their_state is h11.SEND_RESPONSE:
                what = "not an HTTP answer (closed in its head)" if head_bytes else "closed without an answer"
                answer.error = what
                return
            head_bytes += 0 if answer.status else len(received)
            if head_bytes > MAX_HEAD_BYTES:
                answer.error = "the head of the answer is over 64 KiB"
                return
            connection.receive_data(received)
        elif isinstance(event, h11.Response):
            answer.status = event.status_code
            answer.location = clean(dict(event.headers).get(b"location", b"").decode(errors="replace"))
        elif isinstance(event, h11.Data):
            answer.body += bytes(event.data)
            if len(answer.body) >= MAX_BODY_BYTES:
                return
        elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
            return


def _words(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return "connection reset"
    return os.strerror(error.errno).lower() if error.errno else "connection failed"
