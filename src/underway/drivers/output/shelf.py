"""The lines and errors of one app: a row of files, the newest of which is written to."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from underway.drivers.output.cases import Came, Cases
from underway.drivers.output.follower import Follower, Found, told_rows
from underway.drivers.output.reading import Place, read_on
from underway.drivers.output.segment import HitRow, LineRow, Segment, error_of
from underway.errors.read import texts_in
from underway.output.read import LINE_END
from underway.terms.output import LEVELS, Hit, Taken, Writer

_log = logging.getLogger(__name__)
SEGMENT_BYTES = 32 << 20
SEGMENTS = 8
"""An app's lines take at most so many files of so many bytes: 256 MB. The oldest file goes first."""
KEPT_S = 7 * 86_400.0
PRUNE_EVERY_S = 3600.0
SEGMENT_S = 86_400.0
"""A file holds the lines of a day at most, so that what is too old can go."""
_READ_BYTES = 1 << 18
_TURN_BYTES = 1 << 20
"""So much of one app in one turn: it is one transaction."""
_STILL_NS = 2_000_000_000
"""A last line without an end counts as one after so long."""
_SILENT_S = 1.0
_INSTANCE = re.compile(r"(?P<process>[A-Za-z0-9_-]+)\.(?P<number>\d+)\.[ab]")
_RELEASE = re.compile(r"[0-9a-z]{8,32}")
_NAME = "%08d.lines"
_CUT = "… some output is missing here: it came faster than it could be kept …"


class Shelf:
    """Not for several threads at once; who only reads opens the files anew."""

    def __init__(self, folder: Path, logs: Path, segment_bytes: int = SEGMENT_BYTES, segments: int = SEGMENTS) -> None:
        self._folder, self._logs = folder, logs
        self._segment_bytes, self._segments = segment_bytes, segments
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._is_failing = False
        self._pruned_at = 0.0
        self._newest = self._opened()
        self._cases = self._open_cases()
        self._followers = {file: Follower(kept) for file, kept in self._newest.places().items()}
        self._heard: dict[str, float] = {}
        self._remember()
        self._count_left_over()

    def take(self, writers: Sequence[Writer], now: float) -> Taken:
        """See the port."""
        found, is_more, touched = Found(), False, set[str]()
        next_id, left = self._newest.last_line + 1, _TURN_BYTES
        writer_of = {writer.file: writer for writer in writers}
        if now - self._pruned_at > PRUNE_EVERY_S:
            self._pruned_at = now
            self.prune(now)
        changed = self._changed()
        if not changed and not any(each.is_waiting() for each in self._followers.values()):
            return Taken()
        try:
            with self._newest.written():
                for path, status in changed:
                    if left <= 0:
                        is_more = True
                        break
                    next_id, size = self._read(path, status, writer_of.get(path.name), now, next_id, found)
                    left -= size
                    is_more = is_more or size >= _READ_BYTES
                    if size:
                        touched.add(path.name)
                        self._heard[path.name] = now
                self._hear_silence(now, touched, found)
                hits = list(told_rows(found.hits, self._newest.last_hit + 1))
                if not (found.lines or hits or touched):
                    return Taken(is_more=is_more)
                places = {file: self._followers[file].kept() for file in touched}
                self._newest.put(found.lines, hits, places, now)
        except (sqlite3.Error, OSError) as error:
            self._failed(error)
            return Taken()
        self._is_failing = False
        self._newest.last_line = next_id - 1
        if hits:
            self._newest.last_hit = hits[-1].id
            self._count(hits)
        self._newest.first_at = self._newest.first_at or now
        if self._newest.size_bytes() >= self._segment_bytes or now - self._newest.first_at > SEGMENT_S:
            self._turn_over(now)
        names = self._names()
        return Taken(
            lines=len(found.lines),
            hits=tuple(
                Hit("", error.fingerprint, names[source][2] if source in names else "", at)
                for at, source, _, _, error in found.hits
            ),
            is_more=is_more,
        )

    def touched(self, fingerprint: str, people: Sequence[int]) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._cases.touched(fingerprint, people)

    def prune(self, now: float) -> None:
        """Let go of what is too old."""
        files = self.files(self._folder)
        for path in files[:-1]:
            if now - path.stat().st_mtime > KEPT_S:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        self._newest.close()
        self._cases.close()

    @staticmethod
    def files(folder: Path) -> list[Path]:
        """The files of lines, oldest first."""
        return sorted(folder.glob("*.lines"))

    @staticmethod
    def cases(folder: Path) -> Path:
        return folder / "errors.db"

    # Reading -------------------------------------------------------------------------------------------------

    def _changed(self) -> list[tuple[Path, os.stat_result]]:
        """The logs that were written to since they were read to their ends."""
        found = []
        with contextlib.suppress(FileNotFoundError), os.scandir(self._logs) as entries:
            for entry in entries:
                if not entry.name.endswith(".log") or not entry.is_file(follow_symlinks=False):
                    continue
                status = entry.stat(follow_symlinks=False)
                follower = self._followers.get(entry.name)
                if follower is None or follower.seen != (status.st_size, status.st_mtime_ns):
                    found.append((Path(entry.path), status))
        return sorted(found, key=lambda it: it[1].st_mtime_ns)

    def _read(
        self, path: Path, status: os.stat_result, writer: Writer | None, now: float, next_id: int, found: Found
    ) -> tuple[int, int]:
        """Take the next piece of a log. Returns the next free id and how many bytes that were."""
        follower = self._followers.setdefault(path.name, Follower())
        read = read_on(path, follower.place, _READ_BYTES)
        text, place, is_end = read.text, read.place, len(read.text) < _READ_BYTES
        is_still = now * 1e9 - status.st_mtime_ns > _STILL_NS
        taken = text[: text.rfind(b"\n") + 1]
        if (is_end and is_still) or not (is_end or taken):  # a last line without an end, or one without any
            taken = text
        at = min(now, status.st_mtime) if is_still else now
        process, number, release = self._who(path, follower.release)
        if read.is_cut:
            source = self._newest.source(process, number, release)
            found.lines.append(LineRow(next_id, at, source, _WARNING, "", _CUT, ""))
            next_id += 1
        before = 0
        if writer is not None and writer.release != release:
            before = min(max(0, writer.begins - place.at), len(taken))
        if before:
            source = self._newest.source(process, number, release)
            next_id = follower.take(taken[:before], source, at, next_id, found)
        if before < len(taken):
            if writer is not None and writer.release != release:
                if follower.is_waiting():
                    follower.silent(self._newest.source(process, number, release), at, found)
                release = writer.release
            source = self._newest.source(process, number, release)
            next_id = follower.take(taken[before:], source, at, next_id, found)
        follower.release = release
        follower.place = Place(place.inode, place.at + len(taken), place.part)
        if is_end and len(taken) == len(text):
            follower.seen = (status.st_size, status.st_mtime_ns)
        return next_id, len(taken)

    def _hear_silence(self, now: float, touched: set[str], found: Found) -> None:
        for file, follower in self._followers.items():
            if file not in touched and follower.is_waiting() and now - self._heard.get(file, 0.0) >= _SILENT_S:
                process, number, release = self._who(Path(file), follower.release)
                follower.silent(self._newest.source(process, number, release), now, found)
                touched.add(file)

    @staticmethod
    def _who(path: Path, release: str) -> tuple[str, int, str]:
        if named := _INSTANCE.fullmatch(path.stem):
            return named["process"], int(named["number"]), release
        process, _, last = path.stem.partition("-")  # a task: migrate-RELEASE, build-KEY
        return process, 0, last if process != "build" and _RELEASE.fullmatch(last) else ""

    def _remember(self) -> None:
        for file, follower in self._followers.items():
            if follower.back_bytes:
                back = follower.back_bytes
                read = read_on(self._logs / file, follower.place, back, back)
                follower.remember(read.text[:back])

    # Keeping -------------------------------------------------------------------------------------------------

    def _opened(self) -> Segment:
        files = self.files(self._folder)
        for path in reversed(files):
            try:
                return Segment(path)
            except sqlite3.Error as error:
                _log.error("%s cannot be read (%s); lines begin anew", path, error)
                for suffix in ("", "-wal", "-shm"):
                    with contextlib.suppress(FileNotFoundError):
                        os.replace(f"{path}{suffix}", f"{path}{suffix}.damaged")
        return Segment(self._folder / (_NAME % 1))

    def _open_cases(self) -> Cases:
        path = self.cases(self._folder)
        try:
            return Cases(path)
        except sqlite3.Error as error:
            _log.error("%s cannot be read (%s); errors are counted anew", path, error)
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    os.replace(f"{path}{suffix}", f"{path}{suffix}.damaged")
            return Cases(path)

    def _turn_over(self, now: float) -> None:
        """Begin the next file, with everything that reading on needs; then let go of the oldest."""
        former = self._newest
        files = self.files(self._folder)
        number = int(files[-1].stem) + 1 if files else 1
        self._followers = {file: it for file, it in self._followers.items() if (self._logs / file).exists()}
        try:
            fresh = Segment(self._folder / (_NAME % number))
            fresh.last_line, fresh.last_hit = former.last_line, former.last_hit
            with fresh.written():
                fresh.put((), (), {file: it.kept() for file, it in self._followers.items()}, now)
        except (sqlite3.Error, OSError) as error:
            self._failed(error)
            return
        fresh.first_at = now
        former.finish()
        self._newest = fresh
        files = self.files(self._folder)
        for path in files[: max(0, len(files) - self._segments)]:
            path.unlink(missing_ok=True)
        self.prune(now)

    def _count(self, hits: Sequence[HitRow]) -> None:
        try:
            names = self._names()
            self._cases.put([self._came(hit, names) for hit in hits])
        except sqlite3.Error as error:  # the next agent counts them from the lines' file
            self._failed(error)

    def _count_left_over(self) -> None:
        """Errors that an agent noted and did not come to count."""
        rows = self._newest.db.execute("SELECT * FROM hits WHERE id > ? ORDER BY id", [self._cases.taken])
        self._count([HitRow(*row) for row in rows.fetchall()])
        self._newest.last_hit = max(self._newest.last_hit, self._cases.taken)

    def _came(self, hit: HitRow, names: dict[int, tuple[str, int, str]]) -> Came:
        process, _, release = names[hit.source]
        rows = self._newest.db.execute(
            "SELECT text, fields FROM lines WHERE id BETWEEN ? AND ? AND source = ? ORDER BY id LIMIT 200",
            [hit.first, hit.last, hit.source],
        )
        story = "\n".join(_told(text, fields) for text, fields in rows)
        return Came(hit.id, hit.at, error_of(hit.error), process, release, story)

    def _names(self) -> dict[int, tuple[str, int, str]]:
        return {
            id_: (process, number, release)
            for id_, process, number, release in self._newest.db.execute(
                "SELECT id, process, number, release FROM sources"
            )
        }

    def _failed(self, error: Exception) -> None:
        """Read again from what is written down, later."""
        if not self._is_failing:
            _log.error("output of %s cannot be kept for now: %s", self._folder.parent.name, error)
        self._is_failing = True
        with contextlib.suppress(sqlite3.Error):
            self._followers = {file: Follower(kept) for file, kept in self._newest.places().items()}
            self._remember()


_WARNING = LEVELS.index("warning")


def _told(text: str, fields: str) -> str:
    """A line as a person reads it: texts of several lines in lines."""
    told = [text.replace(LINE_END, "\n")]
    if "\\n" in fields:
        with contextlib.suppress(msgspec.DecodeError, RecursionError):  # what was cut is no JSON any more
            told += [each for each in texts_in(msgspec.json.decode(fields)) if "\n" in each]
    return "\n".join(told)
