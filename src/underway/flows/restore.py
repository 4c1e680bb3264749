"""What a restore would do."""

from __future__ import annotations

from underway.flows.back_up import manifest_of
from underway.flows.drill import chosen
from underway.flows.facts import url_of
from underway.flows.obstacles import held, unknown
from underway.journal.journal import Journal
from underway.plan.restore import RestoreFacts
from underway.ports.drivers import Drivers
from underway.steps.restore import moment
from underway.terms.backup import Reason
from underway.terms.problem import Problem, Refusal
from underway.terms.release import release_id, require_app_name


def restore_facts(
    app: str, backup_id: str, on: Drivers, journal: Journal, until: float = 0.0, reason: Reason = Reason.RESTORE
) -> RestoreFacts:
    """Raises `Refusal` when there is nothing to restore, or when it is known to be damaged."""
    state = journal.state(require_app_name(app))
    if problems := [*unknown(state), *held(state)]:
        raise Refusal(problems)
    manifest = manifest_of(app, journal)
    safety = release_id(on.clock.now(), on.clock.entropy())
    if until:
        span = on.points.span()
        if span is None or not span[0] <= until <= on.clock.now():
            raise Refusal([_no_point(app, until, span)])
        point = release_id(on.clock.now() + 0.001, on.clock.entropy())
        url = url_of(app, on)
        return RestoreFacts(
            state=state, manifest=manifest, backup=None, safety=safety, url=url, reason=reason, until=until, point=point
        )
    kept = chosen(app, backup_id, on)
    if kept.damage:
        raise Refusal([_damaged(app, kept.backup.id, kept.damage)])
    return RestoreFacts(
        state=state,
        manifest=manifest,
        backup=kept.backup,
        safety=safety,
        url=url_of(app, on),
        reason=reason,
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
