"""The closed set of steps: what a plan is made of and how it is written down."""

from __future__ import annotations

from underway.steps.back_up import BackUp
from underway.steps.build_release import BuildRelease
from underway.steps.check_health import CheckHealth
from underway.steps.free_slot import FreeSlot
from underway.steps.lint_migrations import LintMigrations
from underway.steps.migrate import MigrateDatabase
from underway.steps.pause_app import ContinueApp, PauseApp, ShowApp
from underway.steps.probe_release import ProbeRelease
from underway.steps.provision import ProvisionPostgres, ProvisionRedis
from underway.steps.prune_releases import PruneReleases
from underway.steps.rehearse import Rehearse
from underway.steps.restore import DropFormer, RecoverPoint, RestoreBeside, SwapData
from underway.steps.route_app import RouteApp, UnrouteApp
from underway.steps.split_traffic import SplitTraffic
from underway.steps.start_release import StartRelease, SwapWorkers
from underway.steps.stop_app import StopApp
from underway.steps.switch_traffic import SwitchTraffic
from underway.steps.try_release import TryRelease
from underway.steps.warm_up import WarmUp
from underway.steps.way_back import MigrateBack, RehearseBack

EveryStep = (
    BuildRelease
    | ProvisionPostgres
    | ProvisionRedis
    | LintMigrations
    | Rehearse
    | TryRelease
    | BackUp
    | MigrateDatabase
    | FreeSlot
    | StartRelease
    | CheckHealth
    | RouteApp
    | WarmUp
    | ProbeRelease
    | SplitTraffic
    | SwapWorkers
    | SwitchTraffic
    | PruneReleases
    | UnrouteApp
    | RecoverPoint
    | RestoreBeside
    | SwapData
    | RehearseBack
    | MigrateBack
    | DropFormer
    | PauseApp
    | ContinueApp
    | ShowApp
    | StopApp
)
