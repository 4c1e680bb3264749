from __future__ import annotations

from dataclasses import dataclass

from underway.ports.asks import Asks
from underway.ports.backups import BackupStore, Seals
from underway.ports.builds import Builds, Sources
from underway.ports.channels import Channels
from underway.ports.clock import Clock
from underway.ports.commands import Commands
from underway.ports.copies import Dumps, FileCopies, Scratches
from underway.ports.copy_in import CopyIn
from underway.ports.database_stats import DatabaseStats
from underway.ports.instants import Instants
from underway.ports.logs import Logs
from underway.ports.machine import Machine
from underway.ports.metrics import Metrics
from underway.ports.migrations import Migrations
from underway.ports.output import Output
from underway.ports.points import Points
from underway.ports.prober import Prober
from underway.ports.public_files import PublicFiles
from underway.ports.rehearsals import Rehearsals
from underway.ports.remotes import Remotes
from underway.ports.replicas import Replicas
from underway.ports.request_log import RequestLog
from underway.ports.router import Router
from underway.ports.routes import Routes
from underway.ports.runtime import Runtime
from underway.ports.schemas import Schemas
from underway.ports.security_log import SecurityLog
from underway.ports.services import Cache, Database
from underway.ports.shadows import Shadows
from underway.ports.smokes import Smokes
from underway.ports.snapshots import Snapshots
from underway.ports.vault import Vault
from underway.terms.home import Home


@dataclass(frozen=True)
class Drivers:
    """Everything a step may touch the world through."""

    home: Home
    clock: Clock
    machine: Machine
    sources: Sources
    builds: Builds
    commands: Commands
    runtime: Runtime
    prober: Prober
    smokes: Smokes
    router: Router
    routes: Routes
    request_log: RequestLog
    metrics: Metrics
    asks: Asks
    channels: Channels
    database: Database
    schemas: Schemas
    instants: Instants
    rehearsals: Rehearsals
    database_stats: DatabaseStats
    migrations: Migrations
    dumps: Dumps
    scratches: Scratches
    shadows: Shadows
    file_copies: FileCopies
    backups: BackupStore
    seals: Seals
    remotes: Remotes
    points: Points
    replicas: Replicas
    copy_in: CopyIn
    cache: Cache
    vault: Vault
    logs: Logs
    output: Output
    security_log: SecurityLog
    snapshots: Snapshots
    public_files: PublicFiles
