"""Pages that read records: the journal, logs, errors, data and backups, the environment."""

from __future__ import annotations

import msgspec
from markupsafe import Markup
from starlette.responses import Response

from underway.agent import env_api
from underway.agent.env_views import EnvLookAsk, EnvView
from underway.agent.look import app_view, backups_view, require_process
from underway.journal.recorded import Recorded
from underway.observe.database import read_database
from underway.pages.looks import standing_of, state_of
from underway.pages.site import Visit
from underway.ports.logs import LogLine
from underway.terms.database_health import LATE_S, DatabaseHealth
from underway.terms.output import LEVELS, LineAsk
from underway.terms.problem import Failure, Problem, Refusal
from underway.terms.seen_error import FoundLine

_TAIL = 300
_ROWS = 200
_HIDDEN = ("step_started", "step_done", "undo_started", "undo_done", "planned", "environment_given")
"""Events that only fill the pages of an act."""
_OWN_FIELDS = frozenset({"event", "seq", "at", "app", "act", "manifest", "owner", "digest", "was_schema", "schema"})
"""What a row has a column for, or what tells a person nothing; a manifest may hold values."""


async def journal(visit: Visit) -> Response:
    """What happened, newest first; who did it."""
    app = visit.query("app")
    rows = visit.agent.journal.read(app=app, limit=4 * _ROWS)[::-1]
    shown = [_row(it) for it in rows if it.flat()["event"] not in _HIDDEN][:_ROWS]
    return visit.page("journal.html", rows=shown, app=app, apps=sorted(visit.agent.journal.states()))


class _Row(msgspec.Struct, frozen=True):
    at: float
    app: str
    act: str
    event: str
    says: str


def _row(record: Recorded) -> _Row:
    fields = record.flat()
    says = []
    for name, value in fields.items():
        if name in _OWN_FIELDS or value in ("", None, 0, 0.0, [], {}, False):
            continue
        if isinstance(value, str | int | float | bool):
            says.append(f"{name} {value}")
        elif isinstance(value, dict) and "why" in value:
            says.append(str(value["why"]))
        elif isinstance(value, dict) and "because" in value:
            says.append(str(value["because"]))
    text = " · ".join(says)
    return _Row(record.at, str(fields.get("app", "")), str(fields.get("act", "")), str(fields["event"]), text[:400])


async def logs(visit: Visit) -> Response:
    """The last lines of the app's processes, and what comes after them; or those of the last days that hold some words,
    are of a release, or are grave."""
    state = state_of(visit)
    process, wanted, level, release = (visit.query(name) for name in ("process", "find", "level", "release"))
    require_process(state, process)
    is_search = bool(wanted or level or release)
    found: list[FoundLine] = []
    lines: list[LogLine] = []
    if is_search:
        ask = LineAsk(query=wanted, process=process, level=level, release=release, most=_TAIL)
        found = (await visit.agent.keeping.lines(state.app, ask))[::-1]
    else:
        lines = [it async for it in visit.agent.on.logs.lines(state.app, process, _TAIL, False)]
    view = app_view(visit.agent, state)
    return visit.page(
        "logs.html",
        view=view,
        standing=standing_of(view),
        tab="logs",
        found=found,
        lines=lines[-_TAIL:],
        line_part=line_part,
        is_search=is_search,
        is_followed=not (level or release),
        processes=sorted({it.process for it in view.instances} | {"build", "migrate"}),
        process=process,
        find=wanted,
        levels=LEVELS[1:],
        level=level,
        releases=sorted((it for it in state.releases), reverse=True)[:30],
        release=release,
    )


def line_part(line: LogLine) -> Markup:
    """One line of output; both texts are the app's."""
    return Markup('<div><span class="from mono">{}</span><pre>{}</pre></div>').format(line.source, line.line)


async def errors(visit: Visit) -> Response:
    """Errors that releases reported, by fingerprint."""
    state = state_of(visit)
    view = app_view(visit.agent, state)
    return visit.page(
        "errors.html",
        view=view,
        standing=standing_of(view),
        tab="errors",
        seen=await visit.agent.keeping.errors(state.app),
        lost=state.lost[::-1],
    )


async def error(visit: Visit) -> Response:
    """One error: the releases it was seen in, and what was written."""
    state = state_of(visit)
    story = await visit.agent.keeping.error(state.app, visit.path("fingerprint"))
    view = app_view(visit.agent, state)
    return visit.page("error.html", view=view, standing=standing_of(view), tab="errors", story=story, it=story.seen)


async def security(visit: Visit) -> Response:
    """Who tried to get in, what went on last first."""
    app = visit.query("app")
    visit.agent.books.catch_up()
    visit.agent.lookout.write()
    return visit.page(
        "security.html",
        events=visit.agent.on.security_log.events(app or None, most=_ROWS),
        app=app,
        apps=sorted(name for name in visit.agent.journal.states() if name),
    )


async def data(visit: Visit) -> Response:
    """The database as it is, and the backups with what each is worth."""
    state = state_of(visit)
    view = app_view(visit.agent, state)
    health: DatabaseHealth | None = None
    problem: Problem | None = None
    try:
        health = await read_database(state.app, visit.agent.on.database_stats, visit.agent.on.replicas)
    except (Refusal, Failure) as error:
        problem = error.problems[0] if isinstance(error, Refusal) else error.problem
    return visit.page(
        "data.html",
        view=view,
        standing=standing_of(view),
        tab="data",
        health=health,
        files=visit.agent.on.replicas.behind(state.app) if health is None else (),
        late_s=LATE_S,
        problem=problem,
        backups=backups_view(visit.agent, state),
    )


async def environment(visit: Visit) -> Response:
    """The names and states of the app's variables. No value is here, secret or not."""
    state = state_of(visit)
    view = app_view(visit.agent, state)
    found: EnvView | None = None
    problems: tuple[Problem, ...] = ()
    try:
        found = await env_api.look(visit.agent, EnvLookAsk(path=state.path, app=state.app))
    except Refusal as refusal:
        problems = refusal.problems
    return visit.page(
        "environment.html", view=view, standing=standing_of(view), tab="environment", env=found, problems=problems
    )
