"""Files beside a project that its commands may load: where a server listens, what its pages call, its tables."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path

from underway.drivers.builds.workshop import Workshop
from underway.manifest.build import (
    KIT_ENV_MODULE,
    LISTEN_MODULE,
    LISTEN_SCRIPT,
    ORIGIN_MODULE,
    TABLES_SCRIPT,
    BuildKeys,
)

_SOURCES = {LISTEN_MODULE: "listen.cjs", LISTEN_SCRIPT: "listen.py", ORIGIN_MODULE: "origin.cjs",
            KIT_ENV_MODULE: "kit_env.cjs", TABLES_SCRIPT: "tables.sh"}  # fmt: skip


def add_all(build: BuildKeys, shop: Workshop) -> None:
    """Write those that the commands of `build` may load beside its projects. Raises `Failure` for a folder that is not
    there."""
    if build.node or build.python:
        add(shop.tree, TABLES_SCRIPT)
    if build.node:
        beside = shop.inside(build.node.dir, "build.node.dir")
        for name in (LISTEN_MODULE, ORIGIN_MODULE, KIT_ENV_MODULE):
            add(beside, name)
    if build.python:
        for place in dict.fromkeys((build.python.dir, ".")):  # dependencies may lie in a folder of their own
            add(shop.inside(place, "build.python.dir"), LISTEN_SCRIPT)


def add(folder: Path, name: str) -> None:
    """Write `name` (one of `_SOURCES`) into `folder` of a fresh copy, before anything of the
    repository has run in it."""
    file = folder / name
    for path, is_ours in ((file.parent, stat.S_ISDIR), (file, lambda mode: False)):
        with contextlib.suppress(FileNotFoundError):
            if not is_ours(path.lstat().st_mode):
                path.unlink()
    file.parent.mkdir(exist_ok=True)
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(fd, "wb") as out:
        out.write(Path(__file__).with_name(_SOURCES[name]).read_bytes())


def digest() -> str:
    """A digest of these files: a build with others is another build."""
    sha = hashlib.sha256()
    for name in sorted(_SOURCES.values()):
        sha.update(Path(__file__).with_name(name).read_bytes())
    return sha.hexdigest()
