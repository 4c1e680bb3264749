"""Facts → the plan of a restore. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from underway.journal.app_state import AppState
from underway.journal.events.acts import ActKind
from underway.manifest.model import Manifest
from underway.plan.model import Plan, Stage
from underway.plan.parts import backup_ask, env_of, host_of, workers_of
from underway.steps.back_up import BackUp
from underway.steps.check_health import CheckHealth
from underway.steps.every_step import EveryStep
from underway.steps.pause_app import ContinueApp, PauseApp, ShowApp
from underway.steps.restore import DropFormer, RecoverPoint, RestoreBeside, SwapData
from underway.terms.backup import Backup, Content, Reason


@dataclass(frozen=True)
class RestoreFacts:
    """The world as it was when a restore was asked for. `safety` is the id of the backup that is made first.

    What is restored is `backup`, or the database as it was at a moment."""

    state: AppState
    manifest: Manifest
    backup: Backup | None
    safety: str
    url: str
    reason: Reason = Reason.RESTORE
    until: float = 0.0
    """With no backup: the moment that is recovered, as the backup `point`, of PostgreSQL where there is one
    (`has_postgres`) and of these SQLite databases among the shared files (`shared`)."""
    has_postgres: bool = True
    shared: tuple[str, ...] = ()
    point: str = ""
    unproven: str = ""
    """Set where the backup was never restored: which one, and how old it is."""
    is_copied: bool = False
    """What is beside the live database already takes its place; neither a backup nor a moment is restored."""


def plan_restore(facts: RestoreFacts) -> Plan:
    """Back up what is live, restore beside it, swap while the app is paused, and start the app on it."""
    state, manifest, backup = facts.state, facts.manifest, facts.backup
    has_postgres = backup.database is not None if backup else facts.has_postgres
    parts = backup.parts if backup else ()
    shared = tuple(part.source for part in parts if part.content is not Content.POSTGRES) or facts.shared
    source = backup.id if backup else facts.point
    former = f"former-{facts.safety}"
    steps: list[EveryStep] = [
        BackUp(ask=backup_ask(manifest, facts.safety, facts.reason, state)),
    ]
    if backup is None and not facts.is_copied:
        keys = manifest.backup
        steps.append(
            RecoverPoint(
                backup=source,
                until=facts.until,
                release=state.live,
                recipients=keys.recipients,
                has_postgres=has_postgres,
                shared=shared,
            )
        )
    if not facts.is_copied:
        steps.append(RestoreBeside(backup=source))
    swap = SwapData(backup=source, former=former, has_postgres=has_postgres, shared=shared)
    replace: list[EveryStep] = [swap]
    live = state.live_release
    slot = state.slots.get(state.live_slot) if state.live_slot else None
    if live and slot and state.live_slot:
        release, key, ports = state.live, live.release.build_key, slot.ports
        web, workers, env = manifest.processes.get("web"), workers_of(manifest), env_of(manifest, release)
        at = state.live_slot
        replace = [
            PauseApp(release=release, slot=at, key=key, ports=ports, web=web, workers=workers, env=env),
            swap,
            ContinueApp(release=release, slot=at, key=key, ports=ports, web=web, workers=workers, env=env),
        ]
        if web:
            replace.append(CheckHealth(release=release, health=manifest.health, host=host_of(manifest)))
        replace.append(ShowApp(stays=state.is_in_maintenance))
    stages = [Stage(name="prepare", steps=tuple(steps)), Stage(name="replace", steps=tuple(replace))]
    if state.former_database and state.former_database != former:
        drop = DropFormer(former=state.former_database, has_postgres=has_postgres, shared=shared)
        stages.append(Stage(name="finish", steps=(drop,)))
    return Plan(
        kind=ActKind.RESTORE,
        app=manifest.app,
        release=state.live,
        was=state.live,
        url=facts.url,
        stages=tuple(stages),
        notes=_notes(facts),
    )


def _notes(facts: RestoreFacts) -> tuple[str, ...]:
    notes = [
        f"What was written since then is not in it. It stays in backup {facts.safety}, which is made"
        " first, and in the data that is replaced."
    ]
    if facts.unproven:
        notes.insert(0, f"{facts.unproven}: nobody has restored it yet. It is compared before anything is replaced.")
    if facts.backup and facts.backup.migrations and facts.backup.migrations != facts.state.migrations:
        notes.append(
            "The backup is from before the latest migration: the live release may not run on it. Deploy after it to"
            " migrate again, or roll back to the release of that time."
        )
    return tuple(notes)
