"""The access log that Caddy writes as JSON lines and rotates."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import zlib
from collections.abc import Sequence
from functools import lru_cache
from io import FileIO
from pathlib import Path

import msgspec

from underway.drivers.router.share import SHARE_TEXT, share_value
from underway.terms.home import Home
from underway.terms.route import LogOffset, Request

_NAME = "access.log"
_PARTS = "access-*.log"
"""What Caddy calls the parts it moved away; their names sort as their times do."""
_CHUNK_BYTES = 1 << 18
_LINE_LIMIT_BYTES = 1 << 17
"""No line of ours is longer (the proxy takes 64 KiB of headers); what is, is passed over."""
_PATH_LIMIT = 2_000
_AGENT_LIMIT = 300
_HOST_LIMIT = 255
_CLIENTS_REMEMBERED = 4_096
_MARK_BYTES = 64
_OURS = ("127.0.0.1", "::1")
"""Probes come from this machine: a visitor cannot hide requests from the counts by marking them."""
_GONE_STATUS = 499
"""What Caddy writes when the client went away before an answer."""


class _Asked(msgspec.Struct):
    client_ip: str = ""
    method: str = ""
    uri: str = ""
    host: str = ""


class _Line(msgspec.Struct):
    """The fields of a line that are read. Those the proxy could not fill are null."""

    ts: float
    status: int
    duration: float
    request: _Asked
    app: str | None = None
    release: str | None = None
    slot: str | None = None
    upstream: str | None = None
    upstream_ms: float | None = None
    retries: int | None = None
    bucket: str | None = None
    agent: str | None = None
    probe: str | None = None
    share: str | None = None
    size: int = 0


class CaddyRequestLog:
    """Reads the access log of `home`'s proxy; implements the port `RequestLog`.

    A client is told from others by a hash of its address, its bucket and its browser's name, keyed with a secret of
    the home: the same client has the same name for as long as the home lives, and nobody can compute it back.
    """

    def __init__(self, home: Home) -> None:
        self._folder = home.proxy
        self._file = home.proxy / _NAME
        self._salt_file = home.proxy / "client-salt"
        self._salt = b""
        self._decode = msgspec.json.Decoder(_Line, strict=True).decode
        self._hashed = lru_cache(_CLIENTS_REMEMBERED)(self._hash)

    def read(
        self, since: LogOffset, limit: int = 10_000, until: LogOffset | None = None
    ) -> tuple[Sequence[Request], LogOffset]:
        found: list[Request] = []
        offset = since
        with contextlib.ExitStack() as opened:
            for inode, file, start in self._parts_from(since, opened):
                is_last = until is not None and inode == until.inode
                byte = self._read_part(file, start, limit, found, until.byte if until and is_last else None)
                offset = LogOffset(inode=inode, byte=byte, mark=_mark(file, byte))
                if is_last or len(found) >= limit:
                    break
        return found, offset

    def holds(self, offset: LogOffset) -> bool:
        with contextlib.ExitStack() as opened:
            parts = self._parts_from(offset, opened)
            return bool(parts) and parts[0][0] == offset.inode and parts[0][2] == offset.byte

    def end(self) -> LogOffset:
        try:
            with self._file.open("rb", buffering=0) as file:
                status = os.fstat(file.fileno())
                byte = _after_last_line(file, status.st_size)
                return LogOffset(inode=status.st_ino, byte=byte, mark=_mark(file, byte))
        except FileNotFoundError:
            return LogOffset()

    def _parts_from(self, since: LogOffset, opened: contextlib.ExitStack) -> list[tuple[int, FileIO, int]]:
        """The parts to read and where to begin in them, oldest first: from the one that was read last, or all of
        them when it is gone.

        The current one is opened first: if it is moved away meanwhile, it is found again among the older ones.
        """
        inode = since.inode
        current = _opened(self._file, opened)
        older = [_opened(part, opened) for part in sorted(self._folder.glob(_PARTS))]
        parts = {os.fstat(file.fileno()).st_ino: file for file in (*older, current) if file is not None}
        inodes = list(parts)
        if inode not in parts or since.mark not in (0, _mark(parts[inode], since.byte)):
            return [(each, file, 0) for each, file in parts.items()]
        is_whole = since.byte <= os.fstat(parts[inode].fileno()).st_size  # else it was emptied
        wanted = inodes[inodes.index(inode) :]
        return [(each, parts[each], since.byte if each == inode and is_whole else 0) for each in wanted]

    def _read_part(self, file: FileIO, start: int, limit: int, found: list[Request], end: int | None) -> int:
        """Add the requests from `start` to `end` to `found`; return the byte after the last whole line read."""
        file.seek(start)
        done, rest, is_too_long = start, b"", False
        while len(found) < limit and (chunk := file.read(_CHUNK_BYTES)):
            lines = (rest + chunk).split(b"\n")
            rest = lines.pop()
            for line in lines:
                if len(found) >= limit or (end is not None and done >= end):
                    return done
                done += len(line) + 1
                if is_too_long:
                    is_too_long = False
                elif (request := self._request(line)) is not None:
                    found.append(request)
            if len(rest) > _LINE_LIMIT_BYTES:
                done, rest, is_too_long = done + len(rest), b"", True
        return done

    def _request(self, raw: bytes) -> Request | None:
        try:
            line = self._decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return Request(
            at=line.ts - line.duration,
            app=line.app or "",
            release=line.release or "",
            slot=line.slot or "",
            method=line.request.method,
            path=line.request.uri.partition("?")[0][:_PATH_LIMIT],
            status=0 if line.status == _GONE_STATUS else line.status,
            took_ms=line.duration * 1000,
            upstream_ms=line.upstream_ms or 0.0,
            upstream=line.upstream or "",
            retries=line.retries or 0,
            client=self._hashed(f"{line.request.client_ip}\n{line.bucket}\n{line.agent}"),
            address=self._hashed(f"{line.request.client_ip}\n{line.agent}"),
            agent=line.agent[:_AGENT_LIMIT] if line.agent else "",
            is_monitor=bool(line.probe) and line.request.client_ip in _OURS,
            share_of_b=share_value(line.share) if line.share and SHARE_TEXT.fullmatch(line.share) else None,
            is_sticky=bool(line.bucket),
            ip=line.request.client_ip,
            host=line.request.host[:_HOST_LIMIT],
            sent_bytes=max(0, line.size),
        )

    def _hash(self, known: str) -> str:
        if not self._salt:
            self._salt = _salt(self._salt_file)
        return hashlib.blake2b(known.encode(errors="replace"), digest_size=8, key=self._salt).hexdigest()


def _salt(path: Path) -> bytes:
    """The home's secret, made once (0600)."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        kept = path.read_bytes()
        if len(kept) == 32:
            return kept
        path.unlink()  # a crash came between making and filling it
        return _salt(path)
    with os.fdopen(descriptor, "wb") as file:
        salt = secrets.token_bytes(32)
        file.write(salt)
    return salt


def _mark(file: FileIO, byte: int) -> int:
    """A checksum of the file's first bytes, 0 while fewer were read. It stays while it is this file."""
    if byte < _MARK_BYTES:
        return 0
    return zlib.crc32(os.pread(file.fileno(), _MARK_BYTES, 0)) or 1


def _opened(path: Path, opened: contextlib.ExitStack) -> FileIO | None:
    try:
        return opened.enter_context(path.open("rb", buffering=0))
    except FileNotFoundError:  # moved away or dropped since we looked
        return None


def _after_last_line(file: FileIO, size: int) -> int:
    """The byte after the last newline before `size`."""
    at = size
    while at > 0:
        start = max(0, at - _CHUNK_BYTES)
        file.seek(start)
        newline = file.read(at - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        at = start
    return 0
