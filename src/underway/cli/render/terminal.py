"""What the terminal can show: colour, width, one line that is drawn over."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from typing import TextIO

import msgspec

_NO_END = 10_000
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "amber": "33", "blue": "36"}
MOST_COLUMNS = 100
"""Of running text: the eye loses its way back from longer lines."""
_PLAIN = re.compile(r"[\w@%+:,./-]+(?:=[\w@%+:,./-]*)?|&&")
_ON = " \\"
"""At the end of a line: the command goes on in the next."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Terminal:
    """Writes for a person. Colours and moving lines yield to pipes, `NO_COLOR` and `TERM=dumb`."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        dumb = os.environ.get("TERM", "") in ("dumb", "")
        self.is_live = self.stream.isatty() and not dumb
        forced = bool(os.environ.get("FORCE_COLOR"))
        self.has_colour = (self.is_live or forced) and "NO_COLOR" not in os.environ
        encoding = (getattr(self.stream, "encoding", "") or "").lower().replace("-", "")
        self.has_unicode = encoding.startswith("utf")
        self._drawn = 0
        """Lines of what is drawn over next."""

    @property
    def width(self) -> int:
        return shutil.get_terminal_size((100, 24)).columns

    @property
    def wraps_at(self) -> int:
        """Columns before a line must go on in the next one: the terminal's, and no end where a program reads."""
        return self.width if self.stream.isatty() else _NO_END

    def paint(self, text: str, *styles: str) -> str:
        if not self.has_colour or not styles:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"

    def mark(self, kind: str) -> str:
        """The sign before a line: done, failed, undone, warning."""
        signs = {"done": "✓", "failed": "✗", "undone": "↺", "warning": "!", "arrow": "→", "dot": "·"}
        plain = {"done": "ok", "failed": "FAILED", "undone": "undone", "warning": "!", "arrow": "->", "dot": "-"}
        colours = {"done": "green", "failed": "red", "undone": "amber", "warning": "amber"}
        sign = (signs if self.has_unicode else plain)[kind]
        return self.paint(sign, colours[kind]) if kind in colours else sign

    def line(self, text: str = "") -> None:
        """A line; in a terminal that is narrower it goes on, indented, after a whole word."""
        self.clear()
        text = self._written(text)
        if self.is_live:
            text = "\n".join(part for line in text.split("\n") for part in folded(line, self.width))
        self.stream.write(text + "\n")
        self.stream.flush()

    def command(self, text: str, indent: str = "      ") -> None:
        """A command or a line of a file, to be copied: what is wider than the terminal goes on after a backslash where
        every word is plain, and else is left to the terminal to break, which joins it again when it is copied."""
        self.clear()
        for line in continued(clean(text), self.wraps_at - len(indent)):
            self.stream.write(indent + self.paint(self._written(line), "blue") + "\n")
        self.stream.flush()

    def _written(self, text: str) -> str:
        return text if self.has_unicode else text.encode("ascii", "replace").decode()

    def paragraph(self, text: str, first: str = "  ") -> None:
        """Running text in lines that are not too long to read, the first after `first`, the others below it."""
        rest = " " * _room(first)
        room = min(self.width, MOST_COLUMNS) if self.stream.isatty() else _NO_END
        for line in folded(first + text, max(room, len(rest) + 20), rest):
            self.line(line)

    def draw(self, *lines: str) -> None:
        """Lines that the next ones replace; none may be wider than the terminal. Nothing where that cannot be done."""
        if self.is_live and lines:
            self.stream.write(self._erasing() + "\n".join(lines))
            self.stream.flush()
            self._drawn = len(lines)

    def clear(self) -> None:
        if self._drawn:
            self.stream.write(self._erasing())
            self._drawn = 0

    def _erasing(self) -> str:
        """Back to the start of what was drawn, and everything from there on away."""
        up = f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else ""
        return f"\r{up}\x1b[J" if self._drawn else "\r\x1b[K"


def folded(text: str, width: int, rest: str | None = None) -> list[str]:
    """`text` in lines of at most `width` columns, cut between words; a longer word stays whole. What goes on comes
    after `rest`, and without it is indented by two more than the beginning. Colours take no room."""
    if _room(text) <= width:
        return [text]
    indent = " " * (len(text) - len(text.lstrip(" ")) + 2) if rest is None else rest
    lines, line = [], ""
    for number, word in enumerate(text.split(" ")):
        longer = f"{line} {word}" if number else word
        if _room(longer) > width and line.strip():
            lines.append(line.rstrip(" "))
            longer = indent + word
        line = longer
    return [*lines, line]


def continued(command: str, width: int) -> list[str]:
    """`command` in lines of at most `width` columns that a shell reads as one; whole where a word is wider, quoted or
    more than a word to the shell."""
    words = command.split(" ")
    widest = max(map(len, words)) + len("  " + _ON)
    if len(command) <= width or widest > width or not all(_PLAIN.fullmatch(word) for word in words):
        return [command]
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + len(word) + len(" " + _ON) > width:
            lines.append(f"  {word}")
        else:
            lines[-1] += f" {word}"
    return [*(line + _ON for line in lines[:-1]), lines[-1]]


def _room(text: str) -> int:
    return len(_COLOURS.sub("", text))


def print_json(value: object) -> None:
    """One JSON value on one line of stdout, in ASCII: it is the same in every locale."""
    sys.stdout.write(json.dumps(msgspec.to_builtins(value), separators=(",", ":")) + "\n")
    sys.stdout.flush()


def clean(text: str) -> str:
    """Text from elsewhere without control characters, so that it cannot steer the terminal."""
    return "".join(c if c.isprintable() or c == "\t" else "�" for c in text)
