"""The copy a build is made in."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from underway.drivers.sources.digest import CHUNK, TreeDigest
from underway.drivers.sources.listing import Entry, entries
from underway.drivers.sources.reading import open_inside


@dataclass(frozen=True)
class Copied:
    """What was copied. `digest` is that of the bytes written."""

    files: int
    size_bytes: int
    digest: str


def copy_tree(path: str, to: Path, leave_out: Iterable[Path] = ()) -> Copied:
    """Copy exactly the files that a fingerprint of `path` covers into the new folder `to`.

    Modes become 0644 or 0755 and times are kept. The digest is taken from what was written, so a caller who
    compares it with the fingerprint notices a tree that changed meanwhile. Raises `OSError` (a full disk), and
    `Refusal` as `entries` does.
    """
    root = os.path.realpath(path)
    to.mkdir(mode=0o755)
    tree = TreeDigest()
    made = {""}
    size = 0
    found, _ = entries(root, leave_out)
    for entry in found:
        parent = entry.path.rpartition("/")[0]
        if parent not in made:
            os.makedirs(f"{to}/{parent}", exist_ok=True)
            made.add(parent)
        if entry.target:
            os.symlink(entry.target, f"{to}/{entry.path}")
            tree.add(entry, os.fsencode(entry.target))
        else:
            content, length = _copied(root, entry, f"{to}/{entry.path}")
            tree.add(entry, content)
            size += length
    return Copied(files=len(found), size_bytes=size, digest=tree.hex())


def _copied(root: str, entry: Entry, to: str) -> tuple[bytes, int]:
    try:
        source = open_inside(root, entry.path)
    except OSError:
        return b"", 0
    with os.fdopen(source, "rb", buffering=0) as reader:
        mode = 0o755 if entry.is_executable else 0o644
        target = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with os.fdopen(target, "wb", buffering=0) as writer:
            sha = hashlib.sha256()
            length = 0
            while chunk := reader.read(CHUNK):
                sha.update(chunk)
                view = memoryview(chunk)
                while view:
                    view = view[writer.write(view) :]
                length += len(chunk)
            os.utime(writer.fileno(), ns=(entry.mtime_ns, entry.mtime_ns))
    return sha.digest(), length


def free_bytes(folder: Path) -> int:
    """Bytes that an unprivileged user may still write on the file system of `folder`."""
    return shutil.disk_usage(folder).free
