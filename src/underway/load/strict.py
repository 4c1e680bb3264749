"""A strict HTTP client under load: it never retries, and every request that does not end well is counted.

A kept-alive connection that the server closes without having said so (`Connection: close` in the answer before)
fails the request that was sent down it, as it does in a client that may not send a POST twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

READ_BYTES = 65_536


class Broken(Exception):
    """A request that got no whole answer. The first argument is the kind that is counted."""


@dataclass(frozen=True)
class Answer:
    """One whole answer. Header names are lower case; of a repeated header the last is kept."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    took_ms: float


@dataclass
class Tally:
    """What happened. `failed` counts by kind; `bodies` by the first 40 bytes of good answers."""

    served: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    bodies: Counter[bytes] = field(default_factory=Counter)
    took_ms: list[float] = field(default_factory=list)

    @property
    def failures(self) -> int:
        return self.failed.total()

    def quantile_ms(self, share: float) -> float:
        ordered = sorted(self.took_ms)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0

    def says(self) -> str:
        kinds = ", ".join(f"{count} × {kind}" for kind, count in self.failed.most_common()) or "none"
        return f"{self.served} served, {self.failures} failed ({kinds}), p95 {self.quantile_ms(0.95):.1f} ms"


class Connection:
    """One TCP connection that speaks HTTP/1.1, without any retry."""

    def __init__(self, address: str, port: int) -> None:
        self._at = (address, port)
        self._socket: socket.socket | None = None
        self._rest = b""

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    @property
    def was_closed(self) -> bool:
        """Open here, and closed by the server while nothing was asked: what every client looks at before it reuses."""
        if self._socket is None:
            return False
        try:
            return self._socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in self._at[0] else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await loop.sock_connect(opened, self._at)
        except OSError as error:
            opened.close()
            raise Broken(f"connect: {type(error).__name__}") from error
        except BaseException:
            opened.close()
            raise
        self._socket, self._rest = opened, b""

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def ask(self, request: bytes) -> Answer:
        """Send `request` (opening the connection when it is not) and return the whole answer. Raises `Broken`."""
        began = time.perf_counter()
        if self._socket is None:
            await self.open()
        assert self._socket is not None
        try:
            await asyncio.get_running_loop().sock_sendall(self._socket, request)
            head = await self._until(b"\r\n\r\n")
            while head.startswith(b"HTTP/1.1 1") and not head.startswith(b"HTTP/1.1 101"):
                head = await self._until(b"\r\n\r\n")
            status, headers = _parsed(head)
            body = await self._body(status, headers, is_head=request.startswith(b"HEAD "))
        except (OSError, Broken) as error:
            self.close()
            raise Broken(str(error) if isinstance(error, Broken) else f"sending: {type(error).__name__}") from error
        except BaseException:
            self.close()
            raise
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, headers, body, (time.perf_counter() - began) * 1000)

    async def _body(self, status: int, headers: dict[str, str], *, is_head: bool) -> bytes:
        if is_head or status in (204, 304):
            return b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            parts = []
            while size := int((await self._until(b"\r\n")).split(b";")[0], 16):
                parts.append((await self._exactly(size + 2))[:-2])
            await self._until(b"\r\n")
            return b"".join(parts)
        if "content-length" in headers:
            return await self._exactly(int(headers["content-length"]))
        headers["connection"] = "close"  # it ends with the connection
        with contextlib.suppress(Broken):
            while True:
                await self._more()
        return self._rest

    async def _until(self, mark: bytes) -> bytes:
        while (at := self._rest.find(mark)) < 0:
            await self._more()
        found, self._rest = self._rest[: at + len(mark)], self._rest[at + len(mark) :]
        return found

    async def _exactly(self, count: int) -> bytes:
        while len(self._rest) < count:
            await self._more()
        found, self._rest = self._rest[:count], self._rest[count:]
        return found

    async def _more(self) -> None:
        assert self._socket is not None
        try:
            read = await asyncio.get_running_loop().sock_recv(self._socket, READ_BYTES)
        except OSError as error:
            raise Broken(f"{'in' if self._rest else 'before'} the answer: {type(error).__name__}") from error
        if not read:
            raise Broken(f"closed {'in' if self._rest else 'before'} the answer")
        self._rest += read


def _parsed(head: bytes) -> tuple[int, dict[str, str]]:
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        raise Broken("not HTTP")
    pairs = (line.partition(":") for line in lines[1:] if line)
    return int(words[1]), {name.lower(): value.strip() for name, _, value in pairs}


def request_bytes(
    host: str,
    path: str = "/",
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    keep_alive: bool = True,
) -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if not keep_alive:
        lines.append("Connection: close")
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode() + body


async def ask(address: str, port: int, request: bytes, timeout_s: float = 30.0) -> Answer:
    """One request on a connection of its own. Raises `Broken`."""
    connection = Connection(address, port)
    try:
        async with asyncio.timeout(timeout_s):
            return await connection.ask(request)
    except TimeoutError as error:
        raise Broken("timeout") from error
    finally:
        connection.close()


class StrictLoad:
    """`clients` clients that ask one after the other for as long as the context lasts.

        async with StrictLoad(port, "shop.localhost") as load:
            ...
        print(load.tally.says())

    With `keep_alive` each client reuses its connection until an answer says `Connection: close`; without, every
    request has its own. `is_good` says whether an answer is one (200 by default); `pause_s` is waited between the
    requests of a client. On leaving, requests under way are finished and counted. `method` and `body` make the
    request one that nobody on the way may repeat.
    """

    def __init__(
        self,
        port: int,
        host: str,
        *,
        address: str = "127.0.0.1",
        path: str = "/",
        method: str = "GET",
        body: bytes = b"",
        clients: int = 50,
        keep_alive: bool = True,
        headers: Mapping[str, str] | None = None,
        is_good: Callable[[Answer], bool] | None = None,
        pause_s: float = 0.0,
        timeout_s: float = 30.0,
    ) -> None:
        self.tally = Tally()
        self._at = (address, port)
        self._request = request_bytes(host, path, method=method, headers=headers, body=body, keep_alive=keep_alive)
        self._clients = clients
        self._keep_alive = keep_alive
        self._is_good = is_good or (lambda answer: answer.status == 200)
        self._pause_s = pause_s
        self._timeout_s = timeout_s
        self._is_over = False
        self._grown = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> StrictLoad:
        self._tasks = [asyncio.create_task(self._client()) for _ in range(self._clients)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_over = True
        await asyncio.gather(*self._tasks)

    async def reaches(self, served: int, timeout_s: float = 30.0) -> None:
        """Wait until so many requests were served."""
        async with asyncio.timeout(timeout_s):
            while self.tally.served < served:
                self._grown.clear()
                await self._grown.wait()

    async def _client(self) -> None:
        connection = Connection(*self._at)
        tally = self.tally
        while not self._is_over:
            try:
                async with asyncio.timeout(self._timeout_s):
                    answer = await connection.ask(self._request)
            except Broken as error:
                tally.failed[str(error)] += 1
            except TimeoutError:
                tally.failed["timeout"] += 1
            else:
                if self._is_good(answer):
                    tally.served += 1
                    self._grown.set()
                    tally.took_ms.append(answer.took_ms)
                    tally.bodies[answer.body[:40]] += 1
                else:
                    tally.failed[f"status {answer.status}"] += 1
            if not self._keep_alive:
                connection.close()
            if self._pause_s or tally.failed:
                await asyncio.sleep(self._pause_s or 0.001)
        connection.close()
