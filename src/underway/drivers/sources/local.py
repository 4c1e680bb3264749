"""`Sources` on this machine's disk."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from underway.drivers.sources import git
from underway.drivers.sources.digest import FileDigests, digest_of
from underway.drivers.sources.history import History
from underway.drivers.sources.listing import Entry, entries
from underway.drivers.sources.reading import LazyTexts
from underway.terms.home import Home
from underway.terms.problem import Problem, Refusal
from underway.terms.release import Source
from underway.terms.secret import Secret
from underway.terms.tree import Tree


class LocalSources:
    """Reads repositories on this machine. A home that lies inside a repository is left out of it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._history = History()

    def in_history(self, path: str, values: Mapping[str, Secret]) -> frozenset[str]:
        """See the port."""
        return self._history.holds(_folder(path), values)

    def look(self, path: str) -> Tree:
        """The tree for detection; see the port. Names with control characters or bytes that are no UTF-8 are
        copied but not shown: nothing is detected from them, and they would garble what a person reads."""
        root = _folder(path)
        found = self._found(root)
        shown = {entry.path: entry for entry in found if _is_plain(entry.path) and _is_file(root, entry)}
        return Tree(
            name=os.path.basename(root),
            paths=tuple(shown),
            texts=LazyTexts(root, shown),
            executables=frozenset(path for path, entry in shown.items() if entry.is_executable),
            day=git.day(root),
        )

    async def fingerprint(self, path: str) -> Source:
        """Commit, dirtiness and digest; see the port. Raises `Refusal` as `look` does."""
        return await asyncio.to_thread(self._fingerprint, path)

    def _fingerprint(self, path: str) -> Source:
        root = _folder(path)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="git") as aside:
            state = aside.submit(_state, root)
            found = self._found(root)
            files = FileDigests(self._home.cache / "fingerprints", root)
            digest = digest_of(found, files)
            files.save()
            commit, is_dirty = state.result()
        return Source(path=root, commit=commit, is_dirty=is_dirty, digest=digest)

    def _found(self, root: str) -> list[Entry]:
        found, _ = entries(root, [self._home.root])
        if not found:
            raise Refusal(
                [
                    Problem(
                        code="source.empty",
                        where=root,
                        why="there is no file in it (files that git ignores do not count)",
                        remedy="name the folder that holds the application",
                        command="underway deploy path/to/app",
                    )
                ]
            )
        return found


def _state(root: str) -> tuple[str, bool]:
    """The commit of `root` and whether it is dirty; empty and clean outside git."""
    try:
        commit = git.head(root)
        return commit, bool(commit) and git.is_dirty(root)
    except git.NotGit:
        return "", False


def _folder(path: str) -> str:
    """The real path of the folder, or a `Refusal`."""
    try:
        root = os.path.realpath(path)
        mode = os.stat(root).st_mode
        if stat.S_ISDIR(mode) and os.access(root, os.R_OK | os.X_OK):
            return root
    except (OSError, ValueError):
        raise Refusal(
            [
                Problem(
                    code="source.not-found",
                    where=path,
                    why="there is no such folder",
                    remedy="check the path; it is taken from the folder you are in",
                    command="ls",
                )
            ]
        ) from None
    if stat.S_ISDIR(mode):
        raise Refusal(
            [
                Problem(
                    code="source.not-found",
                    where=path,
                    why="this user may not read the folder",
                    remedy="give the user that runs Underway read access to it",
                    command=f"ls -ld {root}",
                )
            ]
        )
    raise Refusal(
        [
            Problem(
                code="source.not-a-folder",
                where=path,
                why="it is a file, and a release is made of a folder",
                remedy="name the folder that holds the application",
                command=f"underway deploy {os.path.dirname(root) or '.'}",
            )
        ]
    )


def _is_plain(path: str) -> bool:
    return path.isprintable()


def _is_file(root: str, entry: Entry) -> bool:
    """True unless it is a symlink to something other than a file."""
    return not entry.target or os.path.isfile(f"{root}/{entry.path}")
