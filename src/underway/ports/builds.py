from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import msgspec

from underway.manifest.build import BuildKeys
from underway.manifest.model import Static
from underway.terms.problem import Problem
from underway.terms.release import Build, Source
from underway.terms.secret import Secret
from underway.terms.tree import Tree


class BuildAsk(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that shapes a build, except the environment's index and CA variables."""

    app: str
    source: Source
    build: BuildKeys
    static: Static | None = None
    has_web: bool = True
    """False when the static files are all there is, so that they must hold a page for visitors."""
    collect: tuple[str, ...] = ()
    """Shell lines run in the built tree with its environment after `build.commands` (collectstatic)."""
    env: Mapping[str, str] = {}
    """Settings of the app that build and collect commands may read: plain values, and placeholders where the app
    only wants to be given something. Never a secret."""


class Sources(Protocol):
    """Reads a repository on this machine."""

    def look(self, path: str) -> Tree:
        """The tree for detection. Raises `Refusal` (`source.not-found`, `source.not-a-folder`, `source.empty`)."""
        ...

    async def fingerprint(self, path: str) -> Source:
        """Commit, dirtiness and digest of what would be copied."""
        ...

    def in_history(self, path: str, values: Mapping[str, Secret]) -> frozenset[str]:
        """The names whose values stand in some commit of the repository; what is found in a few seconds. None outside
        git. Takes values of eight characters and more."""
        ...


class Builds(Protocol):
    """Makes and keeps immutable builds."""

    def key(self, ask: BuildAsk) -> str:
        """The key of the build that `ask` would give: equal keys, equal builds."""
        ...

    def lacks(self, ask: BuildAsk, tree: Tree) -> tuple[Problem, ...]:
        """What the source (as `tree` shows it) or this machine lacks so that the build would certainly fail: a lock
        file, a folder, an interpreter, Node. All of it at once; nothing is run."""
        ...

    def find(self, app: str, key: str) -> Build | None:
        """The finished build with this key, None when there is none (a half-made one is none)."""
        ...

    async def make(self, ask: BuildAsk, say: Callable[[str], None]) -> Build:
        """Copy the source and build it, or return the finished build of the same key (`was_reused`).

        `say` hears one short line per phase. Raises `Failure` (`build.install`, `build.command`, `build.timeout`,
        `build.python`, `build.node`, `build.lock-missing`, `build.folder-missing`, `build.static-missing`,
        `build.disk-full`, `build.source-changed`, `home.unwritable`) with the tail of the log;
        nothing half-made stays.
        """
        ...

    async def discard(self, app: str, key: str) -> None:
        """Remove a build. Removing what is not there is fine."""
        ...

    async def prune(self, app: str, keep: Collection[str]) -> int:
        """Remove every build of `app` whose key is not in `keep`; return the bytes freed."""
        ...
