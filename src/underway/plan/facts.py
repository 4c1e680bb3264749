"""What planning needs to know, gathered before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from underway.journal.app_state import AppState
from underway.manifest.model import Manifest
from underway.plan.strategy import NO_PACE, Pace
from underway.ports.builds import BuildAsk
from underway.steps.way_back import BackAsk
from underway.terms.backup import Backup
from underway.terms.process import Instance
from underway.terms.rehearsal import Fit
from underway.terms.release import Slot
from underway.terms.route import AppRoute, SlotRoute
from underway.terms.secret import Secret


@dataclass(frozen=True)
class DeployFacts:
    """The world as it was when a deploy was asked for."""

    release: str
    manifest: Manifest
    manifest_text: str
    ask: BuildAsk
    key: str
    is_built: bool
    migrations: str
    """Digest of the files that decide whether there is anything to migrate, empty when there are none."""
    state: AppState
    ports: tuple[int, ...]
    """Free ports for the new release's web instances on the idle slot."""
    other_ports: tuple[int, ...]
    """Ports for the other slot: those it has, or on the first deploy those the next one will use. Telling the
    proxy both at once saves a reload."""
    url: str
    notes: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    """What the person who asked allows: contract."""
    pace: Pace = NO_PACE
    strategy: str = ""
    """What the command line asked for, empty for nothing."""
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    """Values to keep in the vault before the plan is run, by their names there."""


@dataclass(frozen=True)
class RollbackFacts:
    """The world as it was when a rollback was asked for."""

    state: AppState
    to: str
    manifest: Manifest
    key: str
    is_warm: bool
    """The release's instances all run on the other slot."""
    ports: tuple[int, ...]
    other_ports: tuple[int, ...]
    url: str
    fit: Fit
    """Whether the code that is gone back to runs on the database as it is."""
    live_manifest: Manifest | None
    live_key: str
    point: Backup | None = None
    """The backup that the data goes back to as well, None when the database stays."""
    back: BackAsk | None = None
    """The migration that is run back as well, None when the database keeps it."""
    may_lose: bool = False
    """It may lose what is counted."""
    safety: str = ""
    """The id of the backup that is made of today's data before it is replaced."""


@dataclass(frozen=True)
class DownFacts:
    state: AppState
    instances: tuple[Instance, ...]
    has_cache: bool


def route_for(manifest: Manifest, slot: Slot, ports: tuple[int, ...], other_ports: tuple[int, ...]) -> AppRoute:
    """The app's route with `ports` on `slot` and `other_ports` on the other one."""
    kept = {
        slot: SlotRoute(slot=slot, ports=ports),
        slot.other: SlotRoute(slot=slot.other, ports=other_ports),
    }
    return AppRoute(
        app=manifest.app,
        hosts=(f"{manifest.app}.localhost", *manifest.domains),
        slots=(kept[Slot.A], kept[Slot.B]),
        has_web="web" in manifest.processes,
        static_url=manifest.static.url if manifest.static else "",
        spa=bool(manifest.static and manifest.static.spa),
        tls=manifest.tls,
    )
