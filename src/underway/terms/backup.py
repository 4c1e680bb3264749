"""Backups: what was kept, whether it was ever restored, and what is to be thought of it."""

from __future__ import annotations

import re
from enum import Enum

import msgspec

from underway.terms.count import counted
from underway.terms.problem import Problem
from underway.terms.release import RELEASE_ID
from underway.terms.since import Instant

BACKUP_FORMAT = 1
SNAPSHOT_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
"""What a person may call a snapshot: it is a word on the command line."""


class Content(Enum):
    """What a part of a backup holds."""

    POSTGRES = "postgres"
    SQLITE = "sqlite"
    FILES = "files"


class Reason(Enum):
    """Why a backup was made."""

    ASKED = "asked"
    SCHEDULED = "scheduled"
    MIGRATION = "migration"
    RESTORE = "restore"
    RESET = "reset"
    SNAPSHOT = "snapshot"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a backup.

    `source` is the shared path it was taken from, empty for the app's PostgreSQL database. `file` is its name in the
    backup's folder, `size_bytes` and `sha256` are those of that file as it lies there (encrypted, when it is).
    `tables` counts the rows of each table (`schema.table`) in the very snapshot that was dumped; `schema` is a digest
    of the tables, columns, indexes and constraints (of plain files: of their names and contents); `schema_head` what
    the app's migrations call it ("alembic 3f2a91c"). `lsn` is the server's position in its log at that moment.
    `server_version` is "15.18".
    """

    content: Content
    file: str
    size_bytes: int
    sha256: str
    source: str = ""
    tables: dict[str, int] = {}
    schema: str = ""
    schema_head: str = ""
    server_version: str = ""
    extensions: tuple[str, ...] = ()
    lsn: str = ""
    instant: Instant | None = None
    """The moment that was dumped, for what is written later."""
    files: int = 0
    raw_bytes: int = 0
    """Size of what was copied, before compression: the database, the file, all files of the folder."""

    @property
    def rows(self) -> int:
        return sum(self.tables.values())

    @property
    def server_major(self) -> int:
        """The major version of the server it was taken from, 0 when it is of none."""
        number = self.server_version.partition(".")[0]
        return int(number) if number.isdigit() else 0


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest of a backup: a set of parts taken one after the other, listed only once all are whole on disk.

    `id` is a release-like id that sorts by time. `at` is when its data is from (seconds since the epoch): the moment
    the first part was begun. `release` was live then; `migrations` is the digest of the migrations that the database
    carried. `recipients` are the age keys that it is encrypted for, none when it is not. `name` is what a person
    called it (a snapshot).
    """

    id: str
    app: str
    reason: Reason
    at: float
    took_s: float
    parts: tuple[Part, ...]
    release: str = ""
    migrations: str = ""
    recipients: tuple[str, ...] = ()
    name: str = ""
    format: int = BACKUP_FORMAT

    @property
    def size_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts)

    @property
    def database(self) -> Part | None:
        """The part with the app's PostgreSQL database, None when there is none."""
        return next((part for part in self.parts if part.content is Content.POSTGRES), None)

    @property
    def server_version(self) -> str:
        return self.database.server_version if self.database else ""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A backup was restored and held what it should.

    `restore_s` is the measured time from beginning the restore until the app answered on it (RTO, without the app
    when there is nothing to ask it); `lost_s` is the measured age of its data when the drill began (RPO).
    """

    backup: str
    at: float
    how: str
    """"drill", "restore" or "rehearsal"."""
    server: str
    restore_s: float
    lost_s: float
    tables: int
    rows: int
    files: int = 0
    """Tables and rows of all its databases, SQLite files among them, and the files of its folders."""
    smoke: str = ""
    """What the smoke test said ("3 requests passed in 0.4 s"), empty when the app has none."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A backup as the store has it: the manifest, and what was found out about it since.

    `damage` says what is wrong with it, empty while nothing is known to be. `copies` are the remotes that hold it.
    """

    backup: Backup
    proof: Proof | None = None
    damage: str = ""
    copies: tuple[str, ...] = ()


class Condition(Enum):
    """What a backup is worth."""

    PROVEN = "proven"
    UNPROVEN = "unproven"
    DAMAGED = "damaged"


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a database holds, to be compared with another one."""

    tables: dict[str, int]
    schema: str
    schema_head: str = ""
    size_bytes: int = 0
    files: int = 0
    extensions: tuple[str, ...] = ()


def held_by(tables: int, rows: int, files: int) -> str:
    """`3 tables, 1,204 rows, 17 files`: what a copy holds, of what it holds any."""
    held = [counted(tables, "table"), counted(rows, "row")] if tables else []
    if files or not tables:
        held.append(counted(files, "file"))
    return ", ".join(held)


def is_backup_id(text: str) -> bool:
    return RELEASE_ID.fullmatch(text) is not None


def differences(wanted: Part, found: Measured) -> tuple[str, ...]:
    """What a restored database has otherwise than the backup says, one line each; none when it is the same."""
    lines = []
    if wanted.content is Content.FILES:
        if found.files != wanted.files:
            lines.append(f"{found.files:,} files, the backup has {wanted.files:,}")
        elif found.schema != wanted.schema:
            lines.append("a file has another name or other bytes than it had")
    elif wanted.schema and found.schema != wanted.schema:
        lines.append("the schema (tables, columns, indexes or constraints) is not that of the backup")
    for table in sorted({*wanted.tables, *found.tables}):
        was, now = wanted.tables.get(table), found.tables.get(table)
        if was != now:
            lines.append(f"{table}: {_rows(now)}, the backup has {_rows(was)}")
    return tuple(lines)


def _rows(count: int | None) -> str:
    return "not there" if count is None else f"{count:,} rows"


def no_such_backup(app: str, backup_id: str, newest: tuple[str, ...] = ()) -> Problem:
    """What is said of a backup that is not there. `backup_id` may be anything that somebody typed."""
    there = f"; the newest are {', '.join(newest)}" if newest else ""
    return Problem(
        code="backup.unknown",
        where=f"{app} {backup_id[:40]}",
        why=f"{app} has no backup {backup_id[:40]!r}{there}",
        remedy="see which there are",
        command=f"underway db backups {app}",
    )
