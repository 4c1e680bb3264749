"""A vault as one JSON file per app: 0600, replaced whole, one writer at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import string
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from underway.drivers.private_file import write_private
from underway.terms.home import Home
from underway.terms.problem import Failure, Problem
from underway.terms.release import require_app_name
from underway.terms.secret import Secret

_FORMAT = 1
_DJANGO_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789!@#$%^&*(-_=+)"
"""That of `get_random_secret_key` in django/core/management/utils.py; 50 characters of it are 282 bits."""


def _characters(alphabet: str, count: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(count))


_KINDS: Mapping[str, Callable[[], str]] = {
    "hex": lambda: secrets.token_hex(32),
    "urlsafe": lambda: secrets.token_urlsafe(32),
    "password": lambda: _characters(string.ascii_letters + string.digits, 24),
    "django": lambda: _characters(_DJANGO_ALPHABET, 50),
}


class _Kept(msgspec.Struct, frozen=True):
    version: int
    values: dict[str, str]


class FileVault:
    """Driver of `Vault`. Many processes may use one home's vault at the same time."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def values(self, app: str) -> Mapping[str, Secret]:
        """All values of `app`. Raises `Failure` (`vault.unreadable`): a vault is never silently begun anew."""
        return {name: Secret(value) for name, value in self._read(self._path(app)).items()}

    def ensure(self, app: str, name: str, kind: str) -> Secret:
        """The value of `name`; made the first time, and the same for everybody who asks at that moment."""
        make = _KINDS.get(kind)
        if make is None:
            raise ValueError(f"no kind of secret is called {kind!r}; there are {', '.join(_KINDS)}")
        path = self._path(app)
        kept = self._read(path).get(name)
        if kept is None:
            with self._locked(path):
                values = self._read(path)
                kept = values.get(name)
                if kept is None:
                    kept = make()
                    self._write(path, {**values, name: kept})
        return Secret(kept)

    def put(self, app: str, name: str, value: Secret) -> None:
        path = self._path(app)
        with self._locked(path):
            self._write(path, {**self._read(path), name: value.reveal()})

    def drop(self, app: str) -> None:
        path = self._path(app)
        if path.parent.is_dir():
            with self._locked(path):
                path.unlink(missing_ok=True)
                self._lock_path(path).unlink(missing_ok=True)

    def _path(self, app: str) -> Path:
        return self._home.vault(require_app_name(app))

    @staticmethod
    def _lock_path(path: Path) -> Path:
        return path.with_name(f".{path.name}.lock")

    @staticmethod
    def _read(path: Path) -> dict[str, str]:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise _unreadable(path, error.strerror or "it cannot be read") from error
        try:
            kept = msgspec.json.decode(content, type=_Kept)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise _unreadable(path, "it is not the JSON that was written there") from None  # the error quotes values
        if kept.version != _FORMAT:
            raise _unreadable(path, f"it is of format {kept.version}, and this Underway reads format {_FORMAT}")
        return kept.values

    @staticmethod
    def _write(path: Path, values: dict[str, str]) -> None:
        try:
            write_private(path, msgspec.json.format(msgspec.json.encode(_Kept(_FORMAT, values))).decode() + "\n")
        except OSError as error:
            raise Failure(
                Problem(
                    code="vault.unwritable",
                    where=str(path),
                    why=f"the new secret cannot be kept: {error.strerror}",
                    remedy="make room on the disk or make the folder writable; what was kept before is unharmed",
                    command=f"df -h {path.parent}",
                )
            ) from error

    @contextlib.contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        """Hold the vault's lock (flock(2)): it ends with its holder, however that ends."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self._lock_path(path)
        while True:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if _is_still(descriptor, lock):  # else `drop` removed it while we waited
                    yield
                    return
            finally:
                os.close(descriptor)


def _is_still(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _unreadable(path: Path, why: str) -> Failure:
    return Failure(
        Problem(
            code="vault.unreadable",
            where=str(path),
            why=f"the app's secrets cannot be read: {why}",
            remedy="put the file back from a backup; without it the app's database password and keys are lost",
            command=f"ls -l {path}",
        )
    )
