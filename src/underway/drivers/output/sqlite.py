"""`Output` in SQLite files below each app's folder."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path

from underway.drivers.output.cases import read_errors
from underway.drivers.output.segment import search
from underway.drivers.output.shelf import SEGMENT_BYTES, SEGMENTS, Shelf
from underway.output.query import wanted
from underway.terms.home import Home
from underway.terms.output import LineAsk, Taken, Writer
from underway.terms.seen_error import ErrorStory, FoundLine, SeenError

_log = logging.getLogger(__name__)


class SqliteOutput:
    """One shelf of files per app whose processes write."""

    def __init__(self, home: Home, segment_bytes: int = SEGMENT_BYTES, segments: int = SEGMENTS) -> None:
        self._home = home
        self._bounds = (segment_bytes, segments)
        self._shelves: dict[str, Shelf] = {}
        self._broken: set[str] = set()

    def take(self, app: str, writers: Sequence[Writer], now: float) -> Taken:
        shelf = self._shelf(app)
        if shelf is None:
            return Taken()
        taken = shelf.take(writers, now)
        return taken._replace(hits=tuple(hit._replace(app=app) for hit in taken.hits))

    def lines(self, app: str, ask: LineAsk) -> Sequence[FoundLine]:
        want, found = wanted(ask.query), list[FoundLine]()
        files = Shelf.files(self._folder(app))
        for path in files if ask.after is not None else reversed(files):
            try:
                found += search(path, ask, want, ask.most - len(found))
            except sqlite3.Error as error:  # it was dropped meanwhile, or is damaged
                _log.info("%s was not searched: %s", path, error)
            if len(found) >= ask.most:
                break
        return found

    def errors(self, app: str) -> Sequence[SeenError]:
        return [story.seen for story in self._stories(app)]

    def error(self, app: str, fingerprint: str) -> ErrorStory | None:
        return next(iter(self._stories(app, fingerprint)), None)

    def touched(self, app: str, fingerprint: str, people: Collection[int]) -> None:
        shelf = self._shelf(app)
        if shelf is not None:
            shelf.touched(fingerprint, tuple(people))

    def size_bytes(self, app: str) -> int:
        folder = self._folder(app)
        return sum(path.stat().st_size for path in folder.iterdir()) if folder.is_dir() else 0

    def close(self) -> None:
        for shelf in self._shelves.values():
            shelf.close()
        self._shelves.clear()

    def _stories(self, app: str, fingerprint: str = "") -> list[ErrorStory]:
        path = Shelf.cases(self._folder(app))
        if not path.exists():
            return []
        try:
            return read_errors(path, fingerprint)
        except sqlite3.Error as error:
            _log.error("%s cannot be read: %s", path, error)
            return []

    def _folder(self, app: str) -> Path:
        return self._home.output(app)

    def _shelf(self, app: str) -> Shelf | None:
        shelf = self._shelves.get(app)
        if shelf is None and self._home.logs(app).is_dir():
            try:
                shelf = self._shelves[app] = Shelf(self._folder(app), self._home.logs(app), *self._bounds)
            except (sqlite3.Error, OSError) as error:
                if app not in self._broken:
                    _log.error("output of %s cannot be kept: %s", app, error)
                self._broken.add(app)
        return shelf
