"""A tree made quick to ask: by file name, by folder, with a bound on what is read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from itertools import chain

from underway.detect.model import Evidence
from underway.terms.tree import Tree

_NEVER = re.compile(
    r"(?:^|/)(?:node_modules|\.venv|venv|site-packages|__pycache__|\.git|\.tox|\.nox|bower_components|vendor|\.yarn)/"
)
_ASIDE = re.compile(
    r"(?:^|/)(?:tests?|testing|__tests__|e2e|spec|specs|docs?|examples?|samples?|fixtures|benchmarks?|bench|"
    r"\.github|\.devcontainer|\.circleci|cookiecutters?|\{\{[^/]*)/"
)
_MOST_FILES = 60_000
_MOST_TEXT = 12_000_000
"""Characters read from one tree. Detection is a look, not an import."""


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_ASCII = bytes([*range(0x09), *range(0x0B, 0x20), 0x7F])


class Index:
    """The files of a tree that may be part of the app.

    `aside` files (tests, documents, examples) are not looked at for apps and settings.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.paths: list[str] = [p for p in tree.paths[:_MOST_FILES] if not _NEVER.search(p) and is_plain(p)]
        self._all = set(self.paths)
        self._left = _MOST_TEXT
        self._texts: dict[str, str] = {}

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path in self.paths:
            found.setdefault(path.rpartition("/")[2].lower(), []).append(path)
        return found

    @cached_property
    def _own(self) -> list[str]:
        """Files of the app, nearest to the root first. Looked for once: it is the slowest of all in a large tree."""
        return by_depth(path for path in self.paths if not _ASIDE.search(path))

    @cached_property
    def folders(self) -> frozenset[str]:
        """Every folder that holds a file, directly or below; the root is ``."""
        found = {""}
        for path in self.paths:
            folder = path.rpartition("/")[0]
            while folder not in found:
                found.add(folder)
                folder = folder.rpartition("/")[0]
        return frozenset(found)

    def has(self, path: str) -> bool:
        return path in self._all

    def named(self, *names: str, aside: bool = False) -> list[str]:
        """Files of these names (any case), nearest to the root first."""
        found = [p for name in names for p in self._by_name.get(name.lower(), ()) if aside or not _ASIDE.search(p)]
        return by_depth(found)

    def matching(self, pattern: str, *, aside: bool = False) -> list[str]:
        """Files whose name matches the whole `pattern`, nearest to the root first."""
        wanted = re.compile(pattern, re.IGNORECASE)
        found = [
            path
            for name, paths in self._by_name.items()
            if wanted.fullmatch(name)
            for path in paths
            if aside or not _ASIDE.search(path)
        ]
        return by_depth(found)

    @cached_property
    def _by_ending(self) -> dict[str, list[int]]:
        """Places in `_own` by what follows the last dot."""
        found: dict[str, list[int]] = {}
        for at, path in enumerate(self._own):
            found.setdefault(path[path.rfind(".") :], []).append(at)
        return found

    def ending(self, *ends: str) -> list[str]:
        """Files of the app with these endings, nearest to the root first."""
        if not all("." in end for end in ends):
            return [path for path in self._own if path.endswith(ends)]
        last = {end[end.rindex(".") :] for end in ends}
        places = sorted(chain.from_iterable(self._by_ending.get(each, ()) for each in last))
        return [path for at in places if (path := self._own[at]).endswith(ends)]

    def text(self, path: str) -> str:
        """The text of a file, control characters as blanks; empty for none, and once too much was read."""
        if path not in self._all:
            return ""
        if path not in self._texts:
            text = self.tree.text(path) if self._left > 0 else ""
            self._left -= len(text)
            if _has_control(text):
                text = _CONTROL.sub(" ", text)
            self._texts[path] = text
        return self._texts[path]

    def line(self, path: str, needle: str) -> Evidence:
        """Where `needle` first stands in a file."""
        text = self.text(path)
        at = text.find(needle)
        return Evidence.at(path, text, at) if at >= 0 else Evidence(path)


def _has_control(text: str) -> bool:
    if text.isascii():  # nearly every text, and so four times as fast
        raw = text.encode()
        return len(raw.translate(None, _CONTROL_ASCII)) != len(raw)
    return bool(_CONTROL.search(text))


_DRIVE = re.compile(r"[A-Za-z]:")


def is_plain(path: str) -> bool:
    """True for a path that a manifest can name: relative, inside the tree, printable."""
    inside = f"/{path}/"
    is_odd = "//" in inside or "/./" in inside or "/../" in inside or "\\" in path or path[0] == "~"
    return not is_odd and path.isprintable() and len(path) <= 400 and not _DRIVE.match(path)


def by_depth(paths: Iterable[str]) -> list[str]:
    """Each once, nearest to the root first; quick where they come sorted."""
    return sorted(sorted(dict.fromkeys(paths)), key=lambda path: path.count("/"))


def folder_of(path: str) -> str:
    """The folder of a file, empty for the root."""
    return path.rpartition("/")[0]


def join(folder: str, name: str) -> str:
    """A path below `folder`, with `.` and `..` resolved; empty for the root, None-like `..` never leaves it."""
    parts: list[str] = []
    for part in f"{folder}/{name}".split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def cwd(folder: str) -> str:
    """A folder as the manifest writes it."""
    return folder or "."
