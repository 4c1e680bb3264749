"""Which line of a TOML text each key stands on.

Python's own parser gives values without positions. This reader runs after it, on text that is known to be TOML, and
so only has to recognise where keys and values begin and end. On anything it does not understand it stops: a path
without a line of its own is then located at its nearest parent.
"""

from __future__ import annotations

import contextlib
import re

from underway.manifest.spot import Path

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BASIC = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_LITERAL = re.compile(r"'([^'\n]*)'")
_MULTI = re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}', re.DOTALL)
_MULTI_LITERAL = re.compile(r"'''(?:[^']|'(?!''))*'{3,5}", re.DOTALL)
_SCALAR = re.compile(r"[^,\]}#\n]*")
_DEEPEST = 50


class _Lost(Exception):
    """The text is not what this reader expects."""


class Lines:
    """Lines by key path: `line_of(("release", "steps", 2))`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}
        self._at, self._line, self._counted = 0, 1, 0
        with contextlib.suppress(_Lost, RecursionError):  # what was found until then still locates most keys
            self._read()

    def line_of(self, path: Path) -> int:
        """The line of `path`, of its nearest parent that has one, or 1."""
        for end in range(len(path), 0, -1):
            if (line := self._lines.get(path[:end])) is not None:
                return line
        return 1

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise _Lost
        self._at = found.end()
        return found

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _read(self) -> None:
        table: Path = ()
        while True:
            self._take(_BLANK)
            if self._at >= len(self._text):
                return
            line = self._here()
            if self._peek() == "[":
                is_list = self._text.startswith("[[", self._at)
                self._at += 2 if is_list else 1
                table = self._resolved(self._key(), is_list)
                self._at += 2 if is_list else 1
                if is_list:
                    number = self._tables.get(table, -1) + 1
                    self._tables[table] = number
                    self._note(table, line)
                    table = (*table, number)
                self._note(table, line)
                continue
            self._pair(table, line, 0)

    def _resolved(self, parts: Path, is_list: bool) -> Path:
        """The path a header means: inside a list of tables it is the latest entry that is meant."""
        path: Path = ()
        for place, part in enumerate(parts, 1):
            path = (*path, part)
            if path in self._tables and (place < len(parts) or not is_list):
                path = (*path, self._tables[path])
        return path

    def _note(self, path: Path, line: int) -> None:
        for end in range(1, len(path) + 1):
            self._lines.setdefault(path[:end], line)

    def _key(self) -> Path:
        parts: list[str] = []
        while True:
            self._take(_SPACE)
            if self._peek() == '"':
                parts.append(_unescaped(self._take(_BASIC)[1]))
            elif self._peek() == "'":
                parts.append(self._take(_LITERAL)[1])
            else:
                parts.append(self._take(_BARE)[0])
            self._take(_SPACE)
            if self._peek() != "." or len(parts) > _DEEPEST:
                return tuple(parts)
            self._at += 1

    def _pair(self, table: Path, line: int, depth: int) -> None:
        path = (*table, *self._key())
        if self._peek() != "=":
            raise _Lost
        self._at += 1
        self._note(path, line)
        self._value(path, depth)

    def _value(self, path: Path, depth: int) -> None:
        if depth > _DEEPEST:
            raise _Lost
        self._take(_SPACE)
        sign = self._peek()
        if sign == "[":
            self._at += 1
            number = 0
            while True:
                self._take(_BLANK)
                if self._peek() == "]":
                    break
                self._lines.setdefault((*path, number), self._here())
                self._value((*path, number), depth + 1)
                number += 1
                self._take(_BLANK)
                if self._peek() == ",":
                    self._at += 1
            self._at += 1
        elif sign == "{":
            self._at += 1
            while True:
                self._take(_BLANK)
                if self._peek() == "}":
                    break
                self._pair(path, self._here(), depth + 1)
                self._take(_BLANK)
                if self._peek() == ",":
                    self._at += 1
            self._at += 1
        elif sign == '"':
            self._take(_MULTI if self._text.startswith('"""', self._at) else _BASIC)
        elif sign == "'":
            self._take(_MULTI_LITERAL if self._text.startswith("'''", self._at) else _LITERAL)
        elif not self._take(_SCALAR)[0]:
            raise _Lost


def _unescaped(text: str) -> str:
    """A quoted key as the parser reads it (only what keys plausibly hold)."""
    simple = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}

    def one(found: re.Match[str]) -> str:
        code = found[1] or found[2]
        return chr(int(code, 16)) if code else simple.get(found[3], found[3])

    return re.sub(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", one, text)
