"""Snapshots as files of the app, 0600."""

from __future__ import annotations

from pathlib import Path

from underway.drivers.whole_file import write_whole
from underway.terms.home import Home


class SnapshotFiles:
    """`Snapshots` in `home.app(app)/rollouts`, those of the home in `home.counts`."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def load(self, app: str, name: str) -> bytes | None:
        try:
            return self._path(app, name).read_bytes()
        except FileNotFoundError:
            return None

    def save(self, app: str, name: str, text: bytes) -> None:
        path = self._path(app, name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, text)

    def drop(self, app: str, name: str) -> None:
        self._path(app, name).unlink(missing_ok=True)

    def _path(self, app: str, name: str) -> Path:
        return (self._home.app(app) / "rollouts" if app else self._home.counts) / f"{name}.json"
