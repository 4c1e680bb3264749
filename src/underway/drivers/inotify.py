"""Notice that files were written to, without looking at them again and again (inotify(7))."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_IN_MODIFY = 0x2


class WriteWatch:
    """Calls `on_written` on the running loop some time after any of the files was written to.

    Raises `OSError` where the kernel gives no more watches.
    """

    def __init__(self, on_written: Callable[[], None]) -> None:
        self._on_written = on_written
        self._fd = _LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "no inotify")
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def add(self, path: Path) -> None:
        """Watch a file; adding it again changes nothing. A file that is removed is forgotten by the kernel."""
        if _LIBC.inotify_add_watch(self._fd, os.fsencode(path), _IN_MODIFY) < 0:
            raise OSError(ctypes.get_errno(), f"no watch for {path}")

    def close(self) -> None:
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> None:
        try:
            os.read(self._fd, 65_536)
        except BlockingIOError:
            return
        self._on_written()
