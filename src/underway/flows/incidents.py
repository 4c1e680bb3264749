"""Open incidents, tell more of them, end them: by hand, or with the alert of a monitor."""

from __future__ import annotations

from collections.abc import Iterable

from underway.journal.events.incidents import IncidentOpened, IncidentUpdated
from underway.journal.journal import Journal
from underway.terms.alert import Alert
from underway.terms.incident import Impact, Incident, IncidentStage
from underway.terms.problem import Problem, Refusal
from underway.terms.release import no_such_app

MOST_TITLE, MOST_TEXT = 120, 4_000
_MONITOR = "monitor "
"""How keys of monitors' alerts begin."""
_OURS = "Underway"


def open_incident(
    app: str, new_id: str, title: str, impact: Impact, text: str, by: str, journal: Journal, alert: str = ""
) -> Incident:
    """Tell visitors of a disturbance. Raises `Refusal` (`app.unknown`, `incident.text`)."""
    if app not in journal.states():
        raise Refusal([no_such_app(app)])
    _require_text(app, title, MOST_TITLE)
    _require_text(app, text or title, MOST_TEXT)
    journal.record(IncidentOpened(app=app, incident=new_id, title=title, impact=impact, text=text, by=by, alert=alert))
    return journal.state(app).incidents[new_id]


def tell_of_incident(app: str, incident: str, stage: IncidentStage, text: str, by: str, journal: Journal) -> Incident:
    """Tell more of it, or that it is over. Raises `Refusal` (`incident.unknown`, `incident.over`, `incident.text`)."""
    found = journal.state(app).incidents.get(incident)
    if found is None:
        raise Refusal([_unknown(app, incident)])
    if found.ended_at:
        raise Refusal([_over(found)])
    _require_text(app, text or stage.value, MOST_TEXT)
    journal.record(IncidentUpdated(app=app, incident=incident, stage=stage, text=text, by=by))
    return journal.state(app).incidents[incident]


def follow_monitors(app: str, alerts: Iterable[Alert], new_id: str, journal: Journal) -> bool:
    """Open an incident for the first alert of a monitor that has none, and end those whose alert is over. Return
    whether anything was told."""
    standing = {it.key: it for it in alerts if it.key.startswith(_MONITOR)}
    going_on = [it for it in journal.state(app).incidents.values() if not it.ended_at]
    told = False
    for incident in going_on:
        if incident.alert and incident.alert not in standing:
            text = "The monitor passes again."
            tell_of_incident(app, incident.id, IncidentStage.RESOLVED, text, _OURS, journal)
            told = True
    known = {it.alert for it in going_on}
    fresh = next((key for key in standing if key not in known), "")
    if fresh:
        title = f"{app} does not answer as it should"
        text = "A monitor found it. Somebody was told and looks after it."
        open_incident(app, new_id, title, Impact.DOWN, text, _OURS, journal, alert=fresh)
    return told or bool(fresh)


def _require_text(app: str, text: str, most: int) -> None:
    if not text.strip() or len(text) > most:
        why = "it has no words" if not text.strip() else f"it has {len(text)} characters; there may be {most}"
        remedy = "say in a sentence what visitors notice"
        raise Refusal([Problem(code="incident.text", where=app, why=why, remedy=remedy)])


def _unknown(app: str, incident: str) -> Problem:
    return Problem(
        code="incident.unknown",
        where=f"{app} {incident[:40]}",
        why=f"{app} has no incident {incident[:40]!r}",
        remedy="see which there are",
        command=f"underway statuspage incidents {app}",
    )


def _over(incident: Incident) -> Problem:
    return Problem(
        code="incident.over",
        where=f"{incident.app} {incident.id}",
        why="this incident was resolved already",
        remedy="open another one",
        command=f"underway statuspage open {incident.app} 'What visitors notice'",
    )
