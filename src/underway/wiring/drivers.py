"""Every driver of this machine, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from underway.drivers.asks.asks import Asking
from underway.drivers.backups.folder import BackupFolders
from underway.drivers.backups.keys import AgeSeals
from underway.drivers.backups.remotes import RcloneRemotes
from underway.drivers.backups.replicas import LitestreamReplicas
from underway.drivers.backups.shared import SharedCopies
from underway.drivers.builds.interpreters import available_pythons
from underway.drivers.builds.local import LocalBuilds
from underway.drivers.cache.valkey import ValkeyCache
from underway.drivers.channels.channels import Telling
from underway.drivers.clock.system import SystemClock
from underway.drivers.commands.local import LocalCommands
from underway.drivers.copying.sqlite import SqliteCopyIn
from underway.drivers.database.dumps import PostgresDumps
from underway.drivers.database.instants import PostgresInstants
from underway.drivers.database.points import PostgresPoints
from underway.drivers.database.postgres import PostgresDatabase
from underway.drivers.database.rehearsals import PostgresRehearsals
from underway.drivers.database.schemas import PostgresSchemas
from underway.drivers.database.scratch import PostgresScratches
from underway.drivers.database.stats import PostgresStats
from underway.drivers.event_log.sqlite import SqliteEventLog
from underway.drivers.logs.files import LogFiles
from underway.drivers.machine.local import LocalMachine
from underway.drivers.metrics.sqlite import SqliteMetrics
from underway.drivers.migrations.printed import PrintedMigrations
from underway.drivers.output.sqlite import SqliteOutput
from underway.drivers.prober.loopback import LoopbackProber
from underway.drivers.public_files.folder import PublicFolder
from underway.drivers.request_log.caddy import CaddyRequestLog
from underway.drivers.router.book import RouteBook
from underway.drivers.router.caddy import CaddyRouter
from underway.drivers.runtime.processes import LocalRuntime
from underway.drivers.security_log.sqlite import SqliteSecurityLog
from underway.drivers.shadows.sqlite import SqliteShadows
from underway.drivers.smokes.loopback import LoopbackSmokes
from underway.drivers.snapshots.files import SnapshotFiles
from underway.drivers.sources.local import LocalSources
from underway.drivers.vault.age import AgeVault
from underway.drivers.vault.keys import Keys
from underway.journal.journal import Journal
from underway.ports.drivers import Drivers
from underway.terms.home import Home
from underway.terms.process import InstanceEnded


def make_drivers(home: Home, environ: Mapping[str, str], tell: Callable[[InstanceEnded], None]) -> Drivers:
    """Everything a step may touch the world through, on this machine."""
    clock = SystemClock()
    keys = Keys(home, environ)
    commands = LocalCommands(home)
    database, vault, folders = PostgresDatabase(home), AgeVault(home, keys), BackupFolders(home)
    router = CaddyRouter(home, environ=environ)
    return Drivers(
        home=home,
        clock=clock,
        machine=LocalMachine(home, lambda: available_pythons(home.cache, environ)),
        sources=LocalSources(home),
        builds=LocalBuilds(home, commands, environ),
        commands=commands,
        runtime=LocalRuntime(home, clock, tell, keys=keys),
        prober=LoopbackProber(),
        smokes=LoopbackSmokes(),
        router=router,
        routes=RouteBook(home.proxy / "routes.json", router),
        request_log=CaddyRequestLog(home),
        metrics=SqliteMetrics(home.metrics),
        asks=Asking(clock),
        channels=Telling(clock),
        database=database,
        schemas=PostgresSchemas(database),
        instants=PostgresInstants(database),
        rehearsals=PostgresRehearsals(database),
        database_stats=PostgresStats(database),
        migrations=PrintedMigrations(home, commands),
        dumps=PostgresDumps(database),
        scratches=PostgresScratches(home, database),
        shadows=SqliteShadows(home),
        file_copies=SharedCopies(home),
        backups=folders,
        copy_in=SqliteCopyIn(database),
        points=PostgresPoints(home, database, clock),
        replicas=LitestreamReplicas(home, clock),
        remotes=RcloneRemotes(home, folders, vault),
        seals=AgeSeals(),
        cache=ValkeyCache(home),
        vault=vault,
        logs=LogFiles(home, clock),
        output=SqliteOutput(home),
        security_log=SqliteSecurityLog(home.security),
        snapshots=SnapshotFiles(home),
        public_files=PublicFolder(),
    )


def open_journal(home: Home) -> Journal:
    """Raises `Failure` (`journal.unwritable`, `journal.newer`)."""
    return Journal(SqliteEventLog(home.journal, SystemClock()))
