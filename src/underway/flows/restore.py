"""What a restore would do."""

from __future__ import annotations

from underway.flows.back_up import manifest_of
from underway.flows.drill import chosen
from underway.flows.facts import url_of
from underway.flows.obstacles import held, unknown
from underway.journal.journal import Journal
from underway.plan.restore import RestoreFacts
from underway.ports.drivers import Drivers
from underway.terms.backup import Reason
from underway.terms.problem import Problem, Refusal
from underway.terms.release import release_id, require_app_name


def restore_facts(
    app: str, backup_id: str, on: Drivers, journal: Journal, reason: Reason = Reason.RESTORE
) -> RestoreFacts:
    """Raises `Refusal` when there is nothing to restore, or when it is known to be damaged."""
    state = journal.state(require_app_name(app))
    if problems := [*unknown(state), *held(state)]:
        raise Refusal(problems)
    kept = chosen(app, backup_id, on)
    if kept.damage:
        raise Refusal([_damaged(app, kept.backup.id, kept.damage)])
    return RestoreFacts(
        state=state,
        manifest=manifest_of(app, journal),
        backup=kept.backup,
        safety=release_id(on.clock.now(), on.clock.entropy()),
        url=url_of(app, on),
        reason=reason,
    )


def _damaged(app: str, backup_id: str, damage: str) -> Problem:
    return Problem(
        code="backup.damaged",
        where=f"{app} {backup_id}",
        why=f"the backup is damaged: {damage}",
        remedy="choose another one",
        command=f"underway db backups {app}",
    )
