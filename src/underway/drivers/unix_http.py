"""HTTP over a unix socket: one request, one connection."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import h11

_CHUNK_BYTES = 65_536


async def request(
    socket: Path,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    content_type: str = "application/json",
    timeout_s: float = 10.0,
) -> tuple[int, bytes]:
    """Send one request over `socket` and return status and body.

    Raises `OSError` when nothing listens there or the answer breaks off, `TimeoutError` after `timeout_s`.
    """
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_unix_connection(str(socket))
        try:
            return await _exchange(reader, writer, method, path, body, content_type)
        except h11.RemoteProtocolError as error:
            raise ConnectionError(f"{socket}: not an HTTP answer: {error}") from error
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    method: str,
    path: str,
    body: bytes,
    content_type: str,
) -> tuple[int, bytes]:
    http = h11.Connection(h11.CLIENT)
    headers = [("Host", "127.0.0.1"), ("Connection", "close"), ("Content-Length", str(len(body)))]
    if body:
        headers.append(("Content-Type", content_type))
    writer.write(http.send(h11.Request(method=method, target=path, headers=headers)) or b"")
    if body:
        writer.write(http.send(h11.Data(data=body)) or b"")
    writer.write(http.send(h11.EndOfMessage()) or b"")
    await writer.drain()
    status, parts = 0, []
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(_CHUNK_BYTES))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            parts.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            return status, b"".join(parts)
        elif isinstance(event, h11.ConnectionClosed):
            raise ConnectionError("the connection closed before the answer")
