"""Everything the journal says about one app."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from underway.journal.act_state import ActState
from underway.journal.alert_book import AlertBook
from underway.journal.events.acts import ActKind, Finished
from underway.journal.events.releases import InstanceLost
from underway.terms.app_error import ErrorCount
from underway.terms.incident import Incident
from underway.terms.outcome import Outcome
from underway.terms.problem import Problem
from underway.terms.rehearsal import Fit, WayBack
from underway.terms.release import Release, Slot
from underway.terms.route import AppRoute
from underway.terms.since import Instant
from underway.terms.verdict import Traffic, Verdict


class ReleaseState(msgspec.Struct, kw_only=True):
    """One release and what became of it."""

    release: Release
    manifest: str
    migrations: str = ""
    outcome: Outcome | None = None
    live_since: float | None = None
    because: str = ""
    duration_s: float = 0.0
    traffic: Traffic | None = None
    is_pruned: bool = False
    strategy: str = ""
    overdrawn: str = ""
    """Why it was released though the error budget was spent; empty where it was not."""
    is_watched: bool = False
    """Its watch at 100 % is over."""
    schema: str = ""
    """Digest of the schema that it was made live on, empty when that is not known."""
    fits: dict[str, Fit] = msgspec.field(default_factory=dict)
    """Whether its code runs on other schemas, by their digests, where that was tried."""
    old_code: Fit | None = None
    """Whether the release before it runs on its schema, where that was tried."""
    back: WayBack | None = None
    """Whether its migration can be run back, where that was tried."""
    head: str = ""
    """What the migration tool calls what it made of the database, empty where that is not known."""
    verdict: Verdict | None = None
    """The last one that says something: a quiet watch after a rollout adds nothing to what the rollout showed."""
    judged_seq: int = 0
    record_seq: int = 0
    """The event that holds its evidence, 0 for none."""
    p95_change: float | None = None
    new_errors: tuple[ErrorCount, ...] = ()
    given: dict[str, str] = msgspec.field(default_factory=dict)
    """The fingerprints of its environment, by name."""
    has_migrated: bool = False
    migrated: tuple[Instant, Instant] | None = None
    """When its migration began and was over, by the transactions of the home's own server."""


class SlotState(msgspec.Struct, kw_only=True):
    release: str
    ports: tuple[int, ...]


class AppState(msgspec.Struct, kw_only=True):
    """Everything the journal says about one app."""

    app: str
    seq: int = 0
    as_of: int = 0
    """The number of the last event that a plan may rest on: a watch that only looks changes nothing for it."""
    releases: dict[str, ReleaseState] = msgspec.field(default_factory=dict)
    slots: dict[Slot, SlotState] = msgspec.field(default_factory=dict)
    live: str = ""
    live_slot: Slot | None = None
    previous: str = ""
    warm_until: float = 0.0
    route: AppRoute | None = None
    migrations: str = ""
    """Digest of the migrations the database carries."""
    schema: str = ""
    """Digest of its schema after the last migration, empty when that is not known."""
    head: str = ""
    """What the migration tool calls it ("alembic 3f2a91c"), empty when that is not known."""
    run_back: list[tuple[Instant, Instant]] = msgspec.field(default_factory=list)
    """When migrations were run back, by the transactions of the home's own server."""
    additions: dict[str, str] = msgspec.field(default_factory=dict)
    """Schemas that a migration made by only adding to another: the new digest, and the old one."""
    act: ActState | None = None
    path: str = ""
    last: Finished | None = None
    is_in_maintenance: bool = False
    backup_failures: dict[str, tuple[float, Problem]] = msgspec.field(default_factory=dict)
    """What of the backups failed last and has not succeeded since: backup, copy, drill, verify."""
    alerts: AlertBook = msgspec.field(default_factory=AlertBook)
    """What was raised, and what people were told of it."""
    incidents: dict[str, Incident] = msgspec.field(default_factory=dict)
    """What the status page tells, by id, oldest first."""
    former_database: str = ""
    """The name of the database that the last restore replaced."""
    lost: list[InstanceLost] = msgspec.field(default_factory=list)
    """The latest instances that ended by themselves (at most ten)."""

    @property
    def is_free(self) -> bool:
        """An act may begin: none is under way, or only a watch, which gives way."""
        return self.act is None or (self.act.kind is ActKind.WATCH and not self.act.steps)

    @property
    def given(self) -> Mapping[str, str]:
        """The fingerprints of the live release's environment, by name."""
        live = self.live_release
        return live.given if live else {}

    @property
    def live_release(self) -> ReleaseState | None:
        return self.releases.get(self.live)

    @property
    def idle_slot(self) -> Slot:
        """The slot a new release starts on."""
        return self.live_slot.other if self.live_slot else Slot.A

    def slot_of(self, release: str) -> Slot | None:
        """The slot on which `release` runs, None when it does not."""
        return next((slot for slot, state in self.slots.items() if state.release == release), None)
