"""Finished builds on disk. A build is finished when its marker says so, and the marker is written last."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from underway.drivers.builds.static_files import drain_pool
from underway.drivers.whole_file import sync_folder, write_whole
from underway.terms.home import Home
from underway.terms.release import Build, require_app_name

_MARKER = "complete"
_ASIDE = ".gone-"
_KEY = re.compile(r"[0-9a-f]{12,64}")
_LOG_AGE_S = 14 * 86_400.0
_LOGS_KEPT = 20


class Store:
    """The builds below `home`. One process at a time uses it (the home's agent)."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def folder(self, app: str, key: str) -> Path:
        """Where the build with `key` is, or will be. Raises `Refusal` (`app.name`), `ValueError` for no key."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no build key")
        return self._home.builds(require_app_name(app)) / key

    def kept_log(self, app: str, key: str) -> Path:
        """Where the log of a failed build goes."""
        return self._home.logs(app) / f"build-{key}.log"

    def assets(self, app: str) -> Path:
        """The pool of hashed assets, of this release and of older ones."""
        return self._home.app(app) / "assets"

    def find(self, app: str, key: str) -> Build | None:
        """The finished build, None when there is none, it is half made, or its interpreter is gone."""
        if not _KEY.fullmatch(key):
            return None
        return _finished(self.folder(app, key))

    def newest(self, app: str) -> Iterator[Build]:
        """Finished builds of `app`, the newest first."""
        folders = sorted(self._folders(app), key=_finished_at, reverse=True)
        return (build for folder in folders if (build := _finished(folder)) is not None)

    def fresh(self, app: str, key: str) -> Path:
        """A new empty folder for the build, whatever was there removed. Raises `OSError`."""
        folder = self.folder(app, key)
        for above in (self._home.root, self._home.app(app), folder.parent, self._home.logs(app), self._home.cache):
            above.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove(folder)
        folder.mkdir(mode=0o700)
        return folder

    def temporary(self, key: str) -> Path:
        """A new TMPDIR for a build. Its path is short: programs bind sockets in it (108 bytes, unix(7))."""
        run = self._home.run
        run.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = os.lstat(run)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "it belongs to somebody else", str(run))
        folder = self._temporary(key)
        remove(folder)
        folder.mkdir(mode=0o700)
        return folder

    def forget_temporary(self, key: str) -> None:
        """Remove a build's TMPDIR."""
        remove(self._temporary(key))

    def _temporary(self, key: str) -> Path:
        return self._home.run / f"b-{key[:8]}"

    def finish(self, folder: Path, build: Build) -> None:
        """Write the marker: from here on the build exists, also after a power cut."""
        write_whole(folder / _MARKER, msgspec.json.encode(build))
        sync_folder(folder.parent)

    def keep_log(self, app: str, key: str, log: Path) -> None:
        """Move the log of a failed build to where it stays."""
        with contextlib.suppress(OSError):
            self._home.logs(app).mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.move(log, self.kept_log(app, key))

    def discard(self, app: str, key: str) -> int:
        """Remove a build and what only it had in the pool; return the bytes freed."""
        if not _KEY.fullmatch(key):
            return 0
        freed = remove(self.folder(app, key))
        return freed + self._drained(app)

    def prune(self, app: str, keep: Collection[str], under_way: Collection[str]) -> int:
        """Set aside builds whose keys are not in `keep` and half-made ones that are not `under_way`, for `clear`;
        remove what only they had in the pool, and logs of failed builds that are older than 14 days (at most 20 stay).
        Return the bytes that frees."""
        freed = 0
        for folder in self._folders(require_app_name(app)):
            is_wanted = folder.name in keep and (folder / _MARKER).exists()
            if folder.name not in under_way and not is_wanted:
                build = _finished(folder)
                freed += build.size_bytes if build else size_of(folder)
                (folder / _MARKER).unlink(missing_ok=True)
                aside = folder.with_name(f"{_ASIDE}{folder.name}")
                remove(aside)
                folder.rename(aside)
        return freed + self._drained(app) + self._prune_logs(app)

    def clear(self, app: str) -> None:
        """Remove what was set aside, now or before a crash. Raises `OSError`."""
        for aside in self._home.builds(app).glob(f"{_ASIDE}*"):
            remove(aside)

    def _drained(self, app: str) -> int:
        return drain_pool(self.assets(app), [folder / "static" for folder in self._folders(app)])

    def _prune_logs(self, app: str) -> int:
        freed = 0
        logs = sorted(self._home.logs(app).glob("build-*.log"), key=lambda log: log.stat().st_mtime, reverse=True)
        for at, log in enumerate(logs):
            status = log.stat()
            if at >= _LOGS_KEPT or time.time() - status.st_mtime > _LOG_AGE_S:
                freed += status.st_size
                log.unlink(missing_ok=True)
        return freed

    def _folders(self, app: str) -> list[Path]:
        try:
            entries = [entry for entry in os.scandir(self._home.builds(app)) if entry.is_dir()]
            return [Path(entry.path) for entry in entries if not entry.name.startswith(_ASIDE)]
        except FileNotFoundError:
            return []


def _finished(folder: Path) -> Build | None:
    try:
        build = msgspec.json.decode((folder / _MARKER).read_bytes(), type=Build)
    except (OSError, msgspec.MsgspecError):
        return None
    if build.key != folder.name or build.dir != str(folder / "tree") or not os.path.isdir(build.dir):
        return None
    if build.venv and not os.path.exists(f"{build.venv}/bin/python"):
        return None
    return build


def _finished_at(folder: Path) -> float:
    try:
        return os.stat(folder / _MARKER).st_mtime
    except OSError:
        return 0.0


def size_of(folder: Path) -> int:
    """Bytes on disk that only `folder` holds: files hard-linked from elsewhere (the package cache) do not count."""
    links: dict[tuple[int, int], tuple[int, int, int]] = {}
    total = 0
    for path in _walk(folder):
        status = os.lstat(path)
        if status.st_nlink == 1 or stat.S_ISDIR(status.st_mode):
            total += status.st_blocks * 512
        else:
            name = (status.st_dev, status.st_ino)
            seen = links.get(name, (0, 0, 0))[0]
            links[name] = (seen + 1, status.st_nlink, status.st_blocks * 512)
    return total + sum(size for seen, all_links, size in links.values() if seen == all_links)


def _walk(folder: Path) -> Iterator[str]:
    pending = [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as children:
            for child in children:
                yield child.path
                if child.is_dir(follow_symlinks=False):
                    pending.append(child.path)


def remove(folder: Path) -> int:
    """Remove `folder` with all it holds and return the bytes freed. A crash halfway leaves it without a marker."""
    if not os.path.lexists(folder):
        return 0
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink()
        return 0
    (folder / _MARKER).unlink(missing_ok=True)
    try:
        freed = size_of(folder)
    except OSError:
        freed = 0
    shutil.rmtree(folder, onerror=lambda act, path, _: _retry(act, path))
    return freed


def _retry(act: object, path: str) -> None:
    """A build may leave folders that cannot be written to; make them so and try again."""
    if not os.path.lexists(path):
        return
    parent = os.path.dirname(path)
    for each in (parent, path):
        if not os.path.islink(each):
            os.chmod(each, stat.S_IRWXU)
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)
