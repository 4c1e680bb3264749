"""What an app can be asked about what it needs: a database, a cache, a disk, somebody else's API.

Nothing beyond the standard library is needed. A check passes when it returns; what it raises is told by its kind alone
(an error's text may hold an address with a password), but for `Unwell`, whose words are for everybody.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

LEAST_FREE = 0.05
"""A disk with less room than this share of it is unwell: PostgreSQL and logs stop at a full one without warning."""
_POSTGRES_PORT, _REDIS_PORT, _REDIS_TLS_PORT = 5432, 6379, 6380
_PROTOCOL_3, _SSL_REQUEST = 196_608, 80_877_103


class Unwell(Exception):
    """A check that failed, in words that anybody may read."""


@dataclass(frozen=True)
class Check:
    """One question. `ask` is a coroutine function, or a plain one (it gets a thread of its own).

    It has `timeout_s` for its answer. When one that is `is_needed` fails, the app is unwell (503); another only shows.
    """

    name: str
    ask: Callable[[], Awaitable[object] | object]
    timeout_s: float = 2.0
    is_needed: bool = True
    component: str = "component"


def postgres(url: str, *, name: str = "database", timeout_s: float = 2.0, is_needed: bool = True) -> Check:
    """The server takes connections: it answers a startup message by asking who we are, as `pg_isready` does
    (postgresql.org/docs/current/protocol-flow.html). No password is sent and no driver is needed. To run a query as
    well, give `Check` a function that does."""

    async def ask() -> None:
        await _ask_postgres(url)

    return Check(name, ask, timeout_s, is_needed, "datastore")


def redis(url: str, *, name: str = "cache", timeout_s: float = 1.0, is_needed: bool = True) -> Check:
    """The server answers PING, after AUTH where the address has a password."""

    async def ask() -> None:
        await _ask_redis(url)

    return Check(name, ask, timeout_s, is_needed, "datastore")


def disk(path: str = ".", *, name: str = "disk", least_free: float = LEAST_FREE, is_needed: bool = True) -> Check:
    """At least the share `least_free` of the disk that holds `path` is free."""

    def ask() -> None:
        found = shutil.disk_usage(path)
        if found.free < least_free * found.total:
            raise Unwell(f"{100 * found.free / found.total:.1f} % is free, less than {100 * least_free:g} %")

    return Check(name, ask, 2.0, is_needed, "system")


def web(name: str, url: str, *, timeout_s: float = 2.0, is_needed: bool = False) -> Check:
    """An API of somebody else answers with a status under 500. Redirects are not followed, and the answer is not read.

    It is not needed unless said so: an app that is taken out of traffic does not mend somebody else's."""

    async def ask() -> None:
        await _ask_web(url)

    return Check(name, ask, timeout_s, is_needed, "external")


def from_environment(environment: Mapping[str, str] | None = None) -> tuple[Check, ...]:
    """The checks that follow from `DATABASE_URL` and `REDIS_URL`, and of the disk of the working folder."""
    known = os.environ if environment is None else environment
    found = [disk()]
    if known.get("DATABASE_URL", "").startswith("postgres"):
        found.append(postgres(known["DATABASE_URL"]))
    if known.get("REDIS_URL", "").startswith("redis"):
        found.append(redis(known["REDIS_URL"]))
    return tuple(found)


async def _ask_postgres(url: str) -> None:
    parts = urlsplit(url)
    query = dict(pair.partition("=")[::2] for pair in parts.query.split("&"))
    host, port = parts.hostname or unquote(query.get("host", "")) or "127.0.0.1", parts.port or _POSTGRES_PORT
    if host.startswith("/"):
        reader, writer = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
    else:
        reader, writer = await asyncio.open_connection(host, port)
    try:
        if "require" in query.get("sslmode", "") or "verify" in query.get("sslmode", ""):
            await _begin_tls(reader, writer, host)
        user, database = unquote(parts.username or "postgres"), unquote(parts.path.strip("/") or "postgres")
        words = b"\0".join((b"user", user.encode(), b"database", database.encode(), b"", b""))
        writer.write((len(words) + 8).to_bytes(4, "big") + _PROTOCOL_3.to_bytes(4, "big") + words)
        await writer.drain()
        head = await reader.readexactly(5)
        if head[:1] == b"R":
            return
        if head[:1] != b"E":
            raise Unwell("what answers is no PostgreSQL")
        told = await reader.read(min(int.from_bytes(head[1:], "big"), 2000))
        codes = [field[1:].decode(errors="replace") for field in told.split(b"\0") if field[:1] == b"C"]
        raise Unwell(f"the server refuses connections (SQLSTATE {codes[0] if codes else 'unknown'})")
    finally:
        writer.transport.abort()


async def _begin_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
    """Ask for TLS as libpq's `sslmode=require` does: the certificate itself is the driver's matter."""
    writer.write((8).to_bytes(4, "big") + _SSL_REQUEST.to_bytes(4, "big"))
    await writer.drain()
    if await reader.readexactly(1) != b"S":
        raise Unwell("the server does not speak TLS")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    await writer.start_tls(context, server_hostname=host)


async def _ask_redis(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "unix":
        reader, writer = await asyncio.open_unix_connection(parts.path)
    else:
        is_tls = parts.scheme == "rediss"
        port = parts.port or (_REDIS_TLS_PORT if is_tls else _REDIS_PORT)
        reader, writer = await asyncio.open_connection(parts.hostname or "127.0.0.1", port, ssl=is_tls or None)
    try:
        if parts.password:
            names = [unquote(parts.username)] if parts.username else []
            await _say(reader, writer, b"+OK", "AUTH", *names, unquote(parts.password))
        await _say(reader, writer, b"+PONG", "PING")
    finally:
        writer.transport.abort()


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wanted: bytes, *words: str) -> None:
    text = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
    writer.write(f"*{len(words)}\r\n{text}".encode())
    await writer.drain()
    answer = (await reader.readline()).strip()
    if answer != wanted:
        # the first word is the kind of the error (NOAUTH, LOADING, MASTERDOWN); what follows may quote what was sent
        kind = answer[1:].split(b" ")[0][:20].decode(errors="replace") if answer.startswith(b"-") else "no answer"
        raise Unwell(f"the server says {kind} to {words[0]}")


async def _ask_web(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unwell("it has no address of the web")
    is_tls = parts.scheme == "https"
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or (443 if is_tls else 80), ssl=is_tls or None
    )
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        host = parts.netloc.rpartition("@")[2]
        head = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: underway-kit\r\nConnection: close\r\n\r\n"
        writer.write(head.encode("ascii"))
        await writer.drain()
        words = (await reader.readline()).split(b" ", 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
            raise Unwell("the answer is not HTTP")
        if int(words[1]) >= 500:
            raise Unwell(f"status {int(words[1])}")
    finally:
        writer.transport.abort()
