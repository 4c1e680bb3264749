"""The home's PostgreSQL cluster on disk: its folders, settings, and how it is made."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from underway.drivers.account import Account, closed_folder, let_through
from underway.drivers.database.installation import Installation, Kind
from underway.drivers.database.scram import scram_verifier
from underway.drivers.database.tools import SUPERUSER
from underway.drivers.listeners import taken_by
from underway.drivers.loopback_port import LOOPBACK, choose_port
from underway.drivers.whole_file import sync_folder, write_whole
from underway.terms.home import Home
from underway.terms.problem import Failure, Problem
from underway.terms.secret import Secret

COUNTER = "pg_stat_statements"
"""The extension that counts statements (PostgreSQL manual, F.30): it must be loaded when the server starts."""
_FIRST_PORT, _PORTS = 15_400, 3_000
_FIRST_OWN_OID = 16_384
"""Databases that came with initdb have smaller ones (FirstNormalObjectId, src/include/access/transam.h)."""
_SOCKET_ADDRESS_BYTES = 107
_INITDB_TIMEOUT_S = 120.0


class Kept(msgspec.Struct, frozen=True):
    """What the home remembers of its cluster: apps hold the port in their environment, so it stays the same."""

    port: int
    kind: Literal["system", "bundled"] = "system"


class Postmaster(NamedTuple):
    """Lines 1, 4 and 8 of `postmaster.pid` (src/include/utils/pidfile.h); `state` is "ready" when it serves."""

    pid: int
    port: int
    state: str


class Cluster:
    """Paths and settings of one home's cluster. Everything but `data` and the socket's folder is ours alone."""

    def __init__(self, home: Home, account: Account, *, is_scratch: bool = False) -> None:
        """`is_scratch`: what it holds need not survive a crash of the machine, so nothing is synced."""
        self.home = home
        self.account = account
        self._is_scratch = is_scratch
        self.folder = home.services / "postgres"
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.state = self.folder / "server.json"
        self._kept_path = self.folder / "cluster.json"
        self._password_path = self.folder / "superuser"
        inside = self.folder / "run"
        fits = len(f"{inside}/.s.PGSQL.65535") <= _SOCKET_ADDRESS_BYTES
        self.socket_dir = inside if fits else home.short_run / f"underway-{home.id}-postgres"

    @property
    def major(self) -> int | None:
        """The major version that made the data, None before there is any."""
        try:
            return int((self.data / "PG_VERSION").read_text().strip())
        except (OSError, ValueError):
            return None

    @property
    def holds_databases(self) -> bool:
        """False only when it is certain that no app has a database here. Readable with no server running."""
        try:
            return any(name.isdigit() and int(name) >= _FIRST_OWN_OID for name in os.listdir(self.data / "base"))
        except FileNotFoundError:
            return self.data.exists()
        except OSError:
            return True

    @property
    def kept(self) -> Kept | None:
        try:
            return msgspec.json.decode(self._kept_path.read_bytes(), type=Kept)
        except (OSError, msgspec.DecodeError):
            return None

    def keep(self, kept: Kept) -> None:
        write_whole(self._kept_path, msgspec.json.encode(kept))

    def password(self) -> Secret:
        """The superuser's password, made before the cluster is. Raises `Failure` (`postgres.password-lost`)."""
        try:
            return Secret(self._password_path.read_text().strip())
        except FileNotFoundError:
            if self.major is not None:
                raise Failure(
                    Problem(
                        code="postgres.password-lost",
                        where=str(self._password_path),
                        why="the file with the password of this home's PostgreSQL was removed",
                        remedy="put it back from a backup",
                    )
                ) from None
            made = secrets.token_urlsafe(32)
            write_whole(self._password_path, made + "\n")
            return Secret(made)

    def open_way(self) -> None:
        """Make the folders and let the server's account through to them.

        Raises `Failure` (`postgres.home-unreachable`) when a folder above the home does not let it through.
        """
        for folder in (self.home.root, self.home.services, self.folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.account.is_other:
                let_through(folder)
        closed = closed_folder(self.account, self.folder) if self.account.is_other else None
        if closed is not None:
            raise Failure(
                Problem(
                    code="postgres.home-unreachable",
                    where=str(closed),
                    why=f"PostgreSQL does not run as root, and the account it runs as ({self.account.name}) may not"
                    f" enter this folder, in which the home {self.home.root} lies",
                    remedy="choose a home that other accounts may enter",
                    command="UNDERWAY_HOME=/var/lib/underway underway agent start",
                )
            )
        self.own_folder(self.socket_dir)

    def close_way(self) -> None:
        """Take the socket's folder away when it is not in the home; leave it while there is something in it."""
        if self.socket_dir.parent != self.folder:
            with contextlib.suppress(OSError):
                self.socket_dir.rmdir()

    async def make(self, installation: Installation) -> None:
        """Run initdb; the data folder appears whole or not at all. Raises `Failure` (`postgres.start`)."""
        partial = self.folder / "data.partial"
        verifier = self.folder / "initdb.pw"
        await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)
        self.own_folder(partial)
        write_whole(
            verifier, scram_verifier(self.password().reveal(), secrets.token_bytes(16)), owner=self.account.owner
        )
        argv = [
            installation.program("initdb"), f"--pgdata={partial}", f"--username={SUPERUSER}", f"--pwfile={verifier}",
            "--auth=scram-sha-256", "--encoding=UTF8", "--data-checksums", *(["--no-sync"] if self._is_scratch else []),
        ]  # fmt: skip
        try:
            said = await self._initdb([*argv, "--locale=C.UTF-8"])
            if said and "locale" in said:  # an old system without C.UTF-8
                await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)
                self.own_folder(partial)
                said = await self._initdb([*argv, "--locale=C"])
        finally:
            verifier.unlink(missing_ok=True)
        if said:
            await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)
            raise Failure(
                Problem(
                    code="postgres.start",
                    where=str(self.data),
                    why=f"initdb of {installation.says()} did not succeed: {said.splitlines()[-1]}",
                    remedy="mend what it names and deploy again; nothing was kept",
                ),
                tuple(said.splitlines()[-20:]),
            )
        partial.rename(self.data)
        sync_folder(self.folder)

    def discard(self) -> None:
        """Remove a stopped cluster that holds no app's database."""
        if self.holds_databases:
            raise AssertionError(f"{self.data} holds databases of apps")
        discarded = self.folder / "data.discarded"
        shutil.rmtree(discarded, ignore_errors=True)
        self.data.rename(discarded)  # first, so that no half-removed cluster is ever taken for a whole one
        shutil.rmtree(discarded)

    def choose_port(self, installation: Installation) -> int:
        """The kept port, or a new one when there is none yet or no app can know the old one.

        Raises `Failure` (`postgres.port-taken`) naming who has a port that apps know.
        """
        kept = self.kept
        port = kept.port if kept is not None else None
        owner = taken_by(port) if port is not None else None
        if owner is not None:
            if self.holds_databases:
                raise Failure(
                    Problem(
                        code="postgres.port-taken",
                        where=f"{LOOPBACK}:{port}",
                        why=f"{owner} listens on the port of this home's PostgreSQL",
                        remedy="stop it, then start Underway again: the apps hold this port in their environment",
                        command=f"ss -ltnp 'sport = :{port}'",
                    )
                )
            port = None
        port = port or choose_port(_FIRST_PORT, _PORTS, int(self.home.id, 16))
        if port is None:
            raise Failure(
                Problem(
                    code="postgres.port-taken",
                    where=LOOPBACK,
                    why=f"no port from {_FIRST_PORT} to {_FIRST_PORT + _PORTS - 1} is free",
                    remedy="stop some of the servers that listen there",
                    command="ss -ltnp",
                )
            )
        self.keep(Kept(port, "system" if installation.kind is Kind.SYSTEM else "bundled"))
        return port

    def configure(self, port: int, installation: Installation) -> None:
        """Write the server's settings and its rules of access. Where the installation can count statements, it does."""
        owner = self.account.owner
        write_whole(self.folder / "pg_hba.conf", _HBA, owner=owner)
        write_whole(self.folder / "postgresql.conf", self._settings(port, installation), owner=owner)

    @property
    def server_args(self) -> tuple[str, ...]:
        return ("-D", str(self.data), "-c", f"config_file={self.folder / 'postgresql.conf'}")

    def postmaster(self) -> Postmaster | None:
        """What `postmaster.pid` tells; None without it, or while it is being written."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return Postmaster(int(lines[0]), int(lines[3]), lines[7].strip() if len(lines) > 7 else "")
        except (OSError, ValueError, IndexError):
            return None

    def _settings(self, port: int, installation: Installation) -> str:
        sockets, hba = _setting(str(self.socket_dir)), _setting(str(self.folder / "pg_hba.conf"))
        # systemd removes POSIX shared memory of a person's account at logout (RemoveIPC); files it leaves
        shared = "posix" if self.account.is_other else "mmap"
        settings = _SETTINGS.format(port=port, address=LOOPBACK, sockets=sockets, hba=hba, shared=shared)
        if self._is_scratch:
            return settings + _SCRATCH_SETTINGS
        return settings + (_COUNTING_SETTINGS if COUNTER in installation.extensions() else "")

    def own_folder(self, folder: Path) -> None:
        """Make `folder` 0700 for the server's account. Refuses what somebody else put there (it may be in /tmp)."""
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if folder.is_symlink() or found.st_uid not in (os.geteuid(), self.account.uid):
            raise Failure(
                Problem(
                    code="postgres.start",
                    where=str(folder),
                    why="somebody else made the folder that PostgreSQL's socket belongs in",
                    remedy="remove it",
                    command=f"rm -r {folder}",
                )
            )
        if self.account.is_other:
            os.chown(folder, *self.account.owner, follow_symlinks=False)
        folder.chmod(0o700)

    async def _initdb(self, argv: list[str]) -> str:
        """Run initdb as the server's account; return what it said when it did not succeed, else an empty text."""
        account = self.account

        def run() -> str:
            try:
                ended = subprocess.run(
                    argv,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    cwd="/",
                    check=False,
                    timeout=_INITDB_TIMEOUT_S,
                    env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
                    umask=0o077,
                    user=account.other_uid,
                    group=account.other_gid,
                    extra_groups=account.other_groups,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                return f"{argv[0]}: {error}"
            return ended.stderr + ended.stdout if ended.returncode else ""

        return await asyncio.to_thread(run)


def _setting(text: str) -> str:
    """`text` as a quoted value of postgresql.conf (PostgreSQL manual, 20.1.2)."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


_HBA = """\
# TYPE  DATABASE     USER  ADDRESS       METHOD
local   all          all                 scram-sha-256
local   replication  all                 scram-sha-256
host    all          all   127.0.0.1/32  scram-sha-256
"""

_SETTINGS = """\
# Written by Underway at every start. ALTER SYSTEM outranks it.
listen_addresses = '{address}'
port = {port}
unix_socket_directories = {sockets}
unix_socket_permissions = 0700
hba_file = {hba}
password_encryption = 'scram-sha-256'

# Fits a server of 512 MB beside the apps. While a release replaces another, an app holds twice its connections.
max_connections = 200
shared_buffers = '32MB'
work_mem = '4MB'
maintenance_work_mem = '32MB'
effective_cache_size = '256MB'
max_wal_size = '256MB'
min_wal_size = '32MB'
max_worker_processes = 4
max_parallel_workers_per_gather = 1
autovacuum_max_workers = 2
jit = off
dynamic_shared_memory_type = '{shared}'

# Durable, and ready for a base backup.
fsync = on
synchronous_commit = on
full_page_writes = on
wal_level = 'replica'
max_wal_senders = 4
# A receiver of the log that is away must not fill the disk.
max_slot_wal_keep_size = '4GB'

# The log tells what happened, not what was in a statement: statements hold people's data and passwords.
log_min_error_statement = 'panic'
log_error_verbosity = 'terse'
log_statement = 'none'
log_min_duration_statement = -1
log_line_prefix = '%m [%p] %q%u@%d '
log_checkpoints = off
log_timezone = 'UTC'
timezone = 'UTC'
lc_messages = 'C'
default_text_search_config = 'pg_catalog.english'
"""

_COUNTING_SETTINGS = f"""
# Which statements take how long, their values replaced by numbers. What only roles and schemas are told is not counted.
shared_preload_libraries = '{COUNTER}'
{COUNTER}.max = 2000
{COUNTER}.track_utility = off
"""
_SCRATCH_SETTINGS = """
# A server that is thrown away: nothing on it is worth waiting for the disk.
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_size = '2GB'
maintenance_work_mem = '128MB'
"""
