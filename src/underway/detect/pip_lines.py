"""What the shell lines of a Dockerfile give to `pip install`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_INSTALLS = re.compile(r"\bpip[\d.]*[ \t]+(?:install|sync)\b((?:[^\n&;|\\]|\\\r?\n|\\)*)")
_FILE = ("-r", "--requirement")
_WITH_VALUE = ("-e", "--editable", "-i", "-f", "-c", "-t", "--index-url", "--extra-index-url", "--find-links",
               "--trusted-host", "--target", "--timeout", "--python", "--constraint", "--retries", "--default-timeout",
               "--progress-bar")  # fmt: skip


class PipLine(NamedTuple):
    """One call: the files of requirements, and what is named beside them."""

    files: tuple[str, ...]
    named: tuple[str, ...]


def pip_lines(text: str) -> Iterator[PipLine]:
    """Every call in `text`, which may go on over lines that end in a backslash."""
    for found in _INSTALLS.finditer(text):
        files, named, before = [], [], ""
        for raw in found[1].split():
            word = raw.strip("\"'")
            option, equals, value = word.partition("=")
            if before in _FILE:
                files.append(word)
            elif option in _FILE and equals:
                files.append(value)
            elif re.match(r"-r[^-]", word):
                files.append(word[2:])
            elif not word.startswith("-") and not before:
                named.append(word)
            before = word if not before and word in (*_FILE, *_WITH_VALUE) else ""
        yield PipLine(tuple(files), tuple(named))
