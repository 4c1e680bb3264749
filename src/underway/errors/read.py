"""Tracebacks of Python and Node in the lines that a process writes, plain or inside JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from underway.errors.fingerprint import Frame, make_error
from underway.terms.app_error import AppError

_BEGINS = "Traceback (most recent call last):"
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")
_GROUP = re.compile(r"^\s*(?:[|+]\s?)+")
_NEXT_OF_GROUP = re.compile(r"^\s*\+[-+]+[ \d]*-*$")
_PYTHON_FRAME = re.compile(r'^\s*File "(?P<file>[^"]{1,1000})", line (?P<line>\d{1,7})(?:, in (?P<function>.{1,200}))?')
_PYTHON_HEAD = re.compile(r"^(?P<kind>[A-Za-z_][\w.]{0,200})(?:: (?P<message>.*))?$")
_NODE_FRAME = re.compile(
    r"^\s+at (?:(?P<function>[^()]{1,200}) \()?(?P<file>[^()\s][^()]{0,1000}?):(?P<line>\d{1,7}):\d{1,7}\)?$"
)
_NODE_HEAD = re.compile(
    r"(?:^|[\s\]])(?P<kind>[A-Za-z_$][\w$.]{0,100}(?:Error|Exception)|Error)(?: \[\w+\])?(?:: (?P<message>.*))?$"
)
_KEPT_FRAMES = 60
_KEPT_LINES = 6
"""A Node error's own line is among so many before its stack: its message may have several."""
_JSON_DEPTH = 6


class TraceReader:
    """Reads one process's lines in order. An error is told when the line after it shows that it is over.

    A chain ("during handling of the above …") and a group are one error: the last one of it, which the app let through.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(secrets)
        self._is_inside = False
        self._before: list[str] = []
        self._frames: list[Frame] = []
        self._in_python = False
        self._in_node = False
        self._in_group = False
        self._ended: AppError | None = None
        self._is_chained = False

    @property
    def is_idle(self) -> bool:
        """True between two errors: nothing is half read."""
        return not (self._in_python or self._in_node or self._ended)

    def feed(self, line: str) -> list[AppError]:
        """The errors that this line completes."""
        if line.startswith("{") and not self._is_inside and (_BEGINS in line or "\\n    at " in line):
            return [*self.flush(), *self._inside(line)]
        if self._in_python:
            return self._python(line)
        if self._in_node:
            if not line.strip() or _NODE_FRAME.match(line) or line.startswith("    "):
                self._add_frame(_NODE_FRAME.match(line))
                return []
            found = self._end_node()
            return [*found, *self.feed(line)]
        if _BEGINS in line:
            found = [] if self._is_chained else self.flush()
            self._in_python, self._frames, self._is_chained = True, [], False
            self._in_group = bool(_GROUP.match(line))
            return found
        if self._ended and (not line.strip() or self._goes_on(line)):
            return []
        found = self.flush()
        if (first := _NODE_FRAME.match(line)) and self._before:
            self._in_node, self._frames = True, []
            self._add_frame(first)
            return found
        self._before = [*self._before[1 - _KEPT_LINES :], line]
        return found

    def flush(self) -> list[AppError]:
        """What is complete although nothing followed it: call when a process has been silent for a while."""
        found = self._end_node() if self._in_node else []
        if self._ended is not None:
            found.append(self._ended)
        self._ended, self._is_chained = None, False
        return found

    def _python(self, line: str) -> list[AppError]:
        bare = _GROUP.sub("", line, count=1) if self._in_group else line
        if frame := _PYTHON_FRAME.match(bare):
            self._add_frame(frame)
        elif _BEGINS in bare:
            self._frames = []
        elif bare[:1].strip() and (head := _PYTHON_HEAD.match(bare)):
            self._in_python = False
            self._ended = make_error(head["kind"], head["message"] or "", self._frames[::-1], self._secrets)
        elif bare[:1].strip() and not _NEXT_OF_GROUP.match(line):  # no traceback of a program: let it go
            self._in_python = False
        return []

    def _goes_on(self, line: str) -> bool:
        """The line belongs to the error that ended: a chain, or the next one of a group."""
        bare = _GROUP.sub("", line, count=1).strip()
        if bare.startswith(_CHAINED):
            self._is_chained = True
            return True
        if self._in_group and (_NEXT_OF_GROUP.match(line) or line.lstrip().startswith("|")):
            self._is_chained = True
            return True
        return False

    def _add_frame(self, found: re.Match[str] | None) -> None:
        if found is None:
            return
        self._frames.append(Frame(found["file"], int(found["line"]), found["function"] or ""))
        if len(self._frames) > _KEPT_FRAMES:  # the first frames of Python and the last of Node are far from the cause
            del self._frames[0 if self._in_python else -1]

    def _end_node(self) -> list[AppError]:
        heads = [head for line in reversed(self._before) if (head := _NODE_HEAD.search(line))]
        kind, message = (heads[0]["kind"], heads[0]["message"] or "") if heads else ("Error", self._before[-1])
        found = make_error(kind, message, self._frames, self._secrets)
        self._in_node, self._before, self._frames = False, [], []
        return [found]

    def _inside(self, line: str) -> list[AppError]:
        """The last error in the texts of a line of JSON, or of what is left of one that was cut."""
        try:
            texts = list(texts_in(msgspec.json.decode(line)))
        except (msgspec.DecodeError, RecursionError):
            texts = [line.replace("\\n", "\n").replace('\\"', '"')]
        for text in texts:
            if _BEGINS not in text and "\n    at " not in text:
                continue
            reader = TraceReader(self._secrets)
            reader._is_inside = True
            found = [error for each in text.split("\n") for error in reader.feed(each)] + reader.flush()
            if found:
                return found[-1:]
        return []


def texts_in(value: Any, depth: int = _JSON_DEPTH) -> Iterable[str]:
    """Every text in what JSON holds, at most `depth` deep."""
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts_in(each, depth - 1)
