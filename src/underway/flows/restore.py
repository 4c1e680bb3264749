"""What a restore would do."""

from __future__ import annotations

from underway.flows.back_up import manifest_of, no_snapshot
from underway.flows.drill import chosen
from underway.flows.facts import url_of
from underway.flows.obstacles import held, unknown
from underway.journal.journal import Journal
from underway.keep.worth import age, condition, is_named_production
from underway.manifest.model import Manifest
from underway.plan.restore import RestoreFacts
from underway.ports.drivers import Drivers
from underway.steps.restore import moment
from underway.terms.backup import Condition, Kept, Reason
from underway.terms.problem import Problem, Refusal
from underway.terms.release import release_id, require_app_name


def restore_facts(
    app: str,
    to: str,
    on: Drivers,
    journal: Journal,
    *,
    until: float = 0.0,
    is_copied: bool = False,
    is_reset: bool = False,
) -> RestoreFacts:
    """Raises `Refusal` when there is nothing to restore, or when it is known to be damaged."""
    state = journal.state(require_app_name(app))
    if problems := [*unknown(state), *held(state)]:
        raise Refusal(problems)
    manifest = manifest_of(app, journal)
    safety = release_id(on.clock.now(), on.clock.entropy())
    reason = Reason.RESET if is_reset else Reason.RESTORE
    if is_copied:
        return RestoreFacts(
            state=state,
            manifest=manifest,
            backup=None,
            safety=safety,
            url=url_of(app, on),
            reason=reason,
            point="copied",
            is_copied=True,
        )
    if until:
        postgres, span = manifest.services.postgres, on.points.span()
        has_postgres = postgres is not None and not postgres.url
        shared = on.replicas.held(app, until)
        is_held = span is not None and span[0] <= until if has_postgres else bool(shared)
        if not is_held or until > on.clock.now():
            raise Refusal([_no_point(app, until, span if has_postgres else None)])
        return RestoreFacts(
            state=state,
            manifest=manifest,
            backup=None,
            safety=safety,
            url=url_of(app, on),
            reason=reason,
            until=until,
            point=release_id(on.clock.now() + 0.001, on.clock.entropy()),
            has_postgres=has_postgres,
            shared=shared,
        )
    kept = _snapshot(manifest, to, on) if is_reset else chosen(app, to, on)
    if kept.damage:
        raise Refusal([_damaged(app, kept.backup.id, kept.damage)])
    unproven = ""
    if condition(kept) is Condition.UNPROVEN:
        unproven = f"Backup {kept.backup.id} is {age(max(0.0, on.clock.now() - kept.backup.at))} old and unproven"
    return RestoreFacts(
        state=state,
        manifest=manifest,
        backup=kept.backup,
        unproven=unproven,
        safety=safety,
        url=url_of(app, on),
        reason=reason,
    )


def _snapshot(manifest: Manifest, name: str, on: Drivers) -> Kept:
    """The newest snapshot of that name, or of any. Raises `Refusal` (`reset.production`, `reset.none`)."""
    if is_named_production(manifest.app):
        raise Refusal([_named_production(manifest.app)])
    if not manifest.backup.may_reset:
        raise Refusal([_production(manifest.app)])
    found = [kept for kept in on.backups.all(manifest.app) if kept.backup.name and name in ("", kept.backup.name)]
    if not found:
        raise Refusal([no_snapshot(manifest.app, name)])
    return found[0]


def _named_production(app: str) -> Problem:
    return Problem(
        code="reset.production",
        where=app,
        why=f"{app} is called what it is: production; its data is not thrown away, whatever its manifest allows",
        remedy="to put its data back, restore a backup: what is live is kept",
        command=f"underway db restore {app}",
    )


def _production(app: str) -> Problem:
    return Problem(
        code="reset.production",
        where=app,
        why=f"{app} is not a demo or a staging place, so its data is not thrown away",
        remedy="where it is one, say so in its manifest: [backup] may_reset = true",
        command=f"underway db restore {app}",
    )


def _no_point(app: str, until: float, span: tuple[float, float] | None) -> Problem:
    can = f"from {moment(span[0])} until now" if span else "none: [backup] continuous is not on, or is too new"
    return Problem(
        code="points.no-base",
        where=f"{app} {moment(until)}",
        why=f"this moment cannot be recovered; what can is {can}",
        remedy="name a moment in between, or restore a backup",
        command=f"underway db backups {app}",
    )


def _damaged(app: str, backup_id: str, damage: str) -> Problem:
    return Problem(
        code="backup.damaged",
        where=f"{app} {backup_id}",
        why=f"the backup is damaged: {damage}",
        remedy="choose another one",
        command=f"underway db backups {app}",
    )
