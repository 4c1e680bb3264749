"""A log that grows and is rotated, read on from where it was left: no byte missed, none read twice."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from underway.drivers.process_log import FLOOD, KEPT_PARTS, ROTATE_BYTES, ROTATING

Part = tuple[int, int, int]
"""What tells one rotated part from another, also under its next name: inode, size, time of its last change (ns)."""


class Place(msgspec.Struct, frozen=True):
    """So many bytes after the beginning that the file had while `part` was its newest rotated part (None: it had
    none). Negative: in the parts."""

    inode: int = 0
    at: int = 0
    part: Part | None = None


class Read(msgspec.Struct, frozen=True):
    """Bytes from `place` on; `is_cut` when some before them are gone for good."""

    text: bytes
    place: Place
    is_cut: bool = False


def read_on(path: Path, place: Place, most_bytes: int, back_bytes: int = 0) -> Read:
    """What was written after `place` (and `back_bytes` before it), at most `most_bytes`."""
    with ROTATING:
        now = _of_now(path, place)
        if now is None:
            return Read(b"", place)
        found, is_cut = now
        at = found.at - back_bytes
        text = b""
        parts = [(name, identity) for name in _names(path) if (identity := _identity(name))]
        before = 0
        spans = []
        for name, identity in parts:  # the newest first
            before += identity[1]
            spans.append((name, -before, identity[1]))
        oldest = -before
        if at < oldest:
            at, is_cut = oldest, True
        for name, begins, size in reversed(spans):
            if at < begins + size and len(text) < most_bytes:
                piece = _bytes(name, at - begins, min(size - (at - begins), most_bytes - len(text)))
                text += piece
                at += len(piece)
        if at >= 0 and len(text) < most_bytes:
            text += _bytes(path, at, most_bytes - len(text))
        start = max(found.at - back_bytes, oldest)
        return Read(text, Place(found.inode, start, found.part), is_cut)


def _of_now(path: Path, place: Place) -> tuple[Place, bool] | None:
    """The same place in the file as it is now, and whether some bytes after it are gone. None without a file."""
    try:
        status = path.stat()
    except OSError:
        return None
    parts = [identity for name in _names(path) if (identity := _identity(name))]
    newest = parts[0] if parts else None
    if place.inode not in (0, status.st_ino):  # another file under this name
        return Place(status.st_ino, 0, newest), False
    if place.part == newest:
        at = place.at if place.at <= status.st_size else 0  # emptied by somebody else
        return Place(status.st_ino, at, newest), place.at > status.st_size
    is_known = place.part in parts
    later = parts[: parts.index(place.part)] if is_known and place.part is not None else parts
    moved = sum(size for _, size, _ in later)
    is_known = is_known or (place.part is None and (not place.inode or len(parts) < KEPT_PARTS))
    is_cut = not is_known  # so many parts later, some of them may be gone
    if not is_cut and later and later[-1][1] >= FLOOD * ROTATE_BYTES:  # only the end of a flood was kept
        return Place(status.st_ino, -moved, newest), True
    at = -moved if is_cut else place.at - moved
    if at > status.st_size:
        return Place(status.st_ino, 0, newest), True
    return Place(status.st_ino, at, newest), is_cut


def _names(path: Path) -> list[Path]:
    return [path.with_name(f"{path.name}.{number}") for number in range(1, KEPT_PARTS + 1)]


def _identity(path: Path) -> Part | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _bytes(path: Path, start: int, count: int) -> bytes:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return b""
    try:
        return os.pread(file, count, start)
    finally:
        os.close(file)
