"""The main story: a repository becomes the live release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from underway.detect.model import Claim
from underway.flows.budgets import overspent
from underway.flows.facts import NO_WISHES, DeployWishes, RollbackWishes, deploy_facts, down_facts, rollback_facts
from underway.flows.rehearse import rehearsal_plan
from underway.flows.restore import restore_facts
from underway.journal.events.acts import ActKind, ActStarted, BudgetOverdrawn, Planned
from underway.journal.events.every_event import AnyEvent
from underway.journal.journal import Journal
from underway.plan.deploy import plan_deploy
from underway.plan.model import Plan
from underway.plan.restore import plan_restore
from underway.plan.rollback import plan_down, plan_rollback
from underway.ports.drivers import Drivers
from underway.steps.step import Act
from underway.terms.problem import Problem, Refusal
from underway.terms.secret import Secret

MOST_REASON = 300
"""So many letters of a reason are kept."""


class Planning(NamedTuple):
    """A plan that can be shown and then run, and what it rests on."""

    plan: Plan
    as_of: int
    """The number of the app's last event when the facts were read: the plan is stale once there is a newer one."""
    claims: tuple[Claim, ...] = ()
    manifest: str = ""
    secrets: Mapping[str, Secret] = MappingProxyType({})
    by: str = ""
    """Who asked for it."""
    overdrawn: Overdrawn | None = None


class Overdrawn(NamedTuple):
    """Why a release is begun though an error budget is spent, and what is spent."""

    because: str
    says: str


async def prepare_deploy(
    path: str, name: str, on: Drivers, journal: Journal, wishes: DeployWishes = NO_WISHES
) -> Planning:
    """Facts → plan. Changes nothing. Raises `Refusal` with all problems at once."""
    facts, claims = await deploy_facts(path, name, on, journal, wishes)
    overdrawn = None
    because = wishes.spend_budget.strip()[:MOST_REASON]
    if because and (spent := overspent(facts.state, on.metrics, on.clock.now())):
        says = "; ".join(f"the error budget {it.name} is spent: {it.says}" for it in spent)
        overdrawn = Overdrawn(because, says)
        facts = replace(facts, notes=(*facts.notes, f"{says}. It is released all the same: {because}"))
    plan = plan_deploy(facts)
    return Planning(plan, facts.state.as_of, claims, facts.manifest_text, facts.secrets, overdrawn=overdrawn)


async def prepare_rehearsal(app: str, release: str, on: Drivers, journal: Journal) -> Planning:
    plan, as_of, claims = await rehearsal_plan(app, release, on, journal)
    return Planning(plan, as_of, claims)


async def prepare_rollback(app: str, to: str, on: Drivers, journal: Journal, wishes: RollbackWishes) -> Planning:
    facts = await rollback_facts(app, to, on, journal, wishes)
    return Planning(plan_rollback(facts), facts.state.as_of)


def prepare_restore(
    app: str,
    to: str,
    on: Drivers,
    journal: Journal,
    *,
    until: float = 0.0,
    is_copied: bool = False,
    reset: bool = False,
) -> Planning:
    """To a backup (the newest good one for none named), to a moment, or to what was copied in beside the data."""
    facts = restore_facts(app, to, on, journal, until=until, is_copied=is_copied, is_reset=reset)
    return Planning(plan_restore(facts), facts.state.as_of)


def prepare_down(app: str, on: Drivers, journal: Journal) -> Planning:
    facts = down_facts(app, on, journal)
    return Planning(plan_down(facts), facts.state.as_of)


def take_lease(planning: Planning, act_id: str, owner: str, on: Drivers, journal: Journal) -> Act:
    """Hold the app for this plan. Raises `Refusal` when someone else does, or when the plan is stale."""
    plan = planning.plan
    state = journal.state(plan.app)
    if state.act or state.as_of != planning.as_of:
        raise Refusal([_stale(plan)])
    for name, value in planning.secrets.items():
        on.vault.put(plan.app, name, value)
    events: list[AnyEvent] = [
        ActStarted(
            app=plan.app,
            act=act_id,
            kind=plan.kind,
            release=plan.release,
            owner=owner,
            log_offset=on.request_log.end(),
            path=plan.path,
            by=planning.by,
        ),
        Planned(
            app=plan.app,
            act=act_id,
            digest=plan.digest,
            steps=plan.lines(),
            notes=plan.notes,
            plan=msgspec.Raw(plan.text()),
        ),
    ]
    if (over := planning.overdrawn) is not None:
        events.append(
            BudgetOverdrawn(
                app=plan.app, act=act_id, release=plan.release, because=over.because, says=over.says, by=planning.by
            )
        )
    journal.record(*events)
    return Act(plan.app, act_id)


def _stale(plan: Plan) -> Problem:
    what = "a rollback" if plan.kind is ActKind.ROLLBACK else f"a {plan.kind.value}"
    return Problem(
        code="plan.stale",
        where=plan.app,
        why=f"{plan.app} changed after {what} of it was planned, so the plan may not fit any more",
        remedy="ask again; nothing was changed",
        command=f"underway status {plan.app}",
    )
