"""One JSON file per app: fingerprints and the places' own digests, no value; 0600."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from underway.drivers.whole_file import write_whole
from underway.ports.place_memory import Remembered
from underway.terms.home import Home
from underway.terms.place import Memo
from underway.terms.problem import Failure, Problem
from underway.terms.release import require_app_name


class _Kept(msgspec.Struct):
    key: str
    places: dict[str, dict[str, Memo]]


class FilePlaceMemory:
    """Driver of `PlaceMemory`. Its key is made with the file, so a copy of it tells nothing without the values."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def load(self, app: str, environment: str, place: str) -> Remembered:
        kept = self._read(self._path(app))
        return Remembered(bytes.fromhex(kept.key), dict(kept.places.get(_of(environment, place), {})))

    def keep(self, app: str, environment: str, place: str, memos: Mapping[str, Memo], gone: frozenset[str]) -> None:
        path = self._path(app)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX)
                kept = self._read(path)
                before = kept.places.get(_of(environment, place), {})
                kept.places[_of(environment, place)] = {
                    name: memo for name, memo in {**before, **memos}.items() if name not in gone
                }
                write_whole(path, msgspec.json.format(msgspec.json.encode(kept)))
            finally:
                os.close(folder)
        except OSError as error:
            raise _failure(path, f"it cannot be written: {error.strerror}") from error

    def _path(self, app: str) -> Path:
        return self._home.app(require_app_name(app)) / "places.json"

    def _read(self, path: Path) -> _Kept:
        try:
            return msgspec.json.decode(path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            kept = _Kept(secrets.token_hex(32), {})
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_whole(path, msgspec.json.encode(kept))  # so that the key is the same from the first look on
            except OSError as error:
                raise _failure(path, f"it cannot be written: {error.strerror}") from error
            return kept
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise _failure(path, "it is not the JSON that was written there") from None
        except OSError as error:
            raise _failure(path, error.strerror or "it cannot be read") from error


def _of(environment: str, place: str) -> str:
    return f"{environment} {place}"


def _failure(path: Path, why: str) -> Failure:
    remedy = "remove it: what was pushed is then unknown at places that give no value back, until the next push"
    return Failure(Problem(code="place.memory", where=str(path), why=why, remedy=remedy, command=f"rm {path}"))
