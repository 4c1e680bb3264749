"""The status page: what visitors may know of apps, as a few files that any server can serve."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jinja2
import msgspec
from markupsafe import Markup

from underway.journal.app_state import AppState
from underway.pages import charts, figures
from underway.terms.incident import Impact, Incident, IncidentStage
from underway.terms.monitor import MonitorState, MonitorStatus

DAYS = 90
_DAY_S = 86_400.0
_HERE = Path(__file__).parent
_KINDS = {Impact.NOTICE: "none", Impact.DEGRADED: "warn", Impact.DOWN: "bad"}
_WORDS = {"good": "works", "warn": "disturbed", "bad": "down", "maintenance": "in maintenance"}


class Component(NamedTuple):
    """One app as visitors see it. `kind` is good | warn | bad | maintenance; `uptime` the share of checks that passed
    (or of the time without an incident) in 90 days."""

    name: str
    kind: str
    says: str
    uptime: float | None
    bars: Markup


def render(
    title: str,
    address: str,
    apps: Iterable[tuple[AppState, list[MonitorStatus]]],
    now: float,
    *,
    takes_subscribers: bool = False,
) -> dict[str, bytes]:
    """The files of the status page by name: a page, its style, a feed, and the same as JSON. They change when
    something happens, and with the day."""
    known = list(apps)
    components = [_component(state, monitors, now) for state, monitors in known]
    since = now - DAYS * _DAY_S
    told = (it for state, _ in known for it in state.incidents.values() if not it.ended_at or it.ended_at > since)
    incidents = sorted(told, key=lambda it: -it.opened_at)
    going_on = [it for it in incidents if not it.ended_at]
    worst = next((kind for kind in ("bad", "warn", "maintenance") if any(it.kind == kind for it in components)), "good")
    says = {"good": "Everything works", "warn": "Something is disturbed", "bad": "Something is down"}
    shown: dict[str, object] = {
        "title": title,
        "address": address,
        "components": components,
        "going_on": going_on,
        "over": [it for it in incidents if it.ended_at],
        "worst": worst,
        "says": says.get(worst, "Work is being done"),
        "takes_subscribers": takes_subscribers,
        "impacts": {impact: _KINDS[impact] for impact in Impact},
    }
    return {
        "index.html": _page("status.html", shown),
        "feed.xml": _page("status.xml", shown),
        "status.json": _as_json(title, components, incidents, worst),
        "style.css": (_HERE / "assets" / "style.css").read_bytes(),
        "mark.svg": (_HERE / "assets" / "mark.svg").read_bytes(),
    }


def _component(state: AppState, monitors: list[MonitorStatus], now: float) -> Component:
    today = int(now // _DAY_S)
    first = min((it.live_since for it in state.releases.values() if it.live_since), default=now)
    checks: dict[int, list[int]] = {}
    for monitor in monitors:
        for counted in monitor.days:
            sums = checks.setdefault(int(counted.at // _DAY_S), [0, 0])
            sums[0] += counted.checks
            sums[1] += counted.failed
    days = []
    for day in range(today - DAYS + 1, today + 1):
        known = checks.get(day, [0, 0])
        told = [it for it in state.incidents.values() if _touches(it, day * _DAY_S, now)]
        days.append(_bar(day, known[0], known[1], told, day >= int(first // _DAY_S)))
    made, failed = (sum(each[place] for each in checks.values()) for place in (0, 1))
    uptime = 1 - failed / made if made else _up_by_incidents(state, max(first, now - DAYS * _DAY_S), now)
    kind = _now(state, monitors)
    told_bars = f"{state.app}: {figures.percent(uptime)} in {DAYS} days"
    return Component(state.app, kind, _WORDS[kind], uptime, charts.day_bars(days, told_bars))


def _now(state: AppState, monitors: list[MonitorStatus]) -> str:
    impacts = {it.impact for it in state.incidents.values() if not it.ended_at}
    if Impact.DOWN in impacts or any(it.state is MonitorState.DOWN for it in monitors):
        return "bad"
    if Impact.DEGRADED in impacts:
        return "warn"
    return "maintenance" if state.is_in_maintenance else "good" if state.live else "bad"


def _bar(day: int, checks: int, failed: int, incidents: list[Incident], is_known: bool) -> tuple[str, str]:
    name = time.strftime("%Y-%m-%d", time.gmtime(day * _DAY_S))
    worst = next((it for it in (Impact.DOWN, Impact.DEGRADED) if any(each.impact is it for each in incidents)), None)
    part = failed / checks if checks else 0.0
    says = [f"{figures.percent(1 - part)} of {checks:,} checks passed"] if checks else []
    says += [it.title for it in incidents]
    if worst is None and not checks and not is_known:
        return "none", f"{name}: not known"
    kind = _KINDS[worst] if worst else "bad" if part >= 0.01 else "warn" if failed else "good"
    return kind, f"{name}: {'; '.join(says) or 'no incident'}"


def _touches(incident: Incident, day_at: float, now: float) -> bool:
    return incident.opened_at < day_at + _DAY_S and (incident.ended_at or now) >= day_at


def _up_by_incidents(state: AppState, since: float, now: float) -> float | None:
    """The share of the time in which no incident said that it was down."""
    if now <= since:
        return None
    down = [
        (max(it.opened_at, since), it.ended_at or now)
        for it in state.incidents.values()
        if it.impact is Impact.DOWN and (it.ended_at or now) > since
    ]
    lost, until = 0.0, since
    for began, ended in sorted(down):
        lost += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return 1 - lost / (now - since)


def _as_json(title: str, components: list[Component], incidents: list[Incident], worst: str) -> bytes:
    return msgspec.json.encode(
        {
            "title": title,
            "state": worst,
            "components": [{"name": it.name, "state": it.kind, "uptime": it.uptime} for it in components],
            "incidents": [
                {
                    "id": it.id,
                    "component": it.app,
                    "title": it.title,
                    "impact": it.impact,
                    "stage": it.stage,
                    "opened_at": it.opened_at,
                    "ended_at": it.ended_at,
                    "updates": [{"at": u.at, "stage": u.stage, "text": u.text} for u in it.updates],
                }
                for it in incidents
            ],
        }
    )


def _page(template: str, shown: dict[str, object]) -> bytes:
    return _templates().get_template(template).render(**shown).encode()


def _utc(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))


def _mail_date(at: float) -> str:
    """RFC 822, as RSS 2.0 asks for."""
    from email.utils import formatdate

    return formatdate(at, usegmt=True)


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        utc=_utc, mail_date=_mail_date, percent=figures.percent, seconds=figures.seconds, stages=IncidentStage
    )
    return environment
