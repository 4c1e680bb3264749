"""Whether values stand in the committed history of a repository. The values stay in this process."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Mapping
from typing import IO

from underway.drivers.sources.git import NotGit, git_environment, git_output
from underway.terms.secret import Secret

_MOST_BLOB_BYTES = 1 << 20
_LEAST_BYTES = 8
_BUDGET_S = 5.0
"""A larger history is looked through as far as this goes, newest commits first."""
_KEPT = 64


class History:
    """Remembers what it found, by the state of all references and the values asked for (hashed)."""

    def __init__(self) -> None:
        self._known: dict[bytes, frozenset[str]] = {}

    def holds(self, folder: str, values: Mapping[str, Secret]) -> frozenset[str]:
        """The names whose values some commit of the repository at `folder` holds; none outside git."""
        wanted = {
            name: value.reveal().encode(errors="surrogatepass")
            for name, value in values.items()
            if len(value.reveal()) >= _LEAST_BYTES
        }
        if not wanted:
            return frozenset()
        try:
            refs = git_output(folder, "rev-parse", "--all", "HEAD")
        except NotGit:
            return frozenset()
        key = hashlib.sha256(b"\0".join([refs, *(hashlib.sha256(v).digest() for v in wanted.values())])).digest()
        if key not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = _search(folder, wanted)
        return self._known[key]


def _search(folder: str, wanted: Mapping[str, bytes]) -> frozenset[str]:
    env = git_environment({})
    deadline = time.monotonic() + _BUDGET_S
    found: set[str] = set()
    objects = subprocess.Popen(
        ["git", "rev-list", "--objects", "--all"],
        cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    contents = subprocess.Popen(
        ["git", "cat-file", "--batch=%(objecttype) %(objectsize) %(rest)", "--buffer"],
        cwd=folder, env=env, stdin=objects.stdout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert objects.stdout is not None
    assert contents.stdout is not None
    objects.stdout.close()
    try:
        while len(found) < len(wanted) and time.monotonic() < deadline:
            blob = _next(contents.stdout)
            if blob is None:
                break
            found |= {name for name, value in wanted.items() if value in blob}
    finally:
        for process in (objects, contents):
            process.kill()
            process.wait()
        contents.stdout.close()
    return frozenset(found)


def _next(stream: IO[bytes]) -> bytes | None:
    """The next blob; empty for what is none or too large; None at the end."""
    words = stream.readline().split(b" ", 2)
    if len(words) < 2 or not words[1].strip().isdigit():
        return b"" if len(words) > 1 else None
    size, is_searched = int(words[1]), words[0] == b"blob" and int(words[1]) <= _MOST_BLOB_BYTES
    content = b""
    left = size + 1
    while left:
        piece = stream.read(min(left, 1 << 20))
        if not piece:
            return None
        left -= len(piece)
        if is_searched:
            content += piece
    return content
