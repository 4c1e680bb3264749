"""Probing servers that answer well, badly, slowly, without end, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from underway.drivers.prober.loopback import LoopbackProber
from underway.ports.prober import Probe

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
heard: list[bytes] = []


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[int]:
    async def answer_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            try:
                await answer(reader, writer)
                await writer.drain()
            finally:
                writer.close()

    server = await asyncio.start_server(answer_and_close, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def ask(answer: Answer, path: str = "/health", *, timeout_s: float = 5.0, **headers: str) -> Probe:
    async def story() -> Probe:
        async with serving(answer) as port:
            return await LoopbackProber().get(
                port, path, host="shop.localhost", timeout_s=timeout_s, headers=headers or None
            )

    return asyncio.run(story())


def sends(*parts: bytes) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard[:] = [await reader.readuntil(b"\r\n\r\n")]
        for part in parts:
            writer.write(part)

    return answer


def forever(start: bytes, again: bytes, pause_s: float = 0.0) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(start)
        while not writer.is_closing():
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return answer


@pytest.mark.parametrize(
    ("sent", "status", "body", "location"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", ""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, "ok", ""),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "until the end", ""),
        (b"HTTP/1.1 302 Found\r\nLocation: /login?next=/\r\nContent-Length: 0\r\n\r\n", 302, "", "/login?next=/"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\nboom", 500, "boom", ""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, "", ""),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x", ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n\x1b[31mr\xff\xe9\x00d\n\tx", 200, "r\ufffd\ufffdd\n    x", ""),
    ],
)
def test_answers_are_read(sent: bytes, status: int, body: str, location: str) -> None:
    probe = ask(sends(sent))
    assert (probe.status, probe.body_head, probe.location, probe.error) == (status, body, location, "")
    assert 0 < probe.took_ms < 5000


def test_the_question_is_what_the_proxy_would_send() -> None:
    ask(sends(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "/up?deep=1&x=é ä", Accept="application/json")
    line, *fields = heard[0].decode().strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
    assert line == "GET /up?deep=1&x=%C3%A9%20%C3%A4 HTTP/1.1"
    assert headers == {
        "host": "shop.localhost",
        "user-agent": "underway",
        "accept": "application/json",
        "x-forwarded-proto": "http",
        "x-underway-probe": "1",
        "connection": "close",
    }


def test_a_header_of_the_caller_replaces_ours() -> None:
    ask(sends(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), **{"x-forwarded-proto": "https"})
    assert heard[0].lower().count(b"x-forwarded-proto") == 1
    assert b"x-forwarded-proto: https" in heard[0].lower()


def test_a_large_body_is_read_only_at_its_beginning() -> None:
    probe = ask(sends(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n", b"y" * 5_000_000))
    assert probe.status == 200
    assert probe.body_head == "y" * 2000
    endless = ask(forever(b"HTTP/1.1 200 OK\r\n\r\n", b"z" * 8000))
    assert (endless.status, endless.error) == (200, "")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (sends(), "closed without an answer"),
        (sends(b"HTTP/1.1 200"), "not an HTTP answer"),
        (sends(b"SSH-2.0-OpenSSH_9.2\r\n"), "not an HTTP answer"),
        (sends(b"\x16\x03\x01\x00\xa5" * 100 + b"\r\n\r\n"), "not an HTTP answer"),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive!"), "not an HTTP answer"),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), "not an HTTP answer"),
        (sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "not an HTTP answer"),
        (sends(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000), "the head of the answer is over 64 KiB"),
        (forever(b"HTTP/1.1 200 OK\r\n", b"X-Y: z\r\n" * 500), "the head of the answer is over 64 KiB"),
        (forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50), "the head of the answer is over 64 KiB"),
        (forever(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0.01), "no answer within 0.3 s"),
        (forever(b"HTTP/1.1 200 OK\r\n\r\n", b"x", 0.01), "no whole answer within 0.3 s"),
        (forever(b"", b"", 0.01), "no answer within 0.3 s"),
    ],
)
def test_a_bad_answer_is_no_answer_and_says_why(answer: Answer, error: str) -> None:
    began = time.monotonic()
    probe = ask(answer, timeout_s=0.3 if "within" in error else 5.0)
    assert probe.status == 0
    assert error in probe.error
    assert time.monotonic() - began < 30


def test_nobody_there() -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    probe = asyncio.run(LoopbackProber().get(port, "/", host="x", timeout_s=1.0))
    assert (probe.status, probe.error) == (0, "connection refused")


def test_a_reset_connection() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        bare = writer.get_extra_info("socket")
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    assert ask(answer).error == "connection reset"


@pytest.mark.parametrize(
    ("path", "headers"), [("/a\r\nX-Evil: 1", {}), ("/", {"X-A": "b\r\nX-Evil: 1"}), ("/", {"X-A": "\u2028"})]
)
def test_nothing_can_be_smuggled_into_the_question(path: str, headers: dict[str, str]) -> None:
    heard.clear()
    probe = ask(sends(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), path, **headers)
    assert probe.status == 0 or b"\r\nX-Evil" not in heard[0]
    assert probe.status == 200 or not heard


def test_a_server_that_takes_connections_and_never_reads() -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(0)
        probe = asyncio.run(LoopbackProber().get(s.getsockname()[1], "/", host="x", timeout_s=0.2))
    assert (probe.status, probe.error) == (0, "no answer within 0.2 s")
