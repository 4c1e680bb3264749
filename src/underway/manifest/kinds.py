"""The kinds of values a manifest holds: how each is read, refused and written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from underway.manifest.spot import Spot, shown


class Kind(Protocol):
    """A kind of value."""

    @property
    def takes(self) -> str:
        """What it accepts, in the words of the reference page."""
        ...

    def read(self, raw: object, spot: Spot) -> object | None:
        """The value that `raw` stands for; None after a problem was noted at `spot`."""
        ...

    def show(self, value: object) -> str:
        """The value as TOML. `read` of it gives `value` again."""
        ...


def toml_text(text: str) -> str:
    """A TOML basic string (toml.io/en/v1.0.0#string)."""
    out = []
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif char in "\n\t\r":
            out.append({"\n": "\\n", "\t": "\\t", "\r": "\\r"}[char])
        elif ord(char) < 0x20 or ord(char) == 0x7F:
            out.append(f"\\u{ord(char):04X}")
        else:
            out.append(char)
    return '"' + "".join(out) + '"'


def toml_name(name: str) -> str:
    """A TOML key, quoted where it must be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_text(name)


def wrong_type(raw: object, spot: Spot, takes: str, example: str = "") -> None:
    """Note at `spot` that `raw` is of another type than what is taken."""
    remedy = f"write {takes}" + (f", for instance {example}" if example else "")
    spot.refuse(f"{shown(raw)} is {_type_of(raw)}, not {takes}", remedy, "manifest.type")


def _type_of(raw: object) -> str:
    if isinstance(raw, bool):
        return "true or false"
    for kind, words in ((str, "text"), (int, "a number"), (float, "a number"), (list, "a list"), (Mapping, "a table")):
        if isinstance(raw, kind):
            return words
    return "a date or time"


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class Text:
    """Text. `check` returns what is wrong and the remedy, or None."""

    takes: str = "text"
    example: str = ""
    most: int = 4000
    check: Callable[[str], tuple[str, str] | None] | None = None
    may_be_empty: bool = False
    may_have_lines: bool = False

    def read(self, raw: object, spot: Spot) -> str | None:
        if not isinstance(raw, str):
            wrong_type(raw, spot, self.takes, self.example)
            return None
        if "\0" in raw:
            spot.refuse("it holds a NUL character", "remove it")
        elif len(raw) > self.most:
            spot.refuse(f"it has {len(raw)} characters, more than {self.most}", f"use at most {self.most}")
        elif not self.may_be_empty and not raw.strip():
            spot.refuse("it is empty", f"write {self.takes}, or remove the key")
        elif not self.may_have_lines and _CONTROL.search(raw):
            spot.refuse("it holds a line break or another control character", "write it on one line")
        elif self.check is not None and raw and (wrong := self.check(raw)) is not None:
            spot.refuse(*wrong)
        else:
            return raw
        return None

    def show(self, value: object) -> str:
        return toml_text(str(value))


@dataclass(frozen=True)
class Choice:
    """One word of a closed set."""

    words: tuple[str, ...]

    @property
    def takes(self) -> str:
        return "one of " + ", ".join(f'"{w}"' for w in self.words)

    def read(self, raw: object, spot: Spot) -> str | None:
        if not isinstance(raw, str):
            wrong_type(raw, spot, self.takes)
        elif raw not in self.words:
            near = close_to(raw, self.words)
            hint = f'did you mean "{near}"? It takes ' if near else "write "
            spot.refuse(f"{shown(raw)} is none of its words", hint + self.takes)
        else:
            return raw
        return None

    def show(self, value: object) -> str:
        return toml_text(str(value))


@dataclass(frozen=True)
class Flag:
    """true or false."""

    takes: str = "true or false"

    def read(self, raw: object, spot: Spot) -> bool | None:
        if isinstance(raw, bool):
            return raw
        wrong_type(raw, spot, self.takes)
        return None

    def show(self, value: object) -> str:
        return "true" if value else "false"


@dataclass(frozen=True)
class Whole:
    """A whole number from `least` to `most`."""

    least: int
    most: int

    @property
    def takes(self) -> str:
        return f"a whole number from {self.least} to {self.most}"

    def read(self, raw: object, spot: Spot) -> int | None:
        if isinstance(raw, bool) or not isinstance(raw, int):
            wrong_type(raw, spot, self.takes)
        elif not self.least <= raw <= self.most:
            spot.refuse(f"{shown(raw)} is out of range", f"write {self.takes}")
        else:
            return raw
        return None

    def show(self, value: object) -> str:
        return str(value)


@dataclass(frozen=True)
class Number:
    """A number from `least` to `most`."""

    least: float
    most: float

    @property
    def takes(self) -> str:
        return f"a number from {self.least:g} to {self.most:g}"

    def read(self, raw: object, spot: Spot) -> float | None:
        if isinstance(raw, bool) or not isinstance(raw, int | float):
            wrong_type(raw, spot, self.takes)
        elif not self.least <= raw <= self.most:  # NaN fails every comparison
            spot.refuse(f"{shown(raw)} is out of range", f"write {self.takes}")
        else:
            return float(raw)
        return None

    def show(self, value: object) -> str:
        return repr(value) if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class ListOf:
    """A list; the value is a tuple. `check` sees the whole tuple."""

    item: Kind
    most: int = 100
    check: Callable[[tuple[object, ...]], tuple[str, str] | None] | None = None

    @property
    def takes(self) -> str:
        return f"a list, each {self.item.takes}"

    def read(self, raw: object, spot: Spot) -> tuple[object, ...] | None:
        if not isinstance(raw, list):
            wrong_type(raw, spot, self.takes)
            return None
        if len(raw) > self.most:
            spot.refuse(f"it has {len(raw)} entries, more than {self.most}", f"use at most {self.most}")
            return None
        read = [self.item.read(each, spot.at(n)) for n, each in enumerate(raw)]
        if any(each is None for each in read):
            return None
        values = tuple(each for each in read if each is not None)
        if len(set(values)) < len(values):
            twice = next(v for n, v in enumerate(values) if v in values[:n])
            spot.refuse(f"{shown(twice)} stands there twice", "name it once")
            return None
        if self.check is not None and (wrong := self.check(values)) is not None:
            spot.refuse(*wrong)
            return None
        return values

    def show(self, value: object) -> str:
        assert isinstance(value, tuple)
        return "[" + ", ".join(self.item.show(each) for each in value) + "]"


@dataclass(frozen=True)
class MapOf:
    """An inline table of names to values."""

    name: Kind
    value: Kind
    most: int = 100

    @property
    def takes(self) -> str:
        return f"a table of {self.name.takes} = {self.value.takes}"

    def read(self, raw: object, spot: Spot) -> Mapping[str, object] | None:
        if not isinstance(raw, Mapping):
            wrong_type(raw, spot, self.takes)
            return None
        if len(raw) > self.most:
            spot.refuse(f"it has {len(raw)} entries, more than {self.most}", f"use at most {self.most}")
            return None
        out: dict[str, object] = {}
        for name, each in raw.items():
            here = spot.at(name)
            known, value = self.name.read(name, here), self.value.read(each, here)
            if known is not None and value is not None:
                out[name] = value
        return MappingProxyType(out) if len(out) == len(raw) else None

    def show(self, value: object) -> str:
        assert isinstance(value, Mapping)
        return "{" + ", ".join(f"{toml_name(k)} = {self.value.show(v)}" for k, v in value.items()) + "}"


def close_to(word: str, words: tuple[str, ...]) -> str:
    """The word of `words` that `word` was probably meant to be, or nothing."""
    import difflib  # imported here: only a wrong manifest needs it, and the command line starts faster without it

    near = difflib.get_close_matches(word[:60].lower(), words, n=1, cutoff=0.6)
    return near[0] if near else ""
