"""Output on its way into a log, without the secrets its writer was given.

The writer appends to a file of its own (the spool), so that it needs nobody to read along: it goes on while no agent
runs. The agent reads behind it, writes what it read, masked, to the log, and takes it out of the spool at once. What
was taken out is zeros, so that the next agent finds its place without anything being written down.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Mapping
from pathlib import Path

from underway.drivers import process_log
from underway.environment.mask import Masker
from underway.terms.environment import hidden_names

_CHUNK_BYTES = 1 << 18
_MOST_AT_ONCE = 1 << 20
"""Bytes of one spool per turn: a flood of one instance keeps nobody else waiting."""
_MOST_BEHIND = 64 << 20
_LEFT_OF_FLOOD = 8 << 20
"""Bytes: of more that is waiting than the first, only the last so many are kept. The disk must not fill."""
_PUNCH_HOLE, _KEEP_SIZE = 0x02, 0x01  # fallocate(2)
_LIBC = ctypes.CDLL(None, use_errno=True)


class MaskedLog:
    """One spool and the log behind it. Not for several threads at once."""

    def __init__(self, spool: Path, log: Path, env: Mapping[str, str]) -> None:
        self.spool = spool
        self._log = log
        self._masker = Masker(env[name] for name in hidden_names(env) if name in env)
        os.close(process_log.open_to_append(spool))
        self._fd = os.open(spool, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        self._at = self._out = _first_left(self._fd)

    def pump(self) -> bool:
        """Take what is there, at most some megabytes; True when there may be more. A log that cannot be written (a
        full disk) leaves the rest for later."""
        size = os.fstat(self._fd).st_size
        if size <= self._at:
            return False
        out = process_log.open_to_append(self._log)
        try:
            if size - self._at > _MOST_BEHIND:
                left_out = size - self._at - _LEFT_OF_FLOOD
                self._at += left_out
                self._take_out(self._at)
                process_log.write_all(out, f"\n... {left_out} bytes of output came too fast ...\n".encode())
            end = min(size, self._at + _MOST_AT_ONCE)
            while self._at < end:
                chunk = os.pread(self._fd, min(_CHUNK_BYTES, end - self._at), self._at)
                if not chunk:
                    break
                process_log.write_all(out, self._masker.feed(chunk))
                self._at += len(chunk)
                self._take_out(self._at - self._masker.held_bytes)
        except OSError:
            return False
        finally:
            os.close(out)
        return size > self._at

    def finish(self) -> None:
        """Take everything, also what might have been the beginning of a secret. The writer has ended."""
        while self.pump():
            pass
        if rest := self._masker.end():
            with contextlib.suppress(OSError):
                out = process_log.open_to_append(self._log)
                try:
                    process_log.write_all(out, rest)
                    self._take_out(self._at)
                finally:
                    os.close(out)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _take_out(self, end: int) -> None:
        """Make zeros of everything before `end`: what is in the log, and nothing that is still held back."""
        count = end - self._out
        start, length = ctypes.c_int64(self._out), ctypes.c_int64(count)
        if count and _LIBC.fallocate(self._fd, _PUNCH_HOLE | _KEEP_SIZE, start, length) != 0:
            for at in range(self._out, end, _CHUNK_BYTES):  # no holes here: the room comes back with the file's end
                os.pwrite(self._fd, b"\0" * min(_CHUNK_BYTES, end - at), at)
        self._out = end


def _first_left(fd: int) -> int:
    """Where the first byte stands that was not taken out."""
    size = os.fstat(fd).st_size
    try:
        at = os.lseek(fd, 0, os.SEEK_DATA) if size else 0
    except OSError:  # ENXIO: holes to the end
        return size
    while at < size:
        chunk = os.pread(fd, _CHUNK_BYTES, at)
        left = chunk.lstrip(b"\0")
        if left or not chunk:
            return at + len(chunk) - len(left)
        at += len(chunk)
    return size
