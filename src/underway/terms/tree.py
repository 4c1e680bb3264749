"""A repository as detection sees it: names and texts, nothing that runs."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Tree:
    """The files that a release would be made of.

    `paths` are POSIX paths relative to the root, sorted, without files that git ignores and without symlinks
    that lead out of the tree. `texts` maps a path to its text and may read lazily; a path that is binary, too
    large (over 512 KiB) or unreadable is absent from it. `executables` is the subset of `paths` with an x bit.
    `day` is that of the commit checked out (YYYY-MM-DD), empty outside git.
    """

    name: str
    paths: tuple[str, ...]
    texts: Mapping[str, str]
    executables: frozenset[str] = field(default_factory=frozenset)
    day: str = ""

    def text(self, path: str) -> str:
        """The text of `path`, empty when there is none."""
        return self.texts.get(path, "")


_MARKS = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (codecs.BOM_UTF8, "utf-8-sig"))
_PROBED = 8 * 1024


def decoded(content: bytes) -> str | None:
    """What a file says: UTF-8, or UTF-16 by its mark (`pip freeze > requirements.txt` in PowerShell). None when it is
    binary, which a NUL in its first 8 KiB tells, as git has it."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    return None if b"\0" in content[:_PROBED] else content.decode("utf-8", "replace")
