"""Accounts and tokens: who may use the dashboard."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from underway.access.rights import Role, Scope
from underway.agent import access_api
from underway.pages.gate import Denied
from underway.pages.site import Visit

_DAY_S = 86_400.0


async def show(visit: Visit) -> Response:
    return visit.page(
        "people.html", access=access_api.show(visit.agent), roles=tuple(Role), scopes=tuple(Scope), token=""
    )


async def change(visit: Visit) -> Response:
    """One change, named by the form's button. Accounts are made on the machine itself: there the password is asked."""
    access, by = visit.agent.access, visit.session.name
    name = visit.field("name")
    match visit.field("do"):
        case "role":
            access.set_role(name, _role(visit), by)
        case "close":
            access.close_account(name, by)
        case "revoke":
            access.revoke_token(visit.field("token"), by)
        case "make-token":
            scopes = tuple(scope for scope in Scope if visit.field(f"scope_{scope.value}"))
            days = visit.field("days")
            life_s = int(days) * _DAY_S if days.isascii() and days.isdigit() and len(days) < 5 else 0.0
            made = access.make_token(name, scopes, life_s, by)
            shown = access_api.show(visit.agent)
            return visit.page("people.html", access=shown, roles=tuple(Role), scopes=tuple(Scope), token=made)
        case _:
            raise Denied(400, "there is no such change")
    return RedirectResponse("/people", 303)


def _role(visit: Visit) -> Role:
    try:
        return Role(visit.field("role"))
    except ValueError:
        raise Denied(400, "there is no such role") from None
