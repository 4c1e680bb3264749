"""Log files that a program writes to by itself: rotated under its hands, read from the end, made safe to show."""

from __future__ import annotations

import ctypes
import glob
import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path

ROTATE_BYTES = 5_000_000
KEPT_PARTS = 3

_COLLAPSE_RANGE = 0x08  # FALLOC_FL_COLLAPSE_RANGE, fallocate(2)
_COPY = ".from"
"""`path.from0` is the copy that a rotation makes of what it is about to cut out from byte 0 on."""
FLOOD = 4
_CHUNK_BYTES = 1 << 18
_TAIL_BYTES = 1 << 16
_LINE_CHARS = 2_000
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LIBC = ctypes.CDLL(None, use_errno=True)
ROTATING = threading.Lock()
"""Held while a log is rotated: who reads on in one holds it meanwhile."""


def open_to_append(path: Path) -> int:
    """Open a log (0600, its folder 0700) so that several writers never overwrite each other. The caller closes it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def rotate(path: Path, limit_bytes: int = ROTATE_BYTES, keep: int = KEPT_PARTS) -> int:
    """Move what `path` holds to `path.1` when it is over `limit_bytes`, while programs go on writing to it.

    Returns the bytes taken out of the front of the file, 0 when it was small. Where the file system can cut the
    front of a file off (ext4, XFS) nothing written meanwhile is lost, and the parts one after the other are exactly
    what was written. Elsewhere the file is emptied right after the last byte was copied: what is written in between,
    mostly within microseconds, is lost. A part holds at most four times `limit_bytes`; of a flood only the end is
    kept. On a full disk the old content is let go rather than the disk kept full. Whoever is killed in the middle
    leaves a rotation that the next one ends, see `end_rotation`.
    """
    end_rotation(path, keep)
    with ROTATING:
        return _rotate(path, limit_bytes, keep)


def end_rotation(path: Path, keep: int = KEPT_PARTS) -> None:
    """End a rotation that nobody ended: a copy whose bytes left the log is its newest part, any other is removed."""
    with ROTATING:
        for copy in path.parent.glob(f"{glob.escape(path.name)}{_COPY}*"):
            start = copy.name.rpartition(_COPY)[2]
            if start.isdecimal() and not _is_still_there(path, copy, int(start)):
                _make_newest(copy, path, keep)
            else:
                copy.unlink(missing_ok=True)


def _is_still_there(path: Path, copy: Path, start: int) -> bool:
    """True while `path` has from `start` on what `copy` has: it was not cut."""
    at, end = 0, size(copy)
    while at < end:
        chunk = _read(copy, at, _CHUNK_BYTES)
        if not chunk or _read(path, start + at, len(chunk)) != chunk:
            return False
        at += len(chunk)
    return True


def _rotate(path: Path, limit_bytes: int, keep: int) -> int:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return 0
    try:
        found = os.fstat(fd)
        if found.st_size <= limit_bytes:
            return 0
        block = max(4096, found.st_blksize)
        cut = (found.st_size - 1) // block * block  # a cut must be whole blocks and leave the end of the file alone
        start = max(0, cut - FLOOD * limit_bytes)
        copy = path.with_name(f"{path.name}{_COPY}{start}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        out = os.open(copy, flags, 0o600)
        try:
            copied = _copy(fd, out, start, cut)
            if _LIBC.fallocate(fd, _COLLAPSE_RANGE, ctypes.c_int64(0), ctypes.c_int64(cut)) != 0:
                cut = _copy(fd, out, copied, None)
                os.ftruncate(fd, 0)
        finally:
            os.close(out)
        _make_newest(copy, path, keep)
    finally:
        os.close(fd)
    return cut


def _copy(source: int, target: int, start: int, end: int | None) -> int:
    """Copy from `start` to `end` (None: until nothing more comes); return where it stopped reading."""
    at = start
    while end is None or at < end:
        chunk = os.pread(source, _CHUNK_BYTES if end is None else min(_CHUNK_BYTES, end - at), at)
        if not chunk:
            break
        at += len(chunk)
        try:
            write_all(target, chunk)
        except OSError:  # no room: what is being rotated out would be the first to go anyway
            os.ftruncate(target, 0)
            return at if end is None else end
    return at


def write_all(target: int, chunk: bytes) -> None:
    """Write every byte. Raises `OSError`."""
    left = memoryview(chunk)
    while left:
        left = left[os.write(target, left) :]


def _make_newest(copy: Path, path: Path, keep: int) -> None:
    """Name `copy` the part 1. The others move up as far as there is no free number, and the oldest falls out where
    there is none."""
    parts = [path.with_name(f"{path.name}.{number}") for number in range(1, keep + 1)]
    free = next((number for number, part in enumerate(parts) if not part.exists()), keep - 1)
    for number in range(free, 0, -1):
        os.replace(parts[number - 1], parts[number])
    os.replace(copy, parts[0])


def clean(text: str, most: int = _LINE_CHARS) -> str:
    """`text` fit for a terminal and a page: no escape sequences, no control or direction characters, one line."""
    if not text.isprintable():
        text = _CONTROLS.sub("", _ESCAPES.sub("", text)).replace("\n", " ").expandtabs(4)
    return text.rstrip()[:most]


def tail(path: Path, lines: int, since_byte: int = 0) -> Sequence[str]:
    """The last `lines` lines written after `since_byte`, cleaned; the newest 64 KiB at most.

    A negative `since_byte` reaches into the part that was rotated out last (`path.1`).
    """
    text = _end_of(path, max(0, since_byte))
    if since_byte < 0 and text.count(b"\n") < lines:
        older = path.with_name(f"{path.name}.1")
        text = _end_of(older, max(0, size(older) + since_byte)) + text
    return tuple(clean(line) for line in text.decode(errors="replace").split("\n") if line.strip())[-lines:]


def lines_after(path: Path, byte: int, limit_bytes: int = 1 << 18) -> list[tuple[int, str]]:
    """Whole lines after `byte`, cleaned, each with the byte after it; `limit_bytes` at most, and a line longer than
    that in pieces. A negative `byte` is in the part that was rotated out last, as `rotate` counts."""
    older, text = path.with_name(f"{path.name}.1"), b""
    if byte < 0:
        byte = max(byte, -size(older))
        text = _read(older, size(older) + byte, limit_bytes)
    text += _read(path, max(byte, 0), limit_bytes - len(text))  # a line may begin in one part and end in the next
    whole = text.rfind(b"\n") + 1 or (len(text) if len(text) == limit_bytes else 0)
    found = []
    for line in text[:whole].splitlines(keepends=True):
        byte += len(line)
        found.append((byte, clean(line.decode(errors="replace"))))
    return found


def _read(path: Path, start: int, limit_bytes: int) -> bytes:
    try:
        with path.open("rb") as log:
            log.seek(start)
            return log.read(limit_bytes)
    except OSError:
        return b""


def _end_of(path: Path, since_byte: int) -> bytes:
    try:
        with path.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            since_byte = since_byte if since_byte <= end else 0  # it was rotated and nobody wrote that down
            start = max(since_byte, end - _TAIL_BYTES)
            log.seek(start)
            text = log.read(_TAIL_BYTES)
    except OSError:
        return b""
    if start > since_byte and b"\n" in text:
        text = text.partition(b"\n")[2]  # the first line was cut
    return text
