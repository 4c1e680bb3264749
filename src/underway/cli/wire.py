"""HTTP/1.1 to the agent over its unix socket: importing `http.client` takes a sixth of a command's whole time."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from types import TracebackType

_CHUNK_BYTES = 65_536


class Wire:
    """One connection for one request, to be used as a context; every error is an `OSError`, a timeout too.

        with Wire(path, 5.0) as wire:
            if wire.ask("GET", "/v1/alive") == 200:
                text = wire.read()

    `timeout_s` bounds each wait for bytes; None waits for ever.
    """

    def __init__(self, path: Path, timeout_s: float | None) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        self._stream: BufferedReader | None = None
        self._length = -1
        self._is_chunked = False

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._stream is not None:
            self._stream.close()
        self._socket.close()

    def ask(self, method: str, target: str, body: bytes = b"") -> int:
        """Send the request and read the answer's head; return its status."""
        lines = [f"{method} {target} HTTP/1.1", "Host: underway", "Connection: close", f"Content-Length: {len(body)}"]
        if body:
            lines.append("Content-Type: application/json")
        self._socket.connect(str(self._path))
        self._socket.sendall("\r\n".join((*lines, "", "")).encode("ascii") + body)
        self._stream = self._socket.makefile("rb")
        words = self._line().split(b" ", 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            raise ConnectionError("the answer is not HTTP")
        while line := self._line():
            name, _, value = line.partition(b":")
            match name.lower(), value.strip().lower():
                case b"content-length", length if length.isdigit():
                    self._length = int(length)
                case b"transfer-encoding", b"chunked":
                    self._is_chunked = True
        return int(words[1])

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(self._parts())

    def lines(self) -> Iterator[bytes]:
        """The body's lines, each as soon as it is there."""
        rest = b""
        for part in self._parts():
            *whole, rest = (rest + part).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def _parts(self) -> Iterator[bytes]:
        if self._is_chunked:
            while size := self._size():
                yield self._exactly(size)
                self._exactly(2)
        elif self._length >= 0:
            yield self._exactly(self._length)
        else:
            while part := self._open().read1(_CHUNK_BYTES):
                yield part

    def _size(self) -> int:
        try:
            return int(self._line().split(b";")[0], 16)
        except ValueError as error:
            raise ConnectionError("the answer's chunks are damaged") from error

    def _line(self) -> bytes:
        line = self._open().readline(_CHUNK_BYTES)
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the connection closed before the answer was whole")
        return line[:-2]

    def _exactly(self, count: int) -> bytes:
        found = self._open().read(count)
        if len(found) < count:
            raise ConnectionError("the connection closed before the answer was whole")
        return found

    def _open(self) -> BufferedReader:
        if self._stream is None:
            raise ConnectionError("nothing was asked yet")
        return self._stream
