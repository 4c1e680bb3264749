"""Where in the file a value stands, and the problems found on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from underway.terms.problem import Problem

MOST_PROBLEMS = 100
"""More than this many problems help nobody; the rest is counted."""

CHECK_AGAIN = "underway deploy --dry-run"
"""Reads the file again and changes nothing."""

Path = tuple[str | int, ...]


def dotted(path: Path) -> str:
    """`release.steps[2]`, as a reader would write it. Odd names are quoted and shortened."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
            continue
        plain = part.isascii() and part.replace("-", "").replace("_", "").isalnum()
        out += ("." if out else "") + (part[:60] if plain else shown(part))
    return out


def shown(raw: object, limit: int = 60) -> str:
    """A value of the file as a problem may quote it: one line, printable, short. Never raises."""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int) and raw.bit_length() > 200:  # printing a huge int may be refused by Python itself
        return f"a number of {raw.bit_length()} bits"
    if isinstance(raw, Mapping):
        return "a table"
    if isinstance(raw, list):
        return f"a list of {len(raw)}"
    text = str(raw) if not isinstance(raw, str) else raw
    cut = text[:limit] + ("…" if len(text) > limit else "")
    return f'"{_printable(cut)}"' if isinstance(raw, str) else _printable(cut)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


@dataclass
class Found:
    """All problems of one file."""

    file: str
    line_of: Callable[[Path], int]
    problems: list[Problem] = field(default_factory=list)
    left_out: int = 0

    def add(self, path: Path, code: str, why: str, remedy: str) -> None:
        if len(self.problems) >= MOST_PROBLEMS:
            self.left_out += 1
            return
        where = f"{self.file}:{self.line_of(path)} {dotted(path)}".rstrip()
        self.problems.append(
            Problem(code=code, where=where, why=_printable(why), remedy=_printable(remedy), command=CHECK_AGAIN)
        )

    @property
    def is_full(self) -> bool:
        return len(self.problems) >= MOST_PROBLEMS

    @property
    def count(self) -> int:
        return len(self.problems) + self.left_out

    def all(self) -> list[Problem]:
        """The problems in the order of the file."""
        ordered = sorted(self.problems, key=lambda p: _line(p.where, self.file))
        if self.left_out:
            ordered.append(
                Problem(
                    code="manifest.too-many",
                    where=f"{self.file}:1",
                    why=f"{self.left_out} further problems are not listed",
                    remedy="mend those above first",
                    command=CHECK_AGAIN,
                )
            )
        return ordered


def _line(where: str, file: str) -> int:
    return int(where[len(file) + 1 :].split(" ", 1)[0])


@dataclass(frozen=True)
class Spot:
    """One place in the file."""

    found: Found
    path: Path = ()

    def at(self, part: str | int) -> Spot:
        return Spot(self.found, (*self.path, part))

    def refuse(self, why: str, remedy: str, code: str = "manifest.value") -> None:
        """Note a problem here."""
        self.found.add(self.path, code, why, remedy)
