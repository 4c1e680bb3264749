"""What the API takes and gives. Every type here is part of the published, versioned interface."""

from __future__ import annotations

from enum import Enum
from typing import Literal

import msgspec

from underway.journal.events.acts import ActKind, Finished, Order, StepLine
from underway.terms.app_error import ErrorCount
from underway.terms.backup import Part, Proof
from underway.terms.migration import Hazard
from underway.terms.outcome import Outcome
from underway.terms.problem import Problem
from underway.terms.rehearsal import Fit, WayBack
from underway.terms.verdict import Strength, Traffic


class WorkKind(Enum):
    """What can be done with an app's data without touching what is live."""

    BACKUP = "backup"
    DRILL = "drill"
    VERIFY = "verify"
    SNAPSHOT = "snapshot"
    FETCH = "fetch"
    COPY = "copy in"
    FORGET = "forget"


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    """The agent answers. `api` is the version of this interface."""

    version: str
    api: int


HowAsked = Literal["", "auto", "canary", "blue-green", "instant"]


class PlanAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a plan. `deploy` wants `path` (and maybe `app`); `rollback` wants `app` (and maybe `to`); `down` wants
    `app`."""

    kind: ActKind
    app: str = ""
    path: str = ""
    to: str = ""
    until: float = 0.0
    """For a restore to a moment: seconds since the epoch."""
    is_reset: bool = False
    """For a restore: to a snapshot, of an app whose manifest allows that its data is thrown away."""
    is_copied: bool = False
    """For a restore: what `copy in` left beside the live database takes its place."""
    strategy: HowAsked = ""
    environment: str = ""
    """Of a deploy; empty: the manifest's own, `production` unless it says another."""
    allow: tuple[Literal["contract", "missing", "loss"], ...] = ()
    """What may be although it would stop a deploy: pending migrations that destroy, break or block; settings that the
    app asks for and nobody has given. Of a rollback: that a migration that is run back loses what is counted."""
    spend_budget: str = ""
    """Why a release is made though an error budget of the app is spent."""
    restore: str = ""
    """The backup that a rollback takes the data back to as well."""
    by: str = ""
    """The account that asks."""
    code_only: bool = False
    """A rollback takes the code back although it is not known to run on the database as it is."""
    migrate_back: bool = False
    """A rollback runs the migration back as well, which is done only where its release's rehearsal did so."""


class LintAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read the pending migrations of the source at `path`."""

    path: str
    app: str = ""


class LintView(msgspec.Struct, frozen=True, kw_only=True):
    """What a deploy would do to the database. Hazards without `allowed` stop it; `why_not` says why the SQL is not
    known (then only a rehearsal can tell)."""

    tool: str
    migrations: tuple[str, ...]
    hazards: tuple[Hazard, ...]
    why_not: str = ""


class OrderAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order to the release that is on its way, or that is watched. `by` names who gives it, `account` the account
    that asks, where that is another name."""

    order: Order
    by: str
    account: str = ""
    because: str = ""


class MaintenanceAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Show visitors the maintenance page, or the app again. `by` names who asks."""

    is_on: bool
    by: str


class SideView(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two releases of a rollout: `requests` and `failed` as far as they count for the verdict (one client
    counts once), `users_touched` all different people with a failed answer. A quantile is 0 until a
    request was timed."""

    release: str
    requests: int
    failed: int
    p50_ms: float
    p95_ms: float
    memory_bytes: int
    users_touched: int = 0
    restarts: int = 0


class RolloutView(msgspec.Struct, frozen=True, kw_only=True):
    """A canary as it is now: the split, both releases, and how strong the evidence is."""

    share: float
    steps: tuple[float, ...]
    candidate: SideView
    stable: SideView
    action: str
    because: str
    waiting_for: str
    strengths: tuple[Strength, ...]
    paused: str = ""
    is_held: bool = False
    began_at: float = 0.0
    new_errors: tuple[ErrorCount, ...] = ()


class RolloutLine(RolloutView, frozen=True, kw_only=True, tag_field="event", tag="rollout"):
    """A line between events while somebody follows them: a release on its way, or watched, as it is now. At most one a
    second and app, only when something changed. It is no event: it has no `seq`, and nothing of it is kept."""

    app: str
    act: str


class ClaimView(msgspec.Struct, frozen=True, kw_only=True):
    """What detection says and where it read it."""

    about: str
    says: str
    evidence: str


class PlanView(msgspec.Struct, frozen=True, kw_only=True):
    """A plan to look at; `id` runs this very one, within ten minutes and while the app does not change."""

    id: str
    kind: ActKind
    app: str
    release: str
    was: str
    url: str
    digest: str
    steps: tuple[StepLine, ...]
    notes: tuple[str, ...]
    strategy: str = ""
    because: str = ""
    watch_s: float = 0.0
    """How long the agent goes on watching after the act."""
    claims: tuple[ClaimView, ...] = ()
    manifest: str = ""
    is_detected: bool = False


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The act that runs the plan. Follow it with `GET /v1/events?act=…&follow=true`."""

    act: str
    app: str
    release: str


class InstanceView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    process: str
    release: str
    state: str
    pid: int
    port: int
    started_at: float
    restarts: int
    memory_bytes: int
    exit_code: int | None = None


class ActView(msgspec.Struct, frozen=True, kw_only=True):
    """An act that is under way."""

    id: str
    kind: ActKind
    release: str
    started_at: float
    phase: str
    step: str
    rollout: RolloutView | None = None


class AppView(msgspec.Struct, frozen=True, kw_only=True):
    """One app as it is now. `warm` can be rolled back to at once, until `warm_until`.

    `traffic` is what each release ever answered, `requests_per_s` what came in the last ten minutes.
    """

    app: str
    url: str
    hosts: tuple[str, ...]
    live: str
    source: str
    live_since: float | None
    warm: str
    warm_until: float
    path: str
    instances: tuple[InstanceView, ...]
    act: ActView | None = None
    watching: ActView | None = None
    """The watch of the live release, when one goes on. It gives way to any other act."""
    last: Finished | None = None
    troubles: tuple[str, ...] = ()
    traffic: dict[str, Traffic] = {}
    requests_per_s: float = 0.0
    is_in_maintenance: bool = False
    backups: StandingView | None = None
    """How its backups stand; None for an app that keeps nothing."""


class BackupView(msgspec.Struct, frozen=True, kw_only=True):
    """One backup and what it is worth: `condition` is proven | unproven | damaged. `at` is when its data is from."""

    id: str
    at: float
    reason: str
    condition: str
    size_bytes: int
    took_s: float
    rows: int
    tables: int
    server: str
    schema_head: str
    release: str
    is_encrypted: bool
    name: str = ""
    damage: str = ""
    copies: tuple[str, ...] = ()
    proof: Proof | None = None
    parts: tuple[Part, ...] = ()


class BackupsView(msgspec.Struct, frozen=True, kw_only=True):
    """An app's backups, newest first, and how they stand as a whole: proven, unproven, late, damaged, none, off."""

    app: str
    standing: str
    says: str
    backups: tuple[BackupView, ...]


class StandingView(msgspec.Struct, frozen=True, kw_only=True):
    """How an app's backups stand, in one line. `age_s` is that of the newest good one."""

    standing: str
    says: str
    newest: str = ""
    age_s: float = 0.0


class AlertAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Acknowledge or silence the alert `key` of an app. `for_s` is how long a silence lasts, 0 ends it."""

    key: str
    by: str
    for_s: float = 3600.0
    because: str = ""


class WorkAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for work on an app's data. `backup` names one (drill, verify, fetch; empty: the newest, or all), `name` a
    snapshot, `identity` an age key that opens encrypted ones (it is not kept), `remote` where to fetch from."""

    kind: WorkKind
    backup: str = ""
    name: str = ""
    identity: str = ""
    remote: str = ""
    source: str = ""
    """For a copy in: the path of an SQLite file on this machine."""


class WorkView(msgspec.Struct, frozen=True, kw_only=True):
    """Work as it is now. `ended_at` is 0 while it goes on; then `problems` say why it failed, or `result` what came of
    it. `done` of `of` bytes, where that is known."""

    id: str
    app: str
    kind: str
    began_at: float
    ended_at: float = 0.0
    says: str = ""
    done: int = 0
    of: int = 0
    result: msgspec.Raw
    problems: tuple[Problem, ...] = ()
    log_tail: tuple[str, ...] = ()


class ReleaseView(msgspec.Struct, frozen=True, kw_only=True):
    """One release and what became of it. `traffic` is what it answered while it was being deployed and watched;
    `verdict` the last word on it, `p95_change` 0.2 for 20 % slower than the release it replaced, `new_errors` those
    that one did not have. `has_evidence`: `underway explain` can tell more."""

    id: str
    created_at: float
    source: str
    state: str
    outcome: Outcome | None
    live_since: float | None
    duration_s: float
    because: str
    traffic: Traffic | None
    build_key: str
    verdict: str = ""
    p95_change: float | None = None
    new_errors: tuple[ErrorCount, ...] = ()
    has_evidence: bool = False
    overdrawn: str = ""
    """Why it was released though the error budget was spent; empty where it was not."""
    old_code: Fit | None = None
    """Whether the release before it runs on the schema that its migrations made, where that was tried."""
    back: WayBack | None = None
    """Whether its migrations can be run back, where that was tried."""
    head: str = ""
    """What the migration tool calls what this release made of the database ("alembic 3f2a91c")."""
    runs_now: Fit | None = None
    """Whether its own code runs on the schema that the last migration left."""


class AgentView(msgspec.Struct, frozen=True, kw_only=True):
    """The agent itself. `rss_bytes` is its own memory, `limits` what the kernel can hold instances to."""

    version: str
    api: int
    pid: int
    home: str
    http_port: int
    started_at: float
    rss_bytes: int
    apps: int
    limits: tuple[str, ...] = ()


class StatusView(msgspec.Struct, frozen=True, kw_only=True):
    agent: AgentView
    apps: tuple[AppView, ...]


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Why nothing was done: every problem at once."""

    problems: tuple[Problem, ...]
