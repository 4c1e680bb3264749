"""Monitors' targets, asked from this machine."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import signal
import socket
import ssl
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from underway.drivers.asks.certificate import ends_at
from underway.drivers.loopback_http import exchange, said
from underway.drivers.net import connect
from underway.drivers.process_log import clean
from underway.drivers.smokes.expected import unmet
from underway.manifest.monitor import MonitorKeys
from underway.ports.asks import OwnAsk
from underway.ports.clock import Clock
from underway.steps.check_health import accepts
from underway.terms.monitor import Checked, MonitorKind
from underway.terms.secret import Secret

MAX_BODY_BYTES = 1 << 20
_REFERENCE_TIMEOUT_S = 3.0
_NO_WAY_OUT = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)
_POSTGRES_PORT, _REDIS_PORT = 5432, 6379


class Asking:
    """`Asks` over plain sockets: no client library, so that a thousand monitors cost little."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tls: ssl.SSLContext | None = None

    async def ask(self, monitor: MonitorKeys, values: Mapping[str, str | Secret]) -> Checked:
        """See the port."""
        at, began = self._clock.now(), time.perf_counter()
        came, until, is_ours = "", 0.0, False
        hidden: list[str] = []
        try:
            target = _filled(monitor.target, values, hidden)
            async with asyncio.timeout(monitor.timeout_s):
                came, until = await self._ask(monitor, target)
        except TimeoutError:
            came, is_ours = f"no answer within {monitor.timeout_s:g} s", True
        except _Unfilled as unfilled:
            came = str(unfilled)
        except OSError as error:
            came = said(error)
            is_ours = isinstance(error, socket.gaierror) or error.errno in _NO_WAY_OUT
        except ValueError:
            came = "the target cannot be asked: it is no address"
        for secret in hidden:
            came = came.replace(secret, "•••")
        took_ms = round((time.perf_counter() - began) * 1000, 3)
        return Checked(at=at, took_ms=took_ms, came=clean(came)[:300], certificate_until=until, is_ours=is_ours)

    async def ask_own(self, ask: OwnAsk) -> Checked:
        """See the port."""
        at = self._clock.now()
        heard = await exchange(ask.port, ask.path, host=ask.host, timeout_s=ask.timeout_s, most_bytes=65_536)
        came = ""
        if heard.error:
            came = f"no answer: {heard.error}"
        elif not accepts(ask.status, heard.status) and not 300 <= heard.status < 400:
            came = f"status {heard.status}, not {ask.status}"
        until = 0.0
        if ask.certificate_port:
            with contextlib.suppress(OSError, TimeoutError):
                until = await ends_at("127.0.0.1", ask.certificate_port, ask.host, ask.timeout_s)
        return Checked(at=at, took_ms=round(heard.took_ms, 3), came=came, certificate_until=until)

    async def is_offline(self, references: tuple[str, ...]) -> bool:
        """See the port."""
        if not references:
            return False

        async def reached(reference: str) -> bool:
            host, _, port = reference.rpartition(":")
            try:
                async with asyncio.timeout(_REFERENCE_TIMEOUT_S):
                    _, writer = await connect(host.strip("[]"), int(port), may_be_private=True)
                    writer.transport.abort()
            except (OSError, TimeoutError, ValueError):
                return False
            return True

        return not any(await asyncio.gather(*(reached(each) for each in references)))

    async def _ask(self, monitor: MonitorKeys, target: str) -> tuple[str, float]:
        """What was wrong (empty for nothing), and when the certificate ends."""
        match MonitorKind(monitor.kind):
            case MonitorKind.HTTP:
                return await self._http(monitor, target)
            case MonitorKind.TCP:
                _, writer = await self._connected(monitor, target, 0)
                writer.transport.abort()
            case MonitorKind.DNS:
                return await _dns(target, monitor.answer), 0.0
            case MonitorKind.POSTGRES:
                return await self._postgres(monitor, target), 0.0
            case MonitorKind.REDIS:
                return await self._redis(monitor, target), 0.0
            case MonitorKind.COMMAND:
                return await _command(target), 0.0
            case _:
                return "it is not asked from here", 0.0
        return "", 0.0

    async def _http(self, monitor: MonitorKeys, target: str) -> tuple[str, float]:
        parts = urlsplit(target)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return "it is no address of the web", 0.0
        is_tls = parts.scheme == "https"
        port = parts.port or (443 if is_tls else 80)
        host = parts.hostname
        until = 0.0

        async def dial() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            nonlocal until
            tls = self._context() if is_tls else None
            reader, writer = await connect(host, port, may_be_private=monitor.private, tls=tls)
            shown = writer.get_extra_info("peercert")
            if shown and "notAfter" in shown:
                until = float(ssl.cert_time_to_seconds(shown["notAfter"]))
            return reader, writer

        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        name = f"[{host}]" if ":" in host else host
        heard = await exchange(
            port,
            path,
            host=name if port in (80, 443) else f"{name}:{port}",
            timeout_s=monitor.timeout_s,
            most_bytes=MAX_BODY_BYTES,
            dial=dial,
        )
        if heard.error in ("no such host", "the name could not be looked up"):
            raise socket.gaierror(socket.EAI_NONAME if heard.error == "no such host" else socket.EAI_AGAIN, heard.error)
        return unmet(monitor.expect, heard, lambda text: text), until

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    async def _connected(
        self, monitor: MonitorKeys, target: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(target if "://" in target else f"//{target}")
        return await connect(parts.hostname or "", parts.port or port, may_be_private=monitor.private)

    async def _postgres(self, monitor: MonitorKeys, target: str) -> str:
        """The server takes connections: it answers a startup message by asking who we are
        (postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP). No password is sent."""
        reader, writer = await self._connected(monitor, target, _POSTGRES_PORT)
        try:
            parts = urlsplit(target if "://" in target else f"//{target}")
            user, name = parts.username or "postgres", parts.path.strip("/") or "postgres"
            words = b"user\0" + user.encode() + b"\0database\0" + name.encode() + b"\0application_name\0underway\0\0"
            writer.write((len(words) + 8).to_bytes(4, "big") + (196_608).to_bytes(4, "big") + words)
            await writer.drain()
            head = await reader.readexactly(5)
            if head[:1] == b"R":
                return ""
            if head[:1] != b"E":
                return "what answers is no PostgreSQL"
            text = await reader.read(min(int.from_bytes(head[1:], "big"), 2000))
            told = {field[:1]: field[1:].decode(errors="replace") for field in text.split(b"\0") if field}
            if told.get(b"C") == "28000":  # no entry in pg_hba.conf for us: it takes connections of others
                return ""
            return f"the server says: {told.get(b'M', 'no')}"
        except asyncio.IncompleteReadError:
            return "the server closed the connection"
        finally:
            writer.transport.abort()

    async def _redis(self, monitor: MonitorKeys, target: str) -> str:
        reader, writer = await self._connected(monitor, target, _REDIS_PORT)
        try:
            parts = urlsplit(target if "://" in target else f"//{target}")
            if parts.password:
                writer.write(_redis_words("AUTH", *([parts.username] if parts.username else []), parts.password))
                answer = (await reader.readline()).decode(errors="replace").strip()
                if not answer.startswith("+"):
                    return f"the server says: {answer[1:100]}" if answer else "the server closed the connection"
            writer.write(_redis_words("PING"))
            answer = (await reader.readline()).decode(errors="replace").strip()
            if answer == "+PONG" or answer.startswith("-NOAUTH"):  # it answers, and to say more is not our business
                return ""
            return f"the server says: {answer[1:100]}" if answer else "the server closed the connection"
        finally:
            writer.transport.abort()


class _Unfilled(Exception):
    """A variable of the target has no value."""


def _filled(target: str, values: Mapping[str, str | Secret], hidden: list[str]) -> str:
    def value(found: re.Match[str]) -> str:
        got = values.get(found[1])
        if got is None:
            raise _Unfilled(f"${{{found[1]}}} has no value")
        text = got.reveal() if isinstance(got, Secret) else got
        if len(text) > 3:
            hidden.append(text)
        return text

    return _PLACEHOLDER.sub(value, target)


async def _dns(name: str, wanted: str) -> str:
    found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    addresses = sorted({str(where[0]) for *_, where in found})
    if wanted and wanted not in addresses:
        return f"it leads to {', '.join(addresses)[:200]}, not to {wanted}"
    return ""


async def _command(line: str) -> str:
    """Run in a session of its own, with nothing of our environment but the path; the whole group is ended."""
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        line,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
        cwd="/",
        start_new_session=True,
    )
    try:
        out, _ = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    if process.returncode == 0:
        return ""
    last = out[-2000:].decode(errors="replace").strip().rpartition("\n")[2]
    return f"exit code {process.returncode}" + (f": {last[:150]}" if last else "")


def _redis_words(*words: str) -> bytes:
    return f"*{len(words)}\r\n".encode() + b"".join(
        f"${len(word.encode())}\r\n".encode() + word.encode() + b"\r\n" for word in words
    )
