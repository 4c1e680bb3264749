"""Every event there is. Names are past tense: each says that something happened.

Events are the only record: state, history, status and reports are folds over them. The tag (`event`) and the
fields are stable; new fields come with defaults, so that an older journal can still be read.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from underway.terms.alert import Severity
from underway.terms.backup import Backup, Proof
from underway.terms.incident import Impact, IncidentStage
from underway.terms.migration import Hazard
from underway.terms.outcome import Outcome
from underway.terms.problem import Problem
from underway.terms.record import Record
from underway.terms.rehearsal import Fit, Rehearsal
from underway.terms.release import Release, Slot
from underway.terms.route import AppRoute, LogOffset
from underway.terms.since import Instant
from underway.terms.verdict import Traffic, Verdict


class ActKind(Enum):
    """What was asked for."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    DOWN = "down"
    RETIRE = "retire"
    REHEARSE = "rehearse"
    WATCH = "watch"
    RESTORE = "restore"


class Order(Enum):
    """What a person may say to a release that is on its way."""

    HOLD = "hold"
    ADVANCE = "advance"
    PROMOTE = "promote"
    ABORT = "abort"


class StepLine(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a plan for people: what it does and what undoing it means."""

    id: str
    says: str
    undo: str
    is_one_way: bool = False
    stage: str = ""


class StepTime(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    took_s: float


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Requests the proxy answered for the app. A failed one got a 5xx answer."""

    served: int = 0
    failed: int = 0


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """What all events share: the app, and the act (deploy, rollback …) they belong to, empty for none."""

    app: str
    act: str = ""


class ActStarted(Event, frozen=True, kw_only=True, tag="act_started"):
    """The lease on the app was taken. `owner` is the agent's `pid:start_ticks:boot_id`; the lease ends with it. `by` is
    the account that asked for the act, empty where the agent began it itself."""

    kind: ActKind
    release: str
    owner: str
    log_offset: LogOffset
    path: str = ""
    by: str = ""


class Planned(Event, frozen=True, kw_only=True, tag="planned"):
    """The very plan that is run; `plan` is read again when an interrupted act goes on."""

    digest: str
    steps: tuple[StepLine, ...]
    notes: tuple[str, ...] = ()
    plan: msgspec.Raw = msgspec.Raw(b"null")


class BudgetOverdrawn(Event, frozen=True, kw_only=True, tag="budget_overdrawn"):
    """A release was begun though an error budget of the app is spent. `because` is the reason that was given for it,
    `says` how much of which budget is spent."""

    release: str
    because: str
    says: str
    by: str = ""


class StepStarted(Event, frozen=True, kw_only=True, tag="step_started"):
    """Intent: written before the step touches anything."""

    step: str
    says: str


class StepDone(Event, frozen=True, kw_only=True, tag="step_done"):
    """Applied and verified. `result` is a few words of what came out ("reused build 3f2a91c")."""

    step: str
    took_s: float
    result: str = ""


class StepFailed(Event, frozen=True, kw_only=True, tag="step_failed"):
    step: str
    took_s: float
    problem: Problem
    log_tail: tuple[str, ...] = ()
    further: tuple[Problem, ...] = ()
    """What else was wrong at once."""


class UndoStarted(Event, frozen=True, kw_only=True, tag="undo_started"):
    step: str
    says: str


class UndoDone(Event, frozen=True, kw_only=True, tag="undo_done"):
    step: str
    took_s: float


class UndoFailed(Event, frozen=True, kw_only=True, tag="undo_failed"):
    """An undo that did not succeed. The others go on; this is shown until somebody has looked."""

    step: str
    took_s: float
    problem: Problem


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


class BackupMade(Event, frozen=True, kw_only=True, tag="backup_made"):
    """A backup is whole on the disk. It proves nothing until it was restored."""

    backup: Backup


class BackupFailed(Event, frozen=True, kw_only=True, tag="backup_failed"):
    """A backup, its copy off the machine, its check or its drill did not succeed. `what` is backup | copy | drill |
    verify; `backup` its id, empty when none came to be."""

    what: str
    problem: Problem
    backup: str = ""


class BackupProven(Event, frozen=True, kw_only=True, tag="backup_proven"):
    """A backup was restored, and the restored database is what was backed up."""

    proof: Proof


class BackupFoundDamaged(Event, frozen=True, kw_only=True, tag="backup_found_damaged"):
    """A backup cannot be what it was: a file is gone, empty, cut short or changed, or a drill found otherwise."""

    backup: str
    damage: str


class BackupCopied(Event, frozen=True, kw_only=True, tag="backup_copied"):
    """A backup lies at a remote as well, and what lies there was compared."""

    backup: str
    remote: str
    took_s: float


class BackupsRemoved(Event, frozen=True, kw_only=True, tag="backups_removed"):
    """Retention removed these, or a person a snapshot; `freed_bytes` is what they took. `remote` is where, empty for
    this machine."""

    backups: tuple[str, ...]
    freed_bytes: int
    remote: str = ""


class ScheduleMissed(Event, frozen=True, kw_only=True, tag="schedule_missed"):
    """Something that is done every so often was not done for too long. `what` is backup | drill | verify."""

    what: str
    overdue_s: float
    because: str = ""


class ClockJumped(Event, frozen=True, kw_only=True, tag="clock_jumped"):
    """The machine's clock was set by this many seconds (negative: back), so schedules are counted anew."""

    by_s: float


class DatabaseRestored(Event, frozen=True, kw_only=True, tag="database_restored"):
    """The app's database is from now on what `backup` holds (or `until`, a point in time); the one before is kept
    as `former` until the next restore."""

    backup: str
    former: str
    until: float = 0.0


class AlertRaised(Event, frozen=True, kw_only=True, tag="alert_raised"):
    """Something that a person should be told, though nobody asked. `key` names the matter: it is raised once, and
    again only after it was cleared."""

    key: str
    problem: Problem
    severity: Severity = Severity.WARNING
    since: float = 0.0
    """When it began, which is before it was raised; 0 for the same moment."""
    release: str = ""
    """The release that was live."""
    users_touched: int = 0
    step: str = ""
    """What to do about it, of the manifest or of the runbook."""
    runbook: str = ""
    """The address of the manifest's runbook."""


class AlertCleared(Event, frozen=True, kw_only=True, tag="alert_cleared"):
    """The matter is over."""

    key: str
    because: str = ""


class AlertAcknowledged(Event, frozen=True, kw_only=True, tag="alert_acknowledged"):
    """Somebody looks after it: it is escalated no further."""

    key: str
    by: str


class AlertSilenced(Event, frozen=True, kw_only=True, tag="alert_silenced"):
    """Nobody is told of the matter before `until`, whether it is raised already or not; 0 ends the silence."""

    key: str
    by: str
    until: float
    because: str = ""


class MessageDecided(Event, frozen=True, kw_only=True, tag="message_decided"):
    """A channel shall be told of these alerts. Written before anything is sent; `message` is sent with it, so that a
    receiver knows one that comes again. `what` is raised | again | cleared."""

    message: str
    channel: str
    what: str
    alerts: tuple[str, ...]


class MessageSent(Event, frozen=True, kw_only=True, tag="message_sent"):
    """The channel took the message."""

    message: str


class MessageGivenUp(Event, frozen=True, kw_only=True, tag="message_given_up"):
    """The channel did not take the message for so long that nobody would be helped by it any more."""

    message: str
    problem: Problem


class Migrated(Event, frozen=True, kw_only=True, tag="migrated"):
    """The database carries the migrations with this digest. `was_schema` and `schema` are digests of its schema before
    and after; `is_additive` when all that was there is there as it was; `changes` says what is different."""

    release: str
    digest: str
    was_schema: str = ""
    schema: str = ""
    is_additive: bool = False
    changes: tuple[str, ...] = ()
    between: tuple[Instant, Instant] | None = None
    """When it began and when it was over, by the database's transactions, where the home's own server has it."""
    was_head: str = ""
    """What the tool calls what the database carried before ("alembic 3f2a91c"), and carries now; empty where it is not
    known."""
    head: str = ""
    is_back: bool = False
    """The migrations of `release` were run back: the database does not carry them any more."""


class MigrationsLinted(Event, frozen=True, kw_only=True, tag="migrations_linted"):
    """The pending migrations were read before anything was changed. `tool` printed their SQL; where nothing could,
    `why_not` says why, and only trying them tells what they do."""

    release: str
    tool: str = ""
    migrations: tuple[str, ...] = ()
    hazards: tuple[Hazard, ...] = ()
    why_not: str = ""


class CodeTried(Event, frozen=True, kw_only=True, tag="code_tried"):
    """A release was started on a copy of the database as it was at that moment."""

    fit: Fit


class Rehearsed(Event, frozen=True, kw_only=True, tag="rehearsed"):
    """The migrations of a release were tried on a copy of the database."""

    release: str
    rehearsal: Rehearsal


class TrafficSwitched(Event, frozen=True, kw_only=True, tag="traffic_switched"):
    """From now on `release` on `slot` answers; `was` did before (empty for the first)."""

    release: str
    slot: Slot
    was: str = ""
    was_slot: Slot | None = None
    keep_warm_s: float = 0.0


class ShareMoved(Event, frozen=True, kw_only=True, tag="share_moved"):
    """From now on this share of visitors (0–1) gets the release that is on its way; the others the live one."""

    release: str
    share: float
    because: str


class ProbesMade(Event, frozen=True, kw_only=True, tag="probes_made"):
    """Smoke requests and journeys were made against a release. `failed` says what was wrong, one line each."""

    release: str
    passed: int
    slowest_ms: float = 0.0
    failed: tuple[str, ...] = ()


class Paused(Event, frozen=True, kw_only=True, tag="paused"):
    """The release on its way goes no further by itself: a person is asked. The guard still takes it back if need be."""

    release: str
    because: str
    waiting_for: str = ""


class Ordered(Event, frozen=True, kw_only=True, tag="ordered"):
    """A person gave an order to the release that is on its way. `by` is who gave it, `account` the account that asked
    for it, where that is another name."""

    order: Order
    by: str
    account: str = ""
    because: str = ""


class Judged(Event, frozen=True, kw_only=True, tag="judged"):
    """`log_tail` is what an instance of the release wrote last before it ended, where that took it back."""

    release: str
    verdict: Verdict
    log_tail: tuple[str, ...] = ()


class Weighed(Event, frozen=True, kw_only=True, tag="weighed"):
    """The evidence on which the release was judged, kept for good: `underway explain` tells it again."""

    release: str
    record: Record


class Interrupted(Event, frozen=True, kw_only=True, tag="interrupted"):
    """The agent ended in the middle of the act; the next one says what it does about it."""

    goes_on: bool
    because: str


class Finished(Event, frozen=True, kw_only=True, tag="finished"):
    """The act is over and its lease released."""

    kind: ActKind
    release: str
    outcome: Outcome
    url: str = ""
    duration_s: float = 0.0
    steps: tuple[StepTime, ...] = ()
    requests: Counts = Counts()
    changes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    because: str = ""
    live: str = ""
    """The release that serves now, empty when none does."""
    traffic: dict[str, Traffic] = msgspec.field(default_factory=dict)
    strategy: str = ""


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


class MaintenanceSet(Event, frozen=True, kw_only=True, tag="maintenance_set"):
    """Visitors get the maintenance page (503), or the app again."""

    is_on: bool
    by: str


class EnvironmentChanged(Event, frozen=True, kw_only=True, tag="environment_changed"):
    """Values of one layer were set, renewed or removed. No value is here. `by` is the account that asked, `how` is
    set, unset, generate, rotate, retire or share."""

    layer: str
    how: str
    by: str
    put: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class EnvironmentRead(Event, frozen=True, kw_only=True, tag="environment_read"):
    """A person or a program got values in the clear. `why` says what for (`run`, `reveal`, `sync render`)."""

    environment: str
    by: str
    why: str
    names: tuple[str, ...] = ()


class EnvironmentGiven(Event, frozen=True, kw_only=True, tag="environment_given"):
    """A release was started with these variables. The fingerprints tell whether one was changed since, and nothing
    else: they are keyed with the home's own key."""

    release: str
    environment: str
    fingerprints: dict[str, str]


class AccessChanged(Event, frozen=True, kw_only=True, tag="access_changed"):
    """Who may use the dashboard and its API was changed. `what` is account | token | dashboard, `how` a word for it
    (`added`, `role`, `password`, `closed`, `made`, `revoked`, `exposed`, `hidden`); `says` adds the role, the scopes or
    the host."""

    what: str
    how: str
    name: str
    by: str
    says: str = ""


class LoggedIn(Event, frozen=True, kw_only=True, tag="logged_in"):
    """Somebody opened a session of the dashboard. `how` is `code` (from this machine's command line) or `password`."""

    name: str
    how: str
    address: str = ""


class LogInRefused(Event, frozen=True, kw_only=True, tag="log_in_refused"):
    """Too many wrong tries: further ones must wait. `name` is the account, empty when there is no such one."""

    name: str
    address: str
    tries: int
    wait_s: float


class IncidentOpened(Event, frozen=True, kw_only=True, tag="incident_opened"):
    """Visitors of the status page are told of a disturbance. `alert` is the key of the alert that it comes from, empty
    where a person opened it."""

    incident: str
    title: str
    impact: Impact
    text: str
    by: str
    alert: str = ""


class IncidentUpdated(Event, frozen=True, kw_only=True, tag="incident_updated"):
    """Something more is told of it; the stage `resolved` ends it."""

    incident: str
    stage: IncidentStage
    text: str
    by: str


class Acted(Event, frozen=True, kw_only=True, tag="acted"):
    """Somebody did something through the dashboard or with a token. `what` is the act in a few words."""

    by: str
    what: str
    because: str = ""


class AgentStarted(Event, frozen=True, kw_only=True, tag="agent_started"):
    version: str
    pid: int
    adopted: int = 0


AnyEvent = (
    ActStarted
    | Planned
    | BudgetOverdrawn
    | StepStarted
    | StepDone
    | StepFailed
    | UndoStarted
    | UndoDone
    | UndoFailed
    | ReleaseMade
    | SlotTaken
    | SlotFreed
    | Routed
    | MigrationsLinted
    | Rehearsed
    | CodeTried
    | BackupMade
    | BackupFailed
    | BackupProven
    | BackupFoundDamaged
    | BackupCopied
    | BackupsRemoved
    | ScheduleMissed
    | ClockJumped
    | DatabaseRestored
    | AlertRaised
    | AlertCleared
    | AlertAcknowledged
    | AlertSilenced
    | MessageDecided
    | MessageSent
    | MessageGivenUp
    | Migrated
    | TrafficSwitched
    | ShareMoved
    | ProbesMade
    | Paused
    | Ordered
    | Judged
    | Weighed
    | Interrupted
    | Finished
    | InstanceLost
    | ReleasePruned
    | AppRemoved
    | MaintenanceSet
    | EnvironmentChanged
    | EnvironmentRead
    | EnvironmentGiven
    | AccessChanged
    | LoggedIn
    | LogInRefused
    | Acted
    | IncidentOpened
    | IncidentUpdated
    | AgentStarted
)


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """An event as the journal holds it: its number (from 1, without gaps) and time (seconds since the epoch)."""

    seq: int
    at: float
    event: AnyEvent

    def flat(self) -> dict[str, object]:
        """The object that `--json` prints: the event's own fields with `seq` and `at`."""
        fields = msgspec.json.decode(_encoder.encode(self.event))
        fields.pop("plan", None)
        if isinstance(self.event, Weighed):
            fields["record"].pop("moments")
        return {"event": fields.pop("event"), "seq": self.seq, "at": round(self.at, 3), **fields}


_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_encoder = msgspec.json.Encoder()


def encode(event: AnyEvent) -> bytes:
    return _encoder.encode(event)


def decode(text: bytes) -> AnyEvent:
    """Raises `msgspec.ValidationError` for what is no event of ours."""
    return _decoder.decode(text)
