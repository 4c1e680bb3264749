"""Log files, read from their ends."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

from underway.ports.clock import Clock
from underway.ports.logs import LogLine
from underway.terms.home import Home

_TAIL_BYTES = 256 * 1024
_LINE_CHARACTERS = 8_192
_LOOK_EVERY_S = 0.25
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]|\x1b\[[0-9;?]*[A-Za-z]")
_INSTANCE = re.compile(r"(?P<process>[A-Za-z0-9_-]+)\.\d+\.[ab]")


class LogFiles:
    """`Logs` over the files in `home.logs(app)`."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._home = home
        self._clock = clock

    async def lines(self, app: str, process: str, tail: int, is_following: bool) -> AsyncIterator[LogLine]:
        folder = self._home.logs(app)
        ends: dict[Path, tuple[int, int]] = {}
        for path in _files(folder, process):
            size, inode = _identity(path)
            ends[path] = (inode, size)
            for text in _last_lines(path, size, tail):
                yield LogLine(source=path.stem, line=text)
        while is_following:
            await self._clock.sleep(_LOOK_EVERY_S)
            for path in _files(folder, process):
                size, inode = _identity(path)
                known, start = ends.get(path, (inode, 0))
                if known != inode or size < start:
                    start = 0
                found, end = _whole_lines(path, start, size)
                ends[path] = (inode, end)
                for line in found:
                    yield LogLine(source=path.stem, line=line)


def _files(folder: Path, process: str) -> list[Path]:
    """Files of instances; with a process named, also its tasks (`migrate-…`, `build-…`), newest last."""
    if not folder.is_dir():
        return []
    found = sorted(folder.glob("*.log"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    if not process:
        return sorted(path for path in found if _INSTANCE.fullmatch(path.stem))
    tasks = [path for path in found if path.stem.startswith(f"{process}-")][-1:]
    return [path for path in found if (m := _INSTANCE.fullmatch(path.stem)) and m["process"] == process] + tasks


def _identity(path: Path) -> tuple[int, int]:
    try:
        figures = path.stat()
    except FileNotFoundError:
        return 0, 0
    return figures.st_size, figures.st_ino


def _last_lines(path: Path, size: int, count: int) -> list[str]:
    text, _ = _whole_lines(path, max(0, size - _TAIL_BYTES), size)
    return text[-count:] if count > 0 else []


def _whole_lines(path: Path, start: int, end: int) -> tuple[list[str], int]:
    """The lines between two bytes and the byte after the last whole one; at most 256 KiB at a time."""
    if end <= start:
        return [], start
    try:
        with path.open("rb") as stream:
            stream.seek(start)
            piece = stream.read(min(end - start, _TAIL_BYTES))
    except FileNotFoundError:
        return [], start
    whole = piece.rfind(b"\n") + 1 or (len(piece) if len(piece) == _TAIL_BYTES else 0)
    lines = piece[:whole].decode(errors="replace").splitlines()
    return [_CONTROL.sub("", line)[:_LINE_CHARACTERS] for line in lines], start + whole
