"""Files an app writes inside its own tree, kept where every release sees them."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

from underway.drivers.sources.listing import resolve_inside

_SQLITE = b"SQLite format 3\0"


def share(kept: Path, tree: Path, source: Path, path: str) -> bool:
    """Make `path` in the built `tree` a link to `kept`; return True when what was there has been carried in.

    The first time, what the folder that is deployed (`source`) holds there is carried, files that git ignores too: a
    database that the app wrote there is its data. Without it, what the tree holds. A name with a suffix (db.sqlite3)
    is a file, any other a folder. Nothing is carried from outside of `source` and `tree`.
    """
    in_tree = tree / path
    if in_tree.is_symlink() and os.readlink(in_tree) == str(kept):
        return False
    kept.parent.mkdir(parents=True, exist_ok=True)
    has_carried = False
    if not kept.exists():
        held = next((at / path for at in (source, tree) if _is_inside(at, path)), None)
        if held is not None:
            _carry(held, kept)
            has_carried = True
        elif not kept.suffix:
            kept.mkdir()
    if in_tree.is_symlink() or in_tree.is_file():
        in_tree.unlink()
    elif in_tree.is_dir():
        shutil.rmtree(in_tree)
    in_tree.parent.mkdir(parents=True, exist_ok=True)
    in_tree.symlink_to(kept)
    return has_carried


def _is_inside(root: Path, path: str) -> bool:
    """True for a file or folder of `root` that no symlink on the way leads to."""
    return resolve_inside(str(root), path) == path.strip("/") and ((root / path).is_file() or (root / path).is_dir())


def _carry(held: Path, kept: Path) -> None:
    """Copy whole or not at all; symlinks stay what they are, so that nothing from elsewhere comes along."""
    aside = kept.with_name(f".{kept.name}.carried")
    if held.is_dir():
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(held, aside, symlinks=True, ignore=_odd)
    elif not _copied_as_database(held, aside):
        shutil.copy2(held, aside, follow_symlinks=False)
    aside.rename(kept)


def _odd(folder: str, names: list[str]) -> set[str]:
    """Sockets, pipes and devices, which cannot be copied."""
    found = {name: os.path.join(folder, name) for name in names}
    return {n for n, p in found.items() if not (os.path.islink(p) or os.path.isfile(p) or os.path.isdir(p))}


def _copied_as_database(held: Path, aside: Path) -> bool:
    """Copy a SQLite database through SQLite, which sees what is still in its log. False when it is none."""
    try:
        with open(held, "rb") as file:
            if file.read(len(_SQLITE)) != _SQLITE:
                return False
        aside.unlink(missing_ok=True)
        with (
            contextlib.closing(
                sqlite3.connect(f"{held.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
            ) as database,
            contextlib.closing(sqlite3.connect(aside)) as copy,
        ):
            database.backup(copy)
        shutil.copymode(held, aside)
    except (OSError, sqlite3.Error):
        aside.unlink(missing_ok=True)
        return False
    return True
