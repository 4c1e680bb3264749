"""Events of releases: made, put on a slot, given traffic and values, lost, taken down."""

from __future__ import annotations

from underway.journal.events.event import Event
from underway.terms.release import Release, Slot
from underway.terms.route import AppRoute


class ReleaseMade(Event, frozen=True, kw_only=True, tag="release_made"):
    """A release exists: its build is finished. `manifest` is what it was deployed with, as TOML."""

    release: Release
    manifest: str
    migrations: str = ""
    """Digest of the migrations it carries, empty when it has none."""


class SlotTaken(Event, frozen=True, kw_only=True, tag="slot_taken"):
    """A release is about to be started on a slot."""

    release: str
    slot: Slot
    ports: tuple[int, ...]


class SlotFreed(Event, frozen=True, kw_only=True, tag="slot_freed"):
    """Nothing of a release runs on the slot any more."""

    release: str
    slot: Slot


class Routed(Event, frozen=True, kw_only=True, tag="routed"):
    """The proxy knows the app's hosts and ports; None when it was taken out."""

    route: AppRoute | None


class TrafficSwitched(Event, frozen=True, kw_only=True, tag="traffic_switched"):
    """From now on `release` on `slot` answers; `was` did before (empty for the first)."""

    release: str
    slot: Slot
    was: str = ""
    was_slot: Slot | None = None
    keep_warm_s: float = 0.0


class EnvironmentGiven(Event, frozen=True, kw_only=True, tag="environment_given"):
    """A release was started with these variables. The fingerprints tell whether one was changed since, and nothing
    else: they are keyed with the home's own key."""

    release: str
    environment: str
    fingerprints: dict[str, str]


class MaintenanceSet(Event, frozen=True, kw_only=True, tag="maintenance_set"):
    """Visitors get the maintenance page (503), or the app again."""

    is_on: bool
    by: str


class InstanceLost(Event, frozen=True, kw_only=True, tag="instance_lost"):
    """An instance ended by itself. `restart_in_s` is None when it was given up as a crash loop."""

    instance: str
    release: str
    exit_code: int | None
    ran_s: float
    restart_in_s: float | None
    log_tail: tuple[str, ...] = ()


class ReleasePruned(Event, frozen=True, kw_only=True, tag="release_pruned"):
    release: str


class AppRemoved(Event, frozen=True, kw_only=True, tag="app_removed"):
    """The app was taken down. Its releases, database, backups and shared folders stay."""
