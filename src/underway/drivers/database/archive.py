"""What a dump file can be, told before a server is bothered with it."""

from __future__ import annotations

import re
from pathlib import Path

from underway.drivers.backups.stream import gone
from underway.drivers.database.installation import Installation
from underway.ports.copies import PartFile
from underway.terms.problem import Failure, Problem

_MAGIC = b"PGDMP"
"""The first bytes of pg_dump's custom format (src/bin/pg_dump/pg_backup_archiver.c)."""
_AGE_MAGIC = b"age-encryption.org/"
_MISSING_EXTENSION = re.compile(
    r'extension "([^"]+)" is not available|could not open extension control file[^\n]*/([^/]+)\.control'
)
_CUT = ("end of file", "could not read", "did not find magic string", "corrupt", "could not uncompress", "data error")


def require_dump(file: PartFile) -> None:
    """Raise `Failure` (`backup.empty`, `backup.not-a-dump`, `backup.damaged`) unless the file begins as it should."""
    try:
        with open(file.path, "rb") as stream:
            head = stream.read(32)
    except FileNotFoundError:
        raise Failure(gone(file.path)) from None
    if not head:
        raise Failure(empty(file.path))
    if not head.startswith(_AGE_MAGIC if file.is_encrypted else _MAGIC):
        raise Failure(_no_dump(file, head))


def require_version(file: PartFile, installation: Installation) -> None:
    """Raise `Failure` (`backup.server-newer`) when the dump is of a newer server than the one it is to go to."""
    if file.part.server_major > installation.major:
        raise Failure(too_old(file, f"it was to be restored into PostgreSQL {installation.version}"))


def too_old(file: PartFile, where_to: str) -> Problem:
    return Problem(
        code="backup.server-newer",
        where=file.path,
        why=f"the backup was made by PostgreSQL {file.part.server_version}, and {where_to}: an older server cannot read"
        " what a newer one wrote",
        remedy=f"install PostgreSQL {file.part.server_major} or newer on this machine",
        command=f"apt-get install postgresql-{file.part.server_major}",
    )


def explain_restore(said: str, file: PartFile) -> Problem:
    """Why pg_restore failed, in words of ours where they help."""
    if missing := _MISSING_EXTENSION.search(said):
        return _lacking(missing[1] or missing[2], file)
    if "unsupported version" in said:
        return too_old(file, "this machine's PostgreSQL does not know its format")
    lines = said.strip().splitlines()
    telling = [line for line in lines if "error:" in line.lower()]
    why = [*telling[:1], *lines[-1:], "pg_restore failed and did not say why"][0].strip()
    if any(word in said for word in _CUT):
        return Problem(
            code="backup.damaged",
            where=file.path,
            why=f"the dump is damaged or cut short: {why}",
            remedy="use another backup, or fetch this one from where a copy of it is kept",
            command="underway db backups APP",
        )
    return Problem(
        code="postgres.restore",
        where=file.path,
        why=why,
        remedy="mend what it names and try again; the live database was not touched",
    )


def empty(path: str) -> Problem:
    return Problem(
        code="backup.empty",
        where=path,
        why="the file is empty",
        remedy="use another backup, or fetch this one from where a copy of it is kept",
        command="underway db backups APP",
    )


def _lacking(name: str, file: PartFile) -> Problem:
    return Problem(
        code="postgres.extension-missing",
        where=file.path,
        why=f"the backup needs the extension {name}, which this PostgreSQL does not have",
        remedy="install the package that has it for this version of PostgreSQL, then restore again",
        command="apt-get install postgresql-contrib",
    )


def _no_dump(file: PartFile, head: bytes) -> Problem:
    name = Path(file.path).name
    what = "it begins with other bytes"
    if head.startswith(_AGE_MAGIC):
        what = "it is encrypted with age, and its name does not end in .age"
    elif head.startswith(_MAGIC):
        what = "its name says that it is encrypted, and it is a plain dump"
    elif head.lstrip().startswith((b"--", b"SET", b"CREATE", b"BEGIN")):
        what = "it is SQL text; this reads the custom format of pg_dump (-Fc)"
    elif head.startswith(b"\x1f\x8b"):
        what = "it is a gzip file"
    elif head.startswith(b"SQLite format 3"):
        what = "it is an SQLite database"
    return Problem(
        code="backup.not-a-dump",
        where=file.path,
        why=f"{name} is not what its name says: {what}",
        remedy="give the file that pg_dump -Fc wrote, under the name that fits it",
    )
