r"""`.env` files, read as python-dotenv reads them.

The grammar is python-dotenv's (its parser.py): `export`, single and double quotes that may hold line breaks, `\`
escapes, comments, and `$` expansion by `${NAME}` and `${NAME:-default}`. docs/dotenv.md lists
where docker compose differs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MOST_BYTES = 16 << 20

_SPACES = re.compile(r"[^\S\r\n]*")
_NEWLINES_AND_SPACES = re.compile(r"\s*", re.MULTILINE)
_EXPORT = re.compile(r"export[^\S\r\n]+")
_QUOTED_NAME = re.compile(r"'([^']+)'")
_NAME = re.compile(r"([^=\#\s]+)")
_EQUALS = re.compile(r"=[^\S\r\n]*")
_SINGLE = re.compile(r"'((?:\\.|[^'\\])*)'", re.DOTALL)
_DOUBLE = re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)
_BARE = re.compile(r"[^\r\n]*")
_COMMENT = re.compile(r"(?:[^\S\r\n]*#[^\r\n]*)?")
_END_OF_LINE = re.compile(r"[^\S\r\n]*(?:\r\n|\n|\r|$)")
_REST = re.compile(r"[^\r\n]*(?:\r|\n|\r\n)?")
_DOUBLE_ESCAPES = re.compile(r"\\[\\'\"abfnrtv]")
_SINGLE_ESCAPES = re.compile(r"\\[\\']")
_ESCAPED = {"\\": "\\", "'": "'", '"': '"', "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_EXPANSION = re.compile(r"\$\{(?P<name>[^\}:]*)(?::-(?P<default>[^\}]*))?\}")


@dataclass(frozen=True)
class Line:
    """One binding. `value` is None for a name without `=`; `name` is None for a line that cannot be read."""

    name: str | None
    value: str | None
    number: int


def parse(text: str) -> Iterator[Line]:
    """The bindings in their order, and the lines that cannot be read. A byte order mark at the start is passed over."""
    at, number = (1 if text.startswith("\ufeff") else 0), 1
    while at < len(text):
        line, after = _binding(text, at, number)
        number += len(re.findall(r"\r\n|\n|\r", text[at:after]))
        if line is not None:
            yield line
        at = after if after > at else len(text)


def read(text: str, environ: Mapping[str, str] | None = None, *, is_expanding: bool = True) -> dict[str, str | None]:
    """Name → value, the last binding of a name counting. `${NAME}` is taken from the bindings above it and then from
    `environ` (python-dotenv with `override`); with `is_expanding` off it stays as it is."""
    found: dict[str, str | None] = {}
    for line in parse(text):
        if line.name is None:
            continue
        value = line.value
        if value is not None and is_expanding:
            value = _expanded(value, {**(environ or {}), **found})
        found[line.name] = value
    return found


def _expanded(value: str, known: Mapping[str, str | None]) -> str:
    def replaced(match: re.Match[str]) -> str:
        name = match["name"]
        given = known[name] if name in known else (match["default"] or "")
        return given if given is not None else ""

    return _EXPANSION.sub(replaced, value)


class _Unreadable(Exception):
    pass


def _binding(text: str, at: int, number: int) -> tuple[Line | None, int]:
    start = at
    at = _past(_NEWLINES_AND_SPACES, text, at)
    number += len(re.findall(r"\r\n|\n|\r", text[start:at]))
    if at >= len(text):
        return None, at
    try:
        at = _past(_EXPORT, text, at, is_optional=True)
        name, at = _name(text, at)
        at = _past(_SPACES, text, at)
        value: str | None = None
        if text[at : at + 1] == "=":
            equals, at = at, _past(_EQUALS, text, at)
            is_comment = at - equals > 1 and text[at : at + 1] == "#"
            value, at = ("", at) if is_comment else _value(text, at)
        at = _past(_COMMENT, text, at)
        at = _past(_END_OF_LINE, text, at)
    except _Unreadable:
        found = _REST.match(text, at)
        return Line(None, None, number), found.end() if found else len(text)
    return (Line(name, value, number) if name is not None else None), at


def _past(pattern: re.Pattern[str], text: str, at: int, *, is_optional: bool = False) -> int:
    found = pattern.match(text, at)
    if found is None:
        if is_optional:
            return at
        raise _Unreadable
    return found.end()


def _name(text: str, at: int) -> tuple[str | None, int]:
    first = text[at : at + 1]
    if first == "#":
        return None, at
    found = (_QUOTED_NAME if first == "'" else _NAME).match(text, at)
    if found is None:
        raise _Unreadable
    return found[1], found.end()


def _value(text: str, at: int) -> tuple[str, int]:
    first = text[at : at + 1]
    if first == "'":
        found = _SINGLE.match(text, at)
        if found is None:
            raise _Unreadable
        return _SINGLE_ESCAPES.sub(_unescaped, found[1]), found.end()
    if first == '"':
        found = _DOUBLE.match(text, at)
        if found is None:
            raise _Unreadable
        return _DOUBLE_ESCAPES.sub(_unescaped, found[1]), found.end()
    if first in ("", "\n", "\r"):
        return "", at
    found = _BARE.match(text, at)
    assert found is not None  # it matches nothing at all as well
    return re.sub(r"\s+#.*", "", found[0]).rstrip(), found.end()


def _unescaped(match: re.Match[str]) -> str:
    return _ESCAPED[match[0][1]]


def write(values: Mapping[str, str]) -> str:
    """A `.env` file that python-dotenv without expansion and this module read back as `values`, docker compose too.

    Only a value that needs double quotes (it holds a single quote, a carriage return or an ambiguous backslash) and has
    a `$` as well reads differently in compose: there is no way to write it that both read. Raises `ValueError` for a
    NUL, which no environment can carry.
    """
    lines = []
    for name, value in values.items():
        if "\0" in value:
            raise ValueError(f"{name} holds a NUL character")
        lines.append(f"{name}={_quoted(value)}")
    return "\n".join(lines) + "\n" if lines else ""


def _quoted(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_./:@%+,=-]*", value, re.ASCII):
        return value
    if not re.search(r"['\r]|\\\\|\\$", value):
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r")
    return f'"{escaped}"'
