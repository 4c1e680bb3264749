"""Pages of how apps are kept up: alerts, monitors, error budgets."""

from __future__ import annotations

from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from underway.agent.look import app_view
from underway.pages import charts, figures
from underway.pages.gate import Denied
from underway.pages.looks import standing_of, state_of
from underway.pages.site import Visit
from underway.terms.monitor import Day, MonitorStatus

_DAYS = 90
LENGTHS = ((3_600, "an hour"), (28_800, "eight hours"), (86_400, "a day"), (604_800, "a week"))
"""How long an alert may be silenced here: seconds, and in words."""
_DAY_S = 86_400.0


async def alerts(visit: Visit) -> Response:
    """What is open, the worst first, and what is over."""
    kept = visit.agent.keeping
    return visit.page("alerts.html", alerts=kept.alerts(), cleared=kept.alerts(is_cleared=True))


async def ask_silence(visit: Visit) -> Response:
    """Ask before nobody is told of an alert any more."""
    app, key = visit.query("app"), visit.query("key")
    found = next((it for it in visit.agent.keeping.alerts(app) if it.key == key), None)
    if found is None:
        raise Denied(404, "there is no such alert any more")
    return visit.page("silence.html", it=found, lengths=LENGTHS)


async def answer_alert(visit: Visit) -> Response:
    """Say that somebody looks after an alert, or tell nobody of it for a while."""
    kept, by = visit.agent.keeping, visit.session.name
    app, key = visit.field("app"), visit.field("key")
    match visit.field("do"):
        case "acknowledge":
            kept.acknowledge(app, key, by)
        case "silence":
            for_s = next((each for each, _ in LENGTHS if str(each) == visit.field("for_s")), None)
            if for_s is None:
                raise Denied(400, "there is no such length")
            kept.silence(app, key, by, float(for_s), visit.field("because"))
        case "unsilence":
            kept.silence(app, key, by, 0.0)
        case _:
            raise Denied(400, "there is no such answer")
    return RedirectResponse("/alerts", 303)


async def monitors(visit: Visit) -> Response:
    """The app's monitors with their last ninety days, and its error budgets."""
    state = state_of(visit)
    view = app_view(visit.agent, state)
    found = visit.agent.keeping.monitors(state.app)
    return visit.page(
        "monitors.html",
        view=view,
        standing=standing_of(view),
        tab="monitors",
        monitors=found,
        budgets=visit.agent.keeping.budgets(state.app),
        days={it.name: day_bars(it, visit.now) for it in found},
        kind_of={"up": "good", "down": "bad", "offline": "warn", "maintenance": "warn", "waiting": ""},
    )


def day_bars(monitor: MonitorStatus, now: float) -> Markup:
    """Ninety bars, oldest first; a day without checks is empty."""
    by_day = {int(day.at // _DAY_S): day for day in monitor.days}
    today = int(now // _DAY_S)
    shown = [_bar(by_day.get(day), day * _DAY_S) for day in range(today - _DAYS + 1, today + 1)]
    return charts.day_bars(
        shown, f"{monitor.name}: {figures.percent(monitor.uptime_month)} of checks passed in 30 days"
    )


def _bar(day: Day | None, at: float) -> tuple[str, str]:
    name = figures.clock(at)[:10]
    if day is None or not day.checks:
        return "none", f"{name}: no checks"
    part = day.failed / day.checks
    kind = "good" if not day.failed else "warn" if part < 0.01 else "bad"
    return kind, f"{name}: {figures.percent(1 - part)} of {day.checks:,} checks passed"
