"""Backups as folders of the home: `apps/APP/backups/ID/`, with the manifest `backup.json` beside the parts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from underway.drivers.backups.stream import sha256_of, unwritable
from underway.drivers.whole_file import sync_folder, write_whole
from underway.ports.copies import PartFile
from underway.terms.backup import BACKUP_FORMAT, Backup, Kept, Proof, Reason, is_backup_id, no_such_backup
from underway.terms.home import Home
from underway.terms.problem import Failure, Problem
from underway.terms.release import require_app_name
from underway.terms.secret import Secret

MANIFEST = "backup.json"
NOTES = "notes.json"
_PARTIAL = ".partial-"


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about a backup since it was made."""

    proof: Proof | None = None
    damage: str = ""
    copies: tuple[str, ...] = ()


class BackupFolders:
    """Driver of `BackupStore`.

    The parts are written into a hidden folder, which gets its name once the manifest is in it and all of it is on
    the disk: what has no manifest is no backup.
    """

    def __init__(self, home: Home) -> None:
        self._home = home

    def begin(self, app: str, backup_id: str) -> str:
        folder = self._partial(app, backup_id)
        try:
            self._folder(app).mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise Failure(unwritable(folder, error)) from error
        return str(folder)

    def finish(self, backup: Backup) -> None:
        partial, folder = self._partial(backup.app, backup.id), self._folder(backup.app) / backup.id
        try:
            write_whole(partial / MANIFEST, msgspec.json.format(msgspec.json.encode(backup), indent=2))
            partial.rename(folder)
            sync_folder(folder.parent)
        except OSError as error:
            raise Failure(unwritable(folder, error)) from error

    def take_in(self, app: str, backup_id: str) -> None:
        """List a backup whose folder was filled from elsewhere, manifest and all.

        Raises `Failure` (`backup.damaged`) when it is not whole."""
        partial = self._partial(app, backup_id)
        try:
            backup = msgspec.json.decode((partial / MANIFEST).read_bytes(), type=Backup)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            raise Failure(_not_whole(app, backup_id, "its manifest cannot be read")) from None
        if backup.id != backup_id or backup.app != app:
            raise Failure(_not_whole(app, backup_id, "its manifest is of another backup"))
        if why := _missing(partial, backup):
            raise Failure(_not_whole(app, backup_id, why))
        partial.rename(self._folder(app) / backup_id)
        sync_folder(self._folder(app))

    def abandon(self, app: str, backup_id: str = "") -> int:
        left = [self._partial(app, backup_id)] if backup_id else list(self._folder(app).glob(f"{_PARTIAL}*"))
        for folder in left:
            shutil.rmtree(folder, ignore_errors=True)
        return len(left)

    def all(self, app: str) -> tuple[Kept, ...]:
        try:
            names = [entry.name for entry in os.scandir(self._folder(app)) if is_backup_id(entry.name)]
        except FileNotFoundError:
            return ()
        return tuple(self._kept(app, name) for name in sorted(names, reverse=True))

    def file(self, app: str, backup_id: str, file: str, identity: Secret | None = None) -> PartFile:
        kept = self._require(app, backup_id)
        part = next(part for part in kept.backup.parts if part.file == file)
        return PartFile(str(self._folder(app) / backup_id / file), part, identity)

    async def damage(self, app: str, backup_id: str) -> str:
        kept = self._require(app, backup_id)
        if not kept.backup.parts:
            return kept.damage or "it has no parts"
        for part in kept.backup.parts:
            path = self._folder(app) / backup_id / part.file
            try:
                size, digest = await sha256_of(path)
            except FileNotFoundError:
                return f"{part.file} is not there"
            except OSError as error:
                return f"{part.file} cannot be read: {error.strerror}"
            if size == 0:
                return f"{part.file} is empty"
            if size != part.size_bytes:
                return f"{part.file} has {size:,} bytes and should have {part.size_bytes:,}"
            if digest != part.sha256:
                return f"{part.file} was changed: its checksum is not that of the manifest"
        return ""

    def note(self, app: str, backup_id: str, *, proof: Proof | None = None, damage: str = "", copy: str = "") -> None:
        folder = self._folder(app) / backup_id
        if not folder.is_dir():
            return
        notes = _notes(folder)
        copies = notes.copies if not copy or copy in notes.copies else (*notes.copies, copy)
        changed = Notes(proof=proof or notes.proof, damage=damage or notes.damage, copies=copies)
        try:
            write_whole(folder / NOTES, msgspec.json.encode(changed))
        except OSError as error:
            raise Failure(unwritable(folder, error)) from error

    def remove(self, app: str, backup_id: str) -> int:
        folder = self._folder(app) / backup_id
        if not is_backup_id(backup_id) or not folder.is_dir():
            return 0
        freed = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
        doomed = self._partial(app, backup_id)  # hidden first: a crash leaves no half of a backup in the list
        shutil.rmtree(doomed, ignore_errors=True)
        folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
        return freed

    def _kept(self, app: str, name: str) -> Kept:
        folder = self._folder(app) / name
        notes = _notes(folder)
        try:
            backup = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Backup)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not what was written"
            unknown = Backup(id=name, app=app, reason=Reason.ASKED, at=0.0, took_s=0.0, parts=())
            return Kept(backup=unknown, damage=f"its manifest cannot be read: {why}")
        damage = notes.damage
        if backup.id != name or backup.app != app or backup.format > BACKUP_FORMAT:
            damage = damage or "its manifest is of another backup, or of a newer Underway"
        damage = damage or _missing(folder, backup)
        return Kept(backup=backup, proof=notes.proof, damage=damage, copies=notes.copies)

    def _require(self, app: str, backup_id: str) -> Kept:
        if is_backup_id(backup_id) and (self._folder(app) / backup_id).is_dir():
            return self._kept(app, backup_id)
        raise Failure(no_such_backup(app, backup_id))

    def _folder(self, app: str) -> Path:
        return self._home.backups(require_app_name(app))

    def _partial(self, app: str, backup_id: str) -> Path:
        return self._folder(app) / f"{_PARTIAL}{backup_id}"


def _not_whole(app: str, backup_id: str, why: str) -> Problem:
    return Problem(
        code="backup.damaged",
        where=f"{app} {backup_id}",
        why=f"what was fetched is no whole backup: {why}",
        remedy="fetch another one",
        command=f"underway db backups {app}",
    )


def _notes(folder: Path) -> Notes:
    try:
        return msgspec.json.decode((folder / NOTES).read_bytes(), type=Notes)
    except (OSError, msgspec.DecodeError):
        return Notes()


def _missing(folder: Path, backup: Backup) -> str:
    """What can be told without reading the files: one that is gone, empty or of another size."""
    for part in backup.parts:
        try:
            size = (folder / part.file).stat().st_size
        except OSError:
            return f"{part.file} is not there"
        if size != part.size_bytes:
            return f"{part.file} is empty" if not size else f"{part.file} is cut short or was changed"
    return "" if backup.parts else "it has no parts"
