"""The digest of a tree, and the memory that makes it cheap to ask again."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from underway.drivers.sources.listing import Entry
from underway.drivers.sources.reading import open_inside

_FRESH_NS = 2_000_000_000
"""A file touched this recently may change again within one tick of its clock: it is not remembered."""

CHUNK = 1 << 20


class TreeDigest:
    """SHA-256 over every entry's path, kind and content, fed in sorted order."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def add(self, entry: Entry, content: bytes) -> None:
        """`content` is the SHA-256 of a file, or the target of a symlink."""
        path = os.fsencode(entry.path)
        kind = b"l" if entry.target else b"x" if entry.is_executable else b"f"
        for part in (kind, path, content):
            self._sha.update(len(part).to_bytes(8, "big"))
            self._sha.update(part)

    def hex(self) -> str:
        return self._sha.hexdigest()


class FileDigests:
    """SHA-256 of files, kept in one file per tree below `folder`, by path, size, times and inode."""

    def __init__(self, folder: Path, root: str) -> None:
        self._root = root
        self._kept_in = folder / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}.msgpack"
        self._known = self._load()
        self._used: dict[bytes, bytes] = {}
        self._oldest_ns = time.time_ns() - _FRESH_NS

    def of(self, entry: Entry) -> bytes:
        """The digest of the file's content. Raises `OSError` when it cannot be read."""
        stamp = f"{entry.size}:{entry.mtime_ns}:{entry.ctime_ns}:{entry.inode}:{entry.path}"
        name = stamp.encode("utf-8", "surrogateescape")
        digest = self._known.get(name) or self._hashed(entry.path)
        if max(entry.mtime_ns, entry.ctime_ns) < self._oldest_ns:
            self._used[name] = digest
        return digest

    def save(self) -> None:
        """Remember what was asked for and forget the rest. A memory that cannot be written is only slower."""
        if self._used == self._known:
            return
        aside = self._kept_in.with_suffix(f".{os.getpid()}.new")
        try:
            self._kept_in.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            aside.write_bytes(msgspec.msgpack.encode(self._used))
            aside.replace(self._kept_in)
        except OSError:
            aside.unlink(missing_ok=True)

    def _load(self) -> dict[bytes, bytes]:
        try:
            return msgspec.msgpack.decode(self._kept_in.read_bytes(), type=dict[bytes, bytes])
        except (OSError, msgspec.MsgspecError):
            return {}

    def _hashed(self, path: str) -> bytes:
        with os.fdopen(open_inside(self._root, path), "rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").digest()


def digest_of(entries: Iterable[Entry], files: FileDigests) -> str:
    """The digest of a whole tree. A file that cannot be read counts with an empty content: it is not copied."""
    tree = TreeDigest()
    for entry in entries:
        try:
            content = os.fsencode(entry.target) if entry.target else files.of(entry)
        except OSError:
            content = b""
        tree.add(entry, content)
    return tree.hex()
