"""The module beside a Node server that its command may load, so that it listens where it is told."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from underway.manifest.model import LISTEN_MODULE


def add(folder: Path) -> None:
    """Write `LISTEN_MODULE` into `folder` of a fresh copy, before anything of the repository has run in it."""
    module = folder / LISTEN_MODULE
    for path, is_ours in ((module.parent, stat.S_ISDIR), (module, lambda mode: False)):
        with contextlib.suppress(FileNotFoundError):
            if not is_ours(path.lstat().st_mode):
                path.unlink()
    module.parent.mkdir(exist_ok=True)
    fd = os.open(module, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(fd, "wb") as file:
        file.write(Path(__file__).with_name("listen.cjs").read_bytes())
