"""What a person wants of the release that is on its way, or watched."""

from __future__ import annotations

from underway.flows.gates import not_your_own, not_yours
from underway.journal.act_state import ActState, Phase
from underway.journal.events.acts import Order, Ordered
from underway.journal.journal import Journal
from underway.plan.model import Rollout, read_plan
from underway.terms.problem import Problem, Refusal


def order_release(app: str, order: Order, journal: Journal, *, by: str, account: str = "", because: str = "") -> None:
    """Tell the release on its way what `by` wants; `account` is the account that asked. It is obeyed at the next look,
    or once the release is ready for users. Raises `Refusal` (`release.not-on-its-way`, `release.not-yours`)."""
    held = journal.state(app).act
    rollout = _rollout_of(held)
    if held is None or rollout is None:
        raise Refusal([_not_on_its_way(app)])
    is_onward = order in (Order.ADVANCE, Order.PROMOTE) and not rollout.is_watch
    if is_onward and rollout.approve and rollout.approve.by and by not in rollout.approve.by:
        raise Refusal([not_yours(app, rollout.approve, by)])
    if is_onward and held.by and rollout.approve and rollout.approve.is_second and held.by in (by, account):
        raise Refusal([not_your_own(app, held.by)])
    named = account if account != by else ""
    journal.record(Ordered(app=app, act=held.id, order=order, by=by, account=named, because=because))


def _rollout_of(held: ActState | None) -> Rollout | None:
    """The rollout, or watch, that an act has or is about to have."""
    if held is None or held.phase is not Phase.RUNNING:
        return None
    return next((stage.rollout for stage in read_plan(held.plan).stages if stage.rollout), None)


def _not_on_its_way(app: str) -> Problem:
    return Problem(
        code="release.not-on-its-way",
        where=app,
        why=f"no release of {app} is getting its traffic step by step, and none is watched",
        remedy="an order goes to a release while it is on its way, and while it is watched after that",
        command=f"underway status {app}",
    )
