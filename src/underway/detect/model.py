"""What detection is told and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from underway.manifest.model import Manifest
from underway.terms.environment import Read
from underway.terms.problem import Problem


@dataclass(frozen=True)
class Machine:
    """What this machine offers. `pythons` are the interpreters that run, as major.minor; empty when unknown.
    `node_version` is empty where there is no Node."""

    cpus: int = 1
    pythons: tuple[str, ...] = ()
    node_version: str = ""


@dataclass(frozen=True)
class Claim:
    """One thing detection believes, and where it read it (`backend/pyproject.toml:12`).

    `about` is one word that does not change: stack, python, node, server, worker, health, smoke, migrate, database,
    redis, service, env, host, shared, static, build.
    """

    about: str
    says: str
    evidence: str = ""


@dataclass(frozen=True)
class Detection:
    """What a repository is.

    `manifest` is the whole draft, None when nothing to run or serve was found. `comments` are for
    `manifest.write.render`. `problems` are what only the owner can know, or why there is no draft.
    """

    claims: tuple[Claim, ...] = ()
    manifest: Manifest | None = None
    comments: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    problems: tuple[Problem, ...] = ()
    reads: tuple[Read, ...] = ()
    """Where the code reads environment variables."""


@dataclass(frozen=True)
class Evidence:
    """A line of a file. Prints as `backend/Dockerfile:12`."""

    path: str
    line: int = 0

    @classmethod
    def at(cls, path: str, text: str, offset: int, *, above: int = 0) -> Self:
        """The line that the character at `offset` stands on. `above` is how many lines of the file precede `text`."""
        return cls(path, above + text.count("\n", 0, offset) + 1)

    def __str__(self) -> str:
        shown = "".join(c if c.isprintable() else "�" for c in self.path[:200])
        return f"{shown}:{self.line}" if self.line else shown


class Notes:
    """Claims, comments and problems as they are gathered."""

    def __init__(self) -> None:
        self.claims: list[Claim] = []
        self.comments: dict[str, str] = {}
        self.problems: list[Problem] = []

    def claim(self, about: str, says: str, evidence: Evidence | str = "", key: str = "") -> None:
        """Add a claim; with `key`, also as the comment of that key in the draft."""
        found = str(evidence)
        self.claims.append(Claim(about=about, says=says, evidence=found))
        if key:
            line = f"{says} ({found})" if found else says
            self.comments[key] = f"{self.comments[key]}\n{line}" if key in self.comments else line

    def problem(self, code: str, where: Evidence | str, why: str, remedy: str, command: str = "") -> None:
        self.problems.append(Problem(code=code, where=str(where), why=why, remedy=remedy, command=command))
