"""Pages that show: apps at a glance, one app, an act as it happens, releases and their evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple

from markupsafe import Markup
from starlette.responses import Response

from underway.agent.look import app_view, release_views, status_view
from underway.agent.views import AppView, ReleaseView
from underway.flows.explain import explain
from underway.flows.gates import needs_approval
from underway.journal.app_state import AppState
from underway.pages import charts, figures
from underway.pages.gate import PICTURE_POLICY
from underway.pages.site import Visit
from underway.pages.story import Story, tell
from underway.pictures.rollout import FOR, draw
from underway.pictures.sheet import Theme
from underway.terms.problem import Problem, Refusal
from underway.terms.release import no_such_app

_SPARK_MINUTES = 60
SPANS = {"1h": 3600.0, "6h": 21_600.0, "24h": 86_400.0, "7d": 604_800.0, "30d": 2_592_000.0, "90d": 7_776_000.0}


class Standing(NamedTuple):
    """An app in one word, and the colour of it."""

    word: str
    kind: str


def standing_of(view: AppView) -> Standing:
    if view.act is not None:
        return Standing(
            "waits for a person" if view.act.rollout and view.act.rollout.paused else f"{view.act.kind.value} going on",
            "busy",
        )
    if view.is_in_maintenance:
        return Standing("maintenance", "warn")
    if not view.live:
        return Standing("down", "")
    return Standing("look here", "bad") if view.troubles else Standing("live", "good")


def state_of(visit: Visit) -> AppState:
    """The app that the address names. Raises `Refusal` (`app.unknown`)."""
    app = visit.path("app")
    states = visit.agent.journal.states()
    if app in states:
        return states[app]
    raise Refusal([no_such_app(app)])


async def glance(visit: Visit) -> Response:
    """Every app in a few words."""
    return visit.page("glance.html", **glance_of(visit))


def glance_of(visit: Visit) -> dict[str, object]:
    status = status_view(visit.agent)
    minute = int(visit.now // 60)
    sparks = {}
    for view in status.apps:
        minutes = visit.agent.books.of(view.app).minutes
        counts = [minutes.get(minute - back, 0) for back in range(_SPARK_MINUTES, 0, -1)]
        sparks[view.app] = charts.spark(counts, f"Requests of the last hour: {sum(counts):,}")
    return {
        "status": status,
        "standing_of": standing_of,
        "sparks": sparks,
        "live_traffic": live_traffic,
        "memory": memory,
    }


def live_traffic(view: AppView) -> object:
    return view.traffic.get(view.live)


def memory(view: AppView) -> int:
    """What all instances of the live release use."""
    return sum(it.memory_bytes for it in view.instances if it.release == view.live)


async def overview(visit: Visit) -> Response:
    """One app: how it is, over time, and what was done to it."""
    return visit.page("overview.html", **overview_of(visit))


def overview_of(visit: Visit) -> dict[str, object]:
    state = state_of(visit)
    view = app_view(visit.agent, state)
    alerts = visit.agent.keeping.alerts(state.app)
    return {
        "view": view,
        "standing": standing_of(view),
        "tab": "overview",
        "traffic": live_traffic(view),
        "memory": memory(view),
        "releases": release_views(state)[:6],
        "answered": visit.agent.books.of(state.app).traffic(),
        "alerts": alerts,
        "troubles": [each for each in view.troubles if not any(each.startswith(it.problem.why) for it in alerts)],
        "spending": visit.agent.keeping.spending(state.app),
        "health": visit.agent.keeping.health(state.app, is_deep=True),
        **over_time(visit, state.app),
        **act_of(visit, state, state.act.id if state.act else ""),
    }


def over_time(visit: Visit, app: str) -> dict[str, object]:
    """The app's figures as charts on one time axis, with its releases marked."""
    span = visit.query("span") if visit.query("span") in SPANS else "1h"
    visit.agent.books.catch_up()
    found = visit.agent.keeping.figures(app, visit.now - SPANS[span], visit.now, 120)
    whole = found.whole
    flags = [charts.Flag(mark.at, mark.release, mark.outcome not in ("live", "", "done")) for mark in found.marks]
    asked = [served + failed for served, failed in zip(whole.served, whole.failed, strict=True)]
    began = next((place for place, value in enumerate(asked) if value), len(asked))
    per_s = [value / found.step_s if place >= began else None for place, value in enumerate(asked)]
    failed = [float(value) if place >= began else None for place, value in enumerate(whole.failed)]

    def drawn(title: str, says: Callable[[float], str], *strokes: charts.Stroke) -> Markup:
        return charts.chart(title, found.at, found.until, strokes, says, flags)

    line = charts.Stroke
    return {
        "span": span,
        "spans": tuple(SPANS),
        "sum": whole.sum,
        "charts": (
            ("Requests a second", drawn("Requests a second", figures.rate, line(per_s))),
            ("Failed requests", drawn("Failed requests", figures.count, line(failed, "bad"))),
            ("95 of 100 answered within", drawn("95 of 100 answered within", figures.milliseconds, line(whole.p95_ms))),
            ("Memory", drawn("Memory", figures.size, line(whole.memory_bytes))),
        ),
    }


async def act(visit: Visit) -> Response:
    """One act: as it happens, and afterwards for good."""
    return visit.page("act.html", **act_page(visit))


def act_page(visit: Visit) -> dict[str, object]:
    state = state_of(visit)
    found = act_of(visit, state, visit.path("act"))
    story = found["story"]
    if not isinstance(story, Story) or story.kind is None:
        why = f"{state.app} has no act {visit.path('act')[:40]!r}"
        raise Refusal([Problem(code="act.unknown", where=state.app, why=why, remedy="see its releases")])
    view = app_view(visit.agent, state)
    return {"view": view, "standing": standing_of(view), "tab": "releases", **found}


def act_of(visit: Visit, state: AppState, act_id: str) -> dict[str, object]:
    """The story of an act with what is known of it right now."""
    if not act_id:
        return {"story": None, "rollout": None, "is_waiting_for_approval": False}
    story = tell(act_id, visit.agent.journal.read(app=state.app, act=act_id))
    view = app_view(visit.agent, state)
    now = next((it for it in (view.act, view.watching) if it and it.id == act_id), None)
    return {
        "story": story,
        "rollout": now.rollout if now else None,
        "both_charts": both_over_time(visit, state.app) if now else (),
        "needs_approval": needs_approval(state),
        "is_under_way": now is not None,
        "share_bar": charts.share_bar,
        "strength_bar": charts.strength_bar,
        "for_kinds": FOR,
    }


def both_over_time(visit: Visit, app: str) -> tuple[tuple[str, Markup], ...]:
    """The release on its way against the one that runs, as far as it came."""
    rolling = visit.agent.rollouts.get(app)
    if rolling is None or not rolling.kept.told.chronicle.moments:
        return ()
    chronicle = rolling.kept.told.chronicle
    moments = chronicle.moments
    at = [chronicle.began_at + it.at_s for it in moments]
    until = max(chronicle.began_at + chronicle.noted_s, at[-1] + 1)
    lengths = [max(after - before, 0.5) for before, after in zip(at, [*at[1:], until], strict=True)]

    def drawn(
        title: str, says: Callable[[float], str], new: Sequence[float | None], old: Sequence[float | None]
    ) -> tuple[str, Markup]:
        strokes = [charts.Stroke(new, "new"), charts.Stroke(old)]
        return title, charts.chart(title, at, until, strokes, says)

    def per_s(counts: list[int]) -> list[float | None]:
        return [count / length for count, length in zip(counts, lengths, strict=True)]

    return (
        drawn(
            "Requests a second",
            figures.rate,
            per_s([it.served + it.failed for it in moments]),
            per_s([it.stable_served + it.stable_failed for it in moments]),
        ),
        drawn(
            "Failed requests, added up",
            figures.count,
            list(accumulate(float(it.failed) for it in moments)),
            list(accumulate(float(it.stable_failed) for it in moments)),
        ),
        drawn(
            "95 of 100 answered within",
            figures.milliseconds,
            [it.p95_ms or None for it in moments],
            [it.stable_p95_ms or None for it in moments],
        ),
        drawn(
            "Memory",
            figures.size,
            [float(it.memory_bytes) or None for it in moments],
            [float(it.stable_memory_bytes) or None for it in moments],
        ),
    )


async def releases(visit: Visit) -> Response:
    """All releases of an app, newest first."""
    state = state_of(visit)
    view = app_view(visit.agent, state)
    return visit.page(
        "releases.html",
        view=view,
        standing=standing_of(view),
        tab="releases",
        releases=release_views(state),
        answered=visit.agent.books.of(state.app).traffic(),
    )


async def release(visit: Visit) -> Response:
    """One release and everything its verdict rests on."""
    state = state_of(visit)
    found = _release(visit, state)
    view = app_view(visit.agent, state)
    explained, why_not = None, ""
    try:
        explained = await explain(state.app, found.id, visit.agent.on, visit.agent.journal)
    except Refusal as refusal:
        why_not = refusal.problems[0].why
    return visit.page(
        "release.html",
        view=view,
        standing=standing_of(view),
        tab="releases",
        it=found,
        explained=explained,
        why_not=why_not,
        strength_bar=charts.strength_bar,
        for_kinds=FOR,
    )


def _release(visit: Visit, state: AppState) -> ReleaseView:
    name = visit.path("release")
    for it in release_views(state):
        if it.id == name:
            return it
    why = f"{state.app} has no release {name[:40]!r}"
    raise Refusal([Problem(code="release.unknown", where=state.app, why=why, remedy="see its releases")])


async def picture(visit: Visit) -> Response:
    """Both releases over time, as a picture that follows the reader's light or dark ground."""
    state = state_of(visit)
    found = await explain(state.app, _release(visit, state).id, visit.agent.on, visit.agent.journal)
    if found.record is None or not found.record.moments:
        why = "it was not compared with another over time"
        raise Refusal([Problem(code="picture.unknown", where=found.release, why=why, remedy="see its verdict")])
    width = min(max(int(visit.query("width")), 320), 1200) if visit.query("width").isdigit() else 760
    svg = draw(state.app, found.record, found.verdict, found.judged_at, width=width, theme=Theme.AUTO)
    headers = {"Content-Security-Policy": PICTURE_POLICY}
    return Response(svg, media_type="image/svg+xml", headers=headers)
