"""Pages that do: each asks first, showing what will happen, and then does just that."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from underway.access.rights import rights_for_order
from underway.agent.look import app_view, plan_view, release_views
from underway.agent.views import MaintenanceAsk, PlanAsk
from underway.flows.gates import needs_approval
from underway.flows.order import order_release
from underway.journal.events.acts import ActKind, Order
from underway.journal.events.people import Acted
from underway.pages.gate import Denied
from underway.pages.looks import standing_of, state_of
from underway.pages.site import Visit
from underway.terms.problem import Problem, Refusal

_ORDERS = {
    Order.HOLD: ("Hold it where it is", "Its share of visitors stays as it is. A bad release is still taken back.", ""),
    Order.ADVANCE: ("Let it go on", "It gets its next share of visitors now.", "main"),
    Order.PROMOTE: ("Give it everybody", "It gets all visitors now; the watch over it goes on.", "main"),
    Order.ABORT: ("Take it back", "Everybody gets the release that ran before.", "danger"),
}


async def ask_rollback(visit: Visit) -> Response:
    """Show the plan of a rollback. The plan that is shown is the plan that the button runs."""
    state = state_of(visit)
    view = app_view(visit.agent, state)
    to = visit.query("to")
    plan_id, planning = await visit.agent.plan(
        PlanAsk(kind=ActKind.ROLLBACK, app=state.app, to=to, by=visit.session.name)
    )
    return visit.page(
        "rollback.html",
        view=view,
        standing=standing_of(view),
        tab="releases",
        plan=plan_view(plan_id, planning),
        others=[it for it in release_views(state) if it.state in ("warm", "kept")],
    )


async def roll_back(visit: Visit) -> Response:
    state = state_of(visit)
    plan_id = visit.field("plan")
    kept = visit.agent.plans.look(plan_id)
    is_ours = kept is not None and kept.by == visit.session.name and kept.plan.app == state.app
    if kept is None or not is_ours or kept.plan.kind is not ActKind.ROLLBACK:
        why = "this plan was run already, is too old, or is another one"
        raise Refusal([Problem(code="plan.unknown", where=state.app, why=why, remedy="ask for a new one")])
    act, planning = visit.agent.run(plan_id)
    _note(visit, state.app, f"rollback to {planning.plan.release}")
    return RedirectResponse(f"/apps/{state.app}/acts/{act}", 303)


async def ask_order(visit: Visit) -> Response:
    """Say what an order to the release on its way means."""
    state, order = state_of(visit), _order(visit)
    _require(visit, order)
    view = app_view(visit.agent, state)
    title, means, kind = _ORDERS[order]
    return visit.page(
        "order.html",
        view=view,
        standing=standing_of(view),
        tab="overview",
        order=order,
        title=title,
        means=means,
        kind=kind,
        act=view.act or view.watching,
    )


async def give_order(visit: Visit) -> Response:
    state, order = state_of(visit), _order(visit)
    _require(visit, order)
    act = state.act.id if state.act else ""
    name = visit.session.name
    because = visit.field("because")
    order_release(state.app, order, visit.agent.journal, by=name, account=name, because=because)
    return RedirectResponse(f"/apps/{state.app}/acts/{act}", 303)


async def ask_maintenance(visit: Visit) -> Response:
    state = state_of(visit)
    view = app_view(visit.agent, state)
    return visit.page("maintenance.html", view=view, standing=standing_of(view), tab="overview")


async def set_maintenance(visit: Visit) -> Response:
    state = state_of(visit)
    is_on = visit.field("is_on") == "true"
    visit.agent.set_maintenance(state.app, MaintenanceAsk(is_on=is_on, by=visit.session.name))
    return RedirectResponse(f"/apps/{state.app}", 303)


def _order(visit: Visit) -> Order:
    try:
        return Order(visit.path("order"))
    except ValueError:
        raise Denied(404, "there is no such order") from None


def _require(visit: Visit, order: Order) -> None:
    """Raises `Denied` (403): an approval is for approvers, the rest as in `rights_for_order`."""
    is_onward = order in (Order.ADVANCE, Order.PROMOTE)
    needed = rights_for_order(is_onward=is_onward, needs_approval=needs_approval(state_of(visit)))
    if not needed & visit.session.rights:
        raise Denied(403, f"{visit.session.name} may look, but not do this")


def _note(visit: Visit, app: str, what: str) -> None:
    visit.agent.journal.record(Acted(app=app, by=visit.session.name, what=what, because=visit.field("because")))
