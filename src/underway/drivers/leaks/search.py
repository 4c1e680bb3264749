"""Secrets in a folder's files and in its git history."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from underway.drivers.leaks import history
from underway.drivers.leaks.memory import Memory
from underway.drivers.leaks.version import version
from underway.drivers.sources.git import NotGit, listed
from underway.leaks.allow import ALLOW_FILE
from underway.terms.home import Home
from underway.terms.leak import Leak, Searched, Unread
from underway.terms.problem import Problem, Refusal

if TYPE_CHECKING:
    from underway.drivers.leaks.matcher import Matcher

_MOST_BYTES = 10_000_000
_SKIPPED_FOLDERS = frozenset(
    {".git", "node_modules", ".venv", "venv", "__pycache__", ".tox", ".mypy_cache", "site-packages"}
)
Tell = Callable[[str, int, int], None]


@dataclass
class _Count:
    files: int = 0
    blobs: int = 0
    commits: int = 0
    is_shallow: bool = False
    from_cache: int = 0


class FileLeakSearch:
    """Driver of `LeakSearch`. The rules are loaded only when there is something new to look at."""

    def __init__(self, home: Home) -> None:
        self._folder = home.cache / "scan"
        self._matcher: Matcher | None = None

    def search(self, root: str, *, with_history: bool, tell: Tell) -> Searched:
        began = time.monotonic()
        where = Path(root)
        if not where.is_dir():
            raise Refusal([_no_folder(root)])
        root = os.path.realpath(root)
        memory = Memory(self._folder, root, version())
        count, unread = _Count(), list[Unread]()
        try:
            leaks = self._files(root, memory, count, unread, tell)
            if with_history:
                leaks = _joined(leaks, self._history(root, memory, count, unread, tell))
        finally:
            memory.close()
        return Searched(
            leaks=tuple(leaks),
            files=count.files,
            blobs=count.blobs,
            commits=count.commits,
            is_shallow=count.is_shallow,
            from_cache=count.from_cache,
            allow_text=_allow_text(root),
            unread=tuple(unread),
            took_s=round(time.monotonic() - began, 3),
        )

    def _files(self, root: str, memory: Memory, count: _Count, unread: list[Unread], tell: Tell) -> list[Leak]:
        known = memory.files()
        out: list[Leak] = []
        new: list[tuple[str, str]] = []
        present = set()
        for path in _paths(root):
            try:
                seen = os.lstat(os.path.join(root, path))
            except OSError:
                continue
            if not stat.S_ISREG(seen.st_mode):
                continue
            count.files += 1
            shown = path.encode(errors="surrogateescape").decode("utf-8", "replace")
            if seen.st_size > _MOST_BYTES:
                unread.append(Unread(path=shown, why=f"larger than {_MOST_BYTES // 1_000_000} MB"))
                continue
            present.add(shown)
            stamp = f"{seen.st_mtime_ns} {seen.st_ctime_ns} {seen.st_size} {seen.st_ino}"
            before = known.get(shown)
            if before is not None and before[0] == stamp:
                count.from_cache += 1
                out += before[1]
            else:
                new.append((path, stamp))
        fresh: list[tuple[str, str, list[Leak]]] = []
        for number, (path, stamp) in enumerate(new):
            if number % 64 == 0:
                tell("files", number, len(new))
            shown = path.encode(errors="surrogateescape").decode("utf-8", "replace")
            try:
                leaks = self._look(shown, _read(os.path.join(root, path)))
            except (OSError, TimeoutError) as error:
                unread.append(Unread(path=shown, why=_why(error)))
                continue
            out += leaks
            fresh.append((shown, stamp, leaks))
        if fresh or len(known) > len(present):
            memory.keep_files(fresh, set(known) - present)
        return out

    def _history(self, root: str, memory: Memory, count: _Count, unread: list[Unread], tell: Tell) -> list[Leak]:
        refs = history.references(root)
        if not refs:
            return []
        whole = memory.history(refs)
        if whole is not None:
            count.commits, count.blobs, count.is_shallow = whole[:3]
            count.from_cache += whole[1]
            return list(whole[3])
        try:
            count.is_shallow = history.is_shallow(root) == b"true"
            count.commits, paths = history.contents(root)
            leaks, is_whole = self._contents(root, paths, memory, count, unread, tell)
            found = history.origins(root, {leak.commit for leak in leaks})
        except NotGit:
            unread.append(Unread(path=".git", why="git could not read its own history here"))
            return []
        known = [_placed(leak, found.get(leak.commit)) for leak in leaks]
        if is_whole:
            memory.keep_history(refs, count.commits, count.blobs, count.is_shallow, known)
        return known

    def _contents(
        self, root: str, paths: dict[str, str], memory: Memory, count: _Count, unread: list[Unread], tell: Tell
    ) -> tuple[list[Leak], bool]:
        """Leaks with the blob's id where the commit belongs."""
        known = memory.blobs()
        out: list[Leak] = []
        wanted: list[str] = []
        for id_, path in paths.items():
            before = known.get(f"{id_} {path}")
            if before is None:
                wanted.append(id_)
            else:
                count.from_cache += 1
                count.blobs += 1
                out += (msgspec.structs.replace(leak, commit=id_, is_in_tree=False) for leak in before)
        fresh: list[tuple[str, list[Leak]]] = []
        is_whole = True
        for number, (id_, content) in enumerate(history.blobs(root, wanted, _MOST_BYTES)):
            if number % 64 == 0:
                tell("history", number, len(wanted))
            count.blobs += 1
            if content is None:
                unread.append(Unread(path=f"{id_[:12]}:{paths[id_]}", why=f"larger than {_MOST_BYTES // 1_000_000} MB"))
                continue
            try:
                leaks = self._look(paths[id_], content)
            except TimeoutError as error:
                unread.append(Unread(path=f"{id_[:12]}:{paths[id_]}", why=_why(error)))
                is_whole = False
                continue
            fresh.append((f"{id_} {paths[id_]}", leaks))
            out += (msgspec.structs.replace(leak, commit=id_, is_in_tree=False) for leak in leaks)
            if len(fresh) >= 5000:
                memory.keep_blobs(fresh)
                fresh = []
        memory.keep_blobs(fresh)
        return out, is_whole

    def _look(self, path: str, content: bytes) -> list[Leak]:
        if not content or (b"\0" in content[:8000] and not content.startswith((b"\xff\xfe", b"\xfe\xff"))):
            return []
        if self._matcher is None:
            from underway.drivers.leaks.matcher import Matcher

            self._matcher = Matcher(self._folder / "rules")
        return self._matcher.leaks(path, content)


def _joined(tree: list[Leak], past: list[Leak]) -> list[Leak]:
    """Leaks of the history, those that stand in the tree as well marked so; and those not committed yet."""
    now = {(leak.path, leak.fingerprint): leak for leak in tree}
    oldest: dict[tuple[str, str], Leak] = {}
    for leak in sorted(past, key=lambda each: (each.when or "~", each.commit)):
        oldest.setdefault((leak.path, leak.fingerprint), leak)
    out = [
        msgspec.structs.replace(leak, commit=old.commit, author=old.author, when=old.when)
        if (old := oldest.get((leak.path, leak.fingerprint)))
        else leak
        for leak in tree
    ]
    return out + [leak for key, leak in oldest.items() if key not in now]


def _placed(leak: Leak, origin: history.Origin | None) -> Leak:
    if origin is None:
        return msgspec.structs.replace(leak, commit="")
    return msgspec.structs.replace(leak, commit=origin.commit, author=origin.author[:100], when=origin.when)


def _paths(root: str) -> Iterator[str]:
    try:
        for path in listed(root):
            if not path.endswith(b"/"):
                yield os.fsdecode(path)
    except NotGit:
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(each for each in folders if each not in _SKIPPED_FOLDERS)
            for name in sorted(files):
                yield os.path.relpath(os.path.join(folder, name), root)


def _allow_text(root: str) -> str:
    try:
        return _read(os.path.join(root, ALLOW_FILE)).decode("utf-8", "replace")
    except OSError:
        return ""


def _read(path: str) -> bytes:
    """A regular file's content, by a descriptor that no symbolic link or pipe put there meanwhile can turn."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return b""
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read(_MOST_BYTES)


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it took longer than ten seconds"
    return (error.strerror or "it cannot be read") if isinstance(error, OSError) else "it cannot be read"


def _no_folder(root: str) -> Problem:
    return Problem(
        code="scan.path",
        where=root,
        why="there is no such folder",
        remedy="name the folder of the repository",
    )
