"""A home with a PostgreSQL server and no agent: the drivers that a backup needs, and no others."""

from __future__ import annotations

from underway.drivers.backups.folder import BackupFolders
from underway.drivers.backups.keys import AgeSeals
from underway.drivers.backups.shared import SharedCopies
from underway.drivers.clock.system import SystemClock
from underway.drivers.database.dumps import PostgresDumps
from underway.drivers.database.postgres import PostgresDatabase
from underway.terms.home import Home
from underway.terms.secret import Secret

APP, WORD = "shop", Secret("correct-horse-1")


class On:
    """What `take_backup` reads of the drivers."""

    def __init__(self, home: Home) -> None:
        self.home, self.clock = home, SystemClock()
        self.database = PostgresDatabase(home)
        self.dumps = PostgresDumps(self.database)
        self.backups, self.seals, self.file_copies = BackupFolders(home), AgeSeals(), SharedCopies(home)
