"""A vault as one age file per app and layer: 0600, replaced whole, one writer at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from underway.drivers.vault.generated import KINDS, generate, public_half
from underway.drivers.vault.keys import Keys, read_recipients
from underway.drivers.vault.sealed import read_first_format, seal, unreadable, unseal
from underway.drivers.whole_file import sync_folder, write_whole
from underway.ports.vault import VaultChange
from underway.terms.environment import OWN, Kept, require_environment
from underway.terms.home import Home
from underway.terms.problem import Failure, Problem
from underway.terms.release import require_app_name
from underway.terms.secret import Secret

_ENDING = ".age"
_HANDED = "handed-"
_HANDED_LIFE_S = 60.0


class AgeVault:
    """Driver of `Vault`. Many processes may use one home's vault at the same time."""

    def __init__(self, home: Home, keys: Keys | None = None) -> None:
        self._home = home
        self._keys = keys or Keys(home)

    def values(self, app: str, layer: str = OWN) -> Mapping[str, Secret]:
        return {name: kept.value for name, kept in self.kept(app, layer).items()}

    def kept(self, app: str, layer: str) -> Mapping[str, Kept]:
        return self._read(app, layer)

    def layers(self, app: str) -> tuple[str, ...]:
        folder = self._folder(app)
        found = (path.name.removesuffix(_ENDING) for path in folder.glob(f"[!.]*{_ENDING}"))
        return tuple(sorted(name for name in found if name != OWN))

    def ensure(self, app: str, name: str, kind: str) -> Secret:
        if kind not in KINDS:
            generate(kind)
        kept = self._read(app, OWN).get(name)
        if kept is None:
            with self._locked(app):
                values = self._read(app, OWN)
                kept = values.get(name)
                if kept is None:
                    kept = Kept(value=Secret(generate(kind)), set_at=time.time(), set_by="underway")
                    self._write(app, OWN, {**values, name: kept})
        return kept.value

    def put(self, app: str, name: str, value: Secret) -> None:
        self.change(app, OWN, VaultChange(put={name: Kept(value=value)}))

    def change(self, app: str, layer: str, change: VaultChange) -> None:
        with self._locked(app):
            values = {**self._read(app, layer), **change.put}
            self._write(app, layer, {name: it for name, it in values.items() if name not in change.remove})

    def generated(self, kind: str) -> Secret:
        return Secret(generate(kind))

    def public_half(self, app: str, name: str) -> str:
        return public_half(self._read(app, OWN)[name].value.reveal())

    def file_kept(self, content: str, where: str) -> Mapping[str, Kept]:
        return unseal(content.encode(errors="surrogateescape"), self._keys.identities(), where)

    def change_file(self, path: str, recipients: str, change: VaultChange) -> None:
        file = Path(path)
        who = [*read_recipients(recipients.splitlines(), f"{file.parent}/recipients.txt"), self._own_recipient()]
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with locked_folder(file.parent):
                content = _content(file)
                values = dict(unseal(content, self._keys.identities(), path)) if content is not None else {}
                values |= change.put
                kept = {name: it for name, it in values.items() if name not in change.remove}
                owner = file.parent.stat()
                write_whole(file, seal(kept, who, armored=True), mode=0o644, owner=(owner.st_uid, owner.st_gid))
        except OSError as error:
            raise _unwritable(path, error) from error

    def hand_over(self, values: Mapping[str, str]) -> str:
        folder = self._home.run
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in folder.glob(f"{_HANDED}*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _HANDED_LIFE_S:
                    path.unlink()
        path = folder / f"{_HANDED}{secrets.token_hex(8)}"
        write_whole(path, msgspec.json.encode(dict(values)), mode=0o400)
        return str(path)

    def recipient(self) -> str:
        return self._keys.recipient()

    def _own_recipient(self) -> Any:
        return self._keys.identity().to_public()

    def drop(self, app: str) -> None:
        folder = self._folder(app)
        if folder.is_dir() or self._first(app).exists():
            with self._locked(app):
                self._first(app).unlink(missing_ok=True)
                shutil.rmtree(folder)

    def key(self) -> bytes:
        return self._keys.key()

    def _folder(self, app: str) -> Path:
        return self._home.vault(require_app_name(app))

    def _path(self, app: str, layer: str) -> Path:
        return self._folder(app) / f"{layer if layer == OWN else require_environment(layer)}{_ENDING}"

    def _first(self, app: str) -> Path:
        """Where format 1 kept the own values."""
        return self._home.app(require_app_name(app)) / "vault.json"

    def _read(self, app: str, layer: str) -> dict[str, Kept]:
        """A vault that cannot be read is never silently begun anew."""
        path = self._path(app, layer)
        content = _content(path)
        if content is not None:
            return unseal(content, self._keys.identities(), str(path))
        first = _content(self._first(app)) if layer == OWN else None
        return read_first_format(first, str(self._first(app))) if first is not None else {}

    def _write(self, app: str, layer: str, values: Mapping[str, Kept]) -> None:
        path = self._path(app, layer)
        content = seal(values, [self._own_recipient()])
        try:
            write_whole(path, content)
            if layer == OWN and self._first(app).exists():
                self._first(app).unlink()
                sync_folder(path.parent.parent)
        except OSError as error:
            raise _unwritable(str(path), error) from error

    @contextlib.contextmanager
    def _locked(self, app: str) -> Iterator[None]:
        """Hold the lock of the app's vault (flock(2)): it ends with its holder, however that ends."""
        folder = self._folder(app)
        while True:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = folder / ".lock"
            try:
                descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            except FileNotFoundError:  # `drop` removed the folder in between
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if _is_still(descriptor, lock):  # else `drop` removed it while we waited
                    yield
                    return
            finally:
                os.close(descriptor)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(str(path), error.strerror or "it cannot be read") from error


def _unwritable(path: str, error: OSError) -> Failure:
    return Failure(
        Problem(
            code="vault.unwritable",
            where=path,
            why=f"the new value cannot be kept: {error.strerror}",
            remedy="make room on the disk or make the folder writable; what was kept before is unharmed",
            command=f"df -h {Path(path).parent}",
        )
    )


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder itself, where no file of ours may lie about (flock(2))."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_still(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
