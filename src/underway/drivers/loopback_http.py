"""One HTTP/1.1 exchange, with 127.0.0.1 unless another connection is given, whatever the other side answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import h11

from underway.drivers.net import Forbidden
from underway.drivers.process_log import clean

MAX_HEAD_BYTES = 65_536
Dialled = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
_SAFE_IN_TARGET = "/?#[]@!$&'()*+,;=:%-._~"  # RFC 3986: reserved, unreserved, and what is already encoded
_OUR_FIELDS = {"User-Agent": "underway", "Accept": "*/*", "X-Forwarded-Proto": "http", "X-Underway-Probe": "1"}


@dataclass
class Heard:
    """What came back. `error` says in a few words why nothing, or not all of it, came; `status` 0 is no answer."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    error: str = ""
    took_ms: float = 0.0

    def header(self, name: str) -> str:
        """The first header of this name, empty when there is none."""
        return next((value for each, value in self.headers if each == name.lower()), "")


async def exchange(
    port: int,
    path: str,
    *,
    host: str,
    timeout_s: float,
    most_bytes: int,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    dial: Dialled | None = None,
) -> Heard:
    """Ask and read the whole answer, at most `most_bytes` of its body and 64 KiB of its head. Follows nothing and
    never raises for what the other side does. `took_ms` counts until the last byte that was read. `dial` connects to
    somewhere else than 127.0.0.1."""
    began = time.perf_counter()
    heard = Heard()
    try:
        async with asyncio.timeout(timeout_s):
            await _ask(dial or _loopback(port), path, host, method, headers or {}, body, most_bytes, heard)
    except TimeoutError:
        heard.error = f"no {'whole ' if heard.status else ''}answer within {timeout_s:g} s"
    except OSError as error:
        heard.error = _words(error)
    except h11.LocalProtocolError:
        heard.error = "the path, host or a header cannot be sent"
    except h11.RemoteProtocolError as error:
        heard.error = f"not an HTTP answer ({clean(str(error))[:120]})"
    heard.took_ms = (time.perf_counter() - began) * 1000
    return heard


def _loopback(port: int) -> Dialled:
    return lambda: asyncio.open_connection("127.0.0.1", port)


async def _ask(
    dial: Dialled,
    path: str,
    host: str,
    method: str,
    headers: Mapping[str, str],
    body: bytes,
    most_bytes: int,
    heard: Heard,
) -> None:
    fields = {"Host": host, **_OUR_FIELDS}
    if body or method in ("POST", "PUT", "PATCH"):
        fields["Content-Length"] = str(len(body))
    lower = {name.lower() for name in headers}
    fields = {name: value for name, value in fields.items() if name.lower() not in lower}
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    target = quote(path if path.startswith("/") else f"/{path}", safe=_SAFE_IN_TARGET)
    try:
        ask = h11.Request(
            method=method, target=target, headers=[*fields.items(), *headers.items(), ("Connection", "close")]
        )
    except UnicodeEncodeError as error:
        raise h11.LocalProtocolError("not ASCII") from error
    reader, writer = await dial()
    try:
        sent = connection.send(ask) or b""
        sent += (connection.send(h11.Data(data=body)) or b"") if body else b""
        writer.write(sent + (connection.send(h11.EndOfMessage()) or b""))
        await writer.drain()
        await _read(connection, reader, most_bytes, heard)
    finally:
        writer.transport.abort()  # an answer that was cut short is not waited for
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _read(connection: h11.Connection, reader: asyncio.StreamReader, most_bytes: int, heard: Heard) -> None:
    head_bytes = 0
    parts: list[bytes] = []
    size = 0
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                received = await reader.read(16_384)
                if not received and connection.their_state is h11.SEND_RESPONSE:
                    what = "not an HTTP answer (closed in its head)" if head_bytes else "closed without an answer"
                    heard.error = what
                    return
                head_bytes += 0 if heard.status else len(received)
                if head_bytes > MAX_HEAD_BYTES:
                    heard.error = "the head of the answer is over 64 KiB"
                    return
                connection.receive_data(received)
            elif isinstance(event, h11.Response):
                heard.status = event.status_code
                heard.headers = [
                    (name.decode("latin-1"), clean(value.decode(errors="replace"))) for name, value in event.headers
                ]
            elif isinstance(event, h11.Data):
                parts.append(bytes(event.data))
                size += len(event.data)
                if size >= most_bytes:
                    return
            elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
                return
    finally:
        heard.body = b"".join(parts)


def said(error: OSError) -> str:
    """What went wrong before anything was asked, in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'failed'}"
    if isinstance(error, Forbidden):
        return str(error)
    if isinstance(error, socket.gaierror):
        return "no such host" if error.errno == socket.EAI_NONAME else "the name could not be looked up"
    return _words(error)


def _words(error: OSError) -> str:
    if isinstance(error, (ssl.SSLError, Forbidden, socket.gaierror)):
        return said(error)
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return "connection reset"
    return os.strerror(error.errno).lower() if error.errno else "connection failed"
