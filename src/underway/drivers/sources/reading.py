"""Opening files of a tree that somebody else may be changing, never anything outside it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping

from underway.drivers.sources.listing import Entry, resolve_inside
from underway.terms.tree import decoded

LARGEST_TEXT = 512 * 1024


class Escaped(OSError):
    """The path is no regular file of the tree any more."""


def open_inside(root: str, path: str) -> int:
    """A file descriptor of the regular file `path` below `root` (which is a real path), for reading.

    Raises `OSError` when it is none, and `Escaped` when a symlink was put in its way: what was opened is compared
    with what was asked through /proc, so that a folder swapped for a symlink is noticed too.
    """
    wanted = f"{root}/{path}"
    fd = os.open(wanted, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode) or os.readlink(f"/proc/self/fd/{fd}") != wanted:
            raise Escaped(f"{wanted} is no regular file of its tree")
    except BaseException:
        os.close(fd)
        raise
    return fd


class LazyTexts(Mapping[str, str]):
    """Path → text, read when asked for and kept. Binary, large and unreadable files are absent.

    Iterating reads every file once, because only then it is known which of them are texts.
    """

    def __init__(self, root: str, entries: Mapping[str, Entry]) -> None:
        self._root = root
        self._entries = entries
        self._read: dict[str, str | None] = {}

    def __getitem__(self, path: str) -> str:
        if path not in self._read:
            self._read[path] = self._text(path)
        text = self._read[path]
        if text is None:
            raise KeyError(path)
        return text

    def __iter__(self) -> Iterator[str]:
        return (path for path in self._entries if path in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _text(self, path: str) -> str | None:
        entry = self._entries.get(path)
        if entry is None or entry.size > LARGEST_TEXT:
            return None
        real = resolve_inside(self._root, path) if entry.target else path
        if real is None:
            return None
        try:
            with os.fdopen(open_inside(self._root, real), "rb") as file:
                content = file.read(LARGEST_TEXT + 1)
        except OSError:
            return None
        return None if len(content) > LARGEST_TEXT else decoded(content)
