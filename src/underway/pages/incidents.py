"""What visitors are told of an app: its incidents, opened, told more of and ended."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from underway.agent.access_api import door_of
from underway.agent.look import app_view
from underway.agent.status_api import give_incident
from underway.agent.status_views import IncidentAsk
from underway.pages.gate import Denied
from underway.pages.looks import standing_of, state_of
from underway.pages.site import Visit
from underway.terms.incident import Impact, IncidentStage


async def show(visit: Visit) -> Response:
    state = state_of(visit)
    view = app_view(visit.agent, state)
    return visit.page(
        "incidents.html",
        view=view,
        standing=standing_of(view),
        tab="incidents",
        incidents=sorted(state.incidents.values(), key=lambda it: -it.opened_at),
        impacts=tuple(Impact),
        stages=tuple(IncidentStage),
        public=door_of(visit.agent).published(),
    )


async def tell(visit: Visit) -> Response:
    state = state_of(visit)
    try:
        ask = IncidentAsk(
            by=visit.session.name,
            text=visit.field("text"),
            title=visit.field("title"),
            impact=Impact(visit.field("impact") or Impact.DEGRADED.value),
            incident=visit.field("incident"),
            stage=IncidentStage(visit.field("stage") or IncidentStage.INVESTIGATING.value),
        )
    except ValueError:
        raise Denied(400, "there is no such impact or stage") from None
    give_incident(visit.agent, state.app, ask)
    return RedirectResponse(f"/apps/{state.app}/incidents", 303)
