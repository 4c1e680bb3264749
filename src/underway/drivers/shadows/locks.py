"""Who holds the write lock of an SQLite database, seen without taking it (fcntl(2), F_GETLK)."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

_FLOCK = "hhqqi4x"
"""struct flock of Linux with 64-bit offsets."""
_RESERVED, _SHARED_FIRST, _SHARED_SIZE = 0x40000001, 0x40000002, 510
"""sqlite.org/src/file/src/os.h: a writer holds the reserved byte; who keeps readers out holds the shared range."""
_WAL_WRITER = 120
"""In the -shm file (sqlite.org/walformat.html, 2.2): the byte that the one writer holds."""


def stopped(path: Path) -> str:
    """What others cannot do at this moment: everything, writes, or nothing (empty)."""
    if _is_held(path, _SHARED_FIRST, _SHARED_SIZE, fcntl.F_RDLCK):
        return "everything"
    shm = path.with_name(path.name + "-shm")
    if _is_held(path, _RESERVED, 1, fcntl.F_WRLCK) or (shm.exists() and _is_held(shm, _WAL_WRITER, 1, fcntl.F_WRLCK)):
        return "writes"
    return ""


def _is_held(path: Path, start: int, length: int, kind: int) -> bool:
    """True when another process holds a lock on these bytes that is in the way of one of this kind."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        asked = struct.pack(_FLOCK, kind, os.SEEK_SET, start, length, 0)
        told = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
        return bool(told[0] != fcntl.F_UNLCK)
    except OSError:
        return False
    finally:
        os.close(descriptor)
