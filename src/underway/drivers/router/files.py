"""The small files that the proxy reads at every request, and how they are changed without a torn read."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from underway.drivers.router.share import NOBODY
from underway.terms.home import Home
from underway.terms.release import Slot

PRIVATE_DIR = 0o700
PRIVATE_FILE = 0o600
ON = "1"
OFF = "0"


def share_file(home: Home, app: str) -> Path:
    return home.route(app) / "share"


def maintenance_file(home: Home, app: str) -> Path:
    return home.route(app) / "maintenance"


def release_file(home: Home, app: str, slot: Slot) -> Path:
    return home.route(app) / slot.value / "release"


def candidate_file(home: Home, app: str) -> Path:
    """The slot of the release that is on its way, empty when none is."""
    return home.route(app) / "candidate"


def static_link(home: Home, app: str, slot: Slot) -> Path:
    return home.route(app) / slot.value / "static"


def asset_pool(home: Home, app: str) -> Path:
    """Hashed files of earlier releases, kept by the build side."""
    return home.app(app) / "assets"


def closing_file(home: Home) -> Path:
    """While it says `1`, every answer asks its client to close the connection."""
    return home.proxy / "closing"


def admin_socket(home: Home) -> Path:
    return home.run / "proxy-admin.sock"


def private_dir(path: Path) -> None:
    """Make `path` and its parents, `path` itself with mode 0700."""
    path.mkdir(parents=True, exist_ok=True, mode=PRIVATE_DIR)


def replace_text(path: Path, text: str) -> None:
    """Write `text` so that a reader sees the old content or the new, never a part; mode 0600."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def replace_link(link: Path, target: str) -> None:
    """Point `link` at `target` in one step, or remove it when `target` is empty."""
    if not target:
        link.unlink(missing_ok=True)
        return
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)


def read_text(path: Path) -> str:
    """The content of a small file, empty when there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return ""


def lay_out(home: Home, app: str) -> None:
    """Make what the proxy reads for `app`, keeping what is there (a missing file costs an error line per request)."""
    for slot in Slot:
        private_dir(home.route(app) / slot.value)
    for path, text in (
        (share_file(home, app), NOBODY),
        (maintenance_file(home, app), OFF),
        (candidate_file(home, app), ""),
        *((release_file(home, app, slot), "") for slot in Slot),
    ):
        if not path.exists():
            replace_text(path, text)
