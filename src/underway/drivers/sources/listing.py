"""Which files a release would be made of."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from underway.drivers.sources import git
from underway.terms.problem import Problem, Refusal

MOST_FILES = 200_000
"""More files than this are no web application: somebody pointed at `/` or at a home folder."""

_JUNK = frozenset(
    {
        ".git", ".hg", ".svn", ".venv", "venv", "virtualenv", "node_modules", "__pycache__", ".mypy_cache",
        ".ruff_cache", ".pytest_cache", ".hypothesis", ".tox", ".nox", ".idea", ".vscode", ".DS_Store",
        ".ipynb_checkpoints", ".parcel-cache", ".turbo", ".pnpm-store",
    }
)  # fmt: skip
_JUNK_ENDINGS = (".egg-info", ".dist-info", ".pyc", ".pyo")
_NO_NAMES = frozenset({"", ".", "..", ".git"})
"""What git never lists unless its index was forged."""
_NESTED_REPOSITORIES = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or inner symlink. `path` is relative and POSIX, its bytes kept by `os.fsencode`.

    `target` is where a symlink points (relative, never out of the tree), empty for a file. Of a file, `size`,
    `mtime_ns`, `ctime_ns` and `inode` together tell whether its content can have changed.
    """

    path: str
    target: str = ""
    is_executable: bool = False
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    inode: int = 0


def entries(root: str, leave_out: Iterable[Path] = ()) -> tuple[list[Entry], bool]:
    """The entries below `root`, sorted by the bytes of their paths, and whether git named them.

    Inside a git work tree: what git tracks and what it does not ignore, submodules included as they are checked
    out. Elsewhere every file except well-known junk. Devices, pipes, sockets and symlinks that lead out are left
    out; no symlink is followed. `leave_out` are absolute folders that never belong (a home inside the tree).
    Raises `Refusal` (`source.too-large`, `source.git-timeout`).
    """
    try:
        names: Iterable[str] = [os.fsdecode(path) for path in git.listed(root)]
        by_git = True
    except git.NotGit:
        names, by_git = _walked(root, ""), False
    unwanted = tuple(_below(root, folder) for folder in leave_out)
    found: dict[str, Entry] = {}
    folders: dict[str, bool] = {"": True}
    for entry in _looked_at(root, names, folders, _NESTED_REPOSITORIES):
        if not entry.path.startswith(tuple(prefix for prefix in unwanted if prefix)):
            found[entry.path] = entry
        if len(found) > MOST_FILES:
            raise Refusal([_too_large(root)])
    return [found[path] for path in sorted(found, key=os.fsencode)], by_git


def _below(root: str, folder: Path) -> str:
    """`folder` as a prefix of paths relative to `root`, empty when it is not below it."""
    relative = os.path.relpath(os.path.realpath(folder), root)
    return "" if relative.startswith("..") or relative == "." else relative + "/"


def _looked_at(root: str, names: Iterable[str], folders: dict[str, bool], depth: int) -> Iterator[Entry]:
    prefix = root + "/"
    for name in names:
        parent, _, last = name.rstrip("/").rpartition("/")
        if (
            last in _NO_NAMES
            or name.startswith("/")
            or not (folders[parent] if parent in folders else _is_real_folder(root, parent, folders))
        ):
            continue
        try:
            seen = os.lstat(prefix + name)
        except OSError:  # tracked and deleted, or gone since it was listed
            continue
        if stat.S_ISREG(seen.st_mode):
            yield Entry(
                name, "", bool(seen.st_mode & 0o100), seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino
            )
        elif stat.S_ISLNK(seen.st_mode):
            try:
                target = os.readlink(prefix + name)
            except OSError:
                continue
            if resolve_inside(root, name) is not None:
                yield Entry(name, target)
        elif stat.S_ISDIR(seen.st_mode) and depth > 0:
            yield from _looked_at(root, _repository_in(root, name.rstrip("/")), folders, depth - 1)


def _repository_in(root: str, inner: str) -> Iterator[str]:
    """The files of a submodule or of another repository inside this one."""
    try:
        if not os.path.lexists(f"{root}/{inner}/.git"):
            raise git.NotGit
        yield from (f"{inner}/{os.fsdecode(path)}" for path in git.listed(f"{root}/{inner}"))
    except git.NotGit:
        yield from _walked(root, inner)


def _is_real_folder(root: str, folder: str, known: dict[str, bool]) -> bool:
    """True when `folder` and everything above it, up to `root`, are folders and no symlinks."""
    if folder not in known:
        above, _, name = folder.rpartition("/")
        if name in _NO_NAMES or not _is_real_folder(root, above, known):
            known[folder] = False
        else:
            try:
                known[folder] = stat.S_ISDIR(os.lstat(f"{root}/{folder}").st_mode)
            except OSError:
                known[folder] = False
    return known[folder]


def _walked(root: str, folder: str) -> Iterator[str]:
    """Every path below `folder` that is no junk, folders themselves not among them."""
    pending = [folder]
    while pending:
        inner = pending.pop()
        try:
            with os.scandir(f"{root}/{inner}") as children:
                for child in children:
                    if child.name in _JUNK or child.name.endswith(_JUNK_ENDINGS):
                        continue
                    path = f"{inner}/{child.name}" if inner else child.name
                    if not child.is_dir(follow_symlinks=False):
                        yield path
                    elif not os.path.exists(f"{child.path}/pyvenv.cfg"):
                        pending.append(path)
        except OSError:
            continue


def resolve_inside(root: str, path: str) -> str | None:
    """Where `path` (relative to `root`) ends when its symlinks are followed, relative to `root`.

    None when any step leaves `root`, even to come back: a copy of the tree lies elsewhere. Symlinks are read
    one by one, at most 40 as in path_resolution(7). What does not exist resolves to itself.
    """
    steps = path.split("/")[::-1]
    at: list[str] = []
    links = 0
    while steps:
        step = steps.pop()
        if step in ("", "."):
            continue
        if step == "..":
            if not at:
                return None
            at.pop()
            continue
        try:
            target = os.readlink("/".join((root, *at, step)))
        except OSError:
            at.append(step)
            continue
        links += 1
        if target.startswith("/") or links > 40:
            return None
        steps.extend(target.split("/")[::-1])
    return "/".join(at)


def _too_large(root: str) -> Problem:
    return Problem(
        code="source.too-large",
        where=root,
        why=f"it holds more than {MOST_FILES:,} files, which no application's source does",
        remedy="name the application's own folder, or let git ignore what does not belong to it",
        command="underway deploy path/to/app",
    )
