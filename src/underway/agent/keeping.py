"""Keeping apps up: figures over time, monitors, alerts and error budgets, for whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import msgspec

from underway.agent.alerting import Alerting
from underway.agent.gathering import Gathering
from underway.agent.monitoring import Monitoring
from underway.agent.sampling import Sampling
from underway.agent.warming import Warming
from underway.flows.books import Books
from underway.flows.budgets import budgets
from underway.flows.health import alive, deep
from underway.flows.spending import spendings
from underway.journal.app_state import AppState
from underway.journal.events.alerts import AlertAcknowledged, AlertSilenced
from underway.journal.journal import Journal
from underway.observe.figures import STEPS, figures
from underway.ports.drivers import Drivers
from underway.terms.alert import Alert, Severity
from underway.terms.health import AppHealth
from underway.terms.metrics import Figures, Mark
from underway.terms.monitor import MonitorStatus
from underway.terms.objective import Budget
from underway.terms.output import LEVELS, LineAsk
from underway.terms.problem import Problem, Refusal
from underway.terms.seen_error import ErrorStory, FoundLine, SeenError
from underway.terms.spending import Spending, SpendingView

_WORST_FIRST = list(Severity)
MOST_CLEARED = 200
SPENDING_FRESH_S = 10.0
FOLLOW_EVERY_S = 0.5
LONGEST_SILENCE_S = 30 * 86_400.0


class Keeping:
    """One per agent. What is read is as of now."""

    def __init__(self, on: Drivers, journal: Journal, books: Books, is_leaving: Callable[[], bool]) -> None:
        self._on = on
        self._journal = journal
        self.monitoring = Monitoring(on, journal, is_leaving)
        self._sampling = Sampling(on, journal, is_leaving)
        self._gathering = Gathering(on, journal, books, is_leaving)
        self._warming = Warming(on, journal, is_leaving)
        self._alerting = Alerting(on, journal, books, self.monitoring, is_leaving, self._spendings)
        self._spent: dict[str, tuple[float, list[Spending]]] = {}

    def loops(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """What runs for as long as the agent does."""
        asking = (self._sampling.go(), self._gathering.go(), self.monitoring.go(), self._warming.go())
        return (*asking, self._alerting.look(), self._alerting.tell())

    def figures(self, app: str, since: float, until: float, steps: int = STEPS) -> Figures:
        """Traffic, quantiles, memory and processors of the app and of each release, with the releases on the axis."""
        marks = [
            Mark(at=it.live_since, release=it.release.id, outcome=it.outcome.value if it.outcome else "")
            for it in self._journal.state(app).releases.values()
            if it.live_since
        ]
        return figures(self._on.metrics, app, since, until, marks, steps)

    def monitors(self, app: str) -> list[MonitorStatus]:
        """The app's monitors, those that are down first."""
        return self.monitoring.statuses(app)

    def health(self, app: str, *, is_deep: bool) -> AppHealth:
        """How the app is, from what is known already: nothing is asked for it."""
        state = self._journal.state(app)
        if not is_deep:
            return alive(state, self._on)
        return deep(state, self.monitoring.statuses(app, has_history=False), self._on)

    def ping(self, app: str, name: str) -> None:
        """A schedule tells that it ran. Raises `Refusal` (`monitor.unknown`)."""
        if not self.monitoring.heard(app, name):
            raise Refusal([_no_ping(app, name)])

    def alerts(self, app: str | None = None, *, is_cleared: bool = False) -> list[Alert]:
        """Open alerts (of one app, "" for the home's own), the worst first; with `is_cleared` the last ones over."""
        now = self._on.clock.now()
        books = [state.alerts for of_app, state in self._journal.states().items() if app is None or of_app == app]
        if is_cleared:
            return sorted((each for book in books for each in book.over), key=lambda it: -it.cleared_at)[:MOST_CLEARED]
        standing = [each for book in books for each in book.seen(now)]
        return sorted(standing, key=lambda it: (_WORST_FIRST.index(it.severity), -it.raised_at))

    def acknowledge(self, app: str, key: str, by: str) -> None:
        """Somebody looks after it. Raises `Refusal` (`alert.unknown`)."""
        if key not in self._journal.state(app).alerts.standing:
            raise Refusal([_no_alert(app, key)])
        self._journal.record(AlertAcknowledged(app=app, key=key, by=by))

    def silence(self, app: str, key: str, by: str, for_s: float, because: str = "") -> None:
        """Tell nobody of the matter (`*`: of any) for so long; 0 ends the silence. It may be silenced before it is
        raised."""
        until = self._on.clock.now() + min(for_s, LONGEST_SILENCE_S) if for_s > 0 else 0.0
        self._journal.record(AlertSilenced(app=app, key=key, by=by, until=until, because=because))

    def spending(self, app: str) -> SpendingView:
        """What the app used of its month, and how what it keeps warm stands."""
        state = self._journal.state(app)
        return SpendingView(app=app, budgets=tuple(self._spendings(state)), warm=tuple(self._warming.warmths(state)))

    def _spendings(self, state: AppState) -> list[Spending]:
        """A month of hours is not read more often than now and then."""
        now = self._on.clock.monotonic()
        read_at, found = self._spent.get(state.app, (-SPENDING_FRESH_S, []))
        if now - read_at >= SPENDING_FRESH_S:
            found = spendings(state, self._on.metrics, self._on.clock.now())
            self._spent[state.app] = (now, found)
        return sorted([*found, *self._warming.spendings(state)], key=lambda it: -it.share)

    def budgets(self, app: str) -> list[Budget]:
        """The app's objectives, the most spent first."""
        return budgets(self._journal.state(app), self._on.metrics, self._on.clock.now())

    async def errors(self, app: str) -> list[SeenError]:
        """Errors that the app reported, those seen last first."""
        live = self._journal.state(app).live
        found = await asyncio.to_thread(self._on.output.errors, app)
        return [_with_news(it, live) for it in found]

    async def error(self, app: str, fingerprint: str) -> ErrorStory:
        """One of them with its releases and what was written. Raises `Refusal` (`error.unknown`)."""
        story = await asyncio.to_thread(self._on.output.error, app, fingerprint)
        if story is None:
            raise Refusal([_no_error(app, fingerprint)])
        return msgspec.structs.replace(story, seen=_with_news(story.seen, self._journal.state(app).live))

    async def lines(self, app: str, ask: LineAsk) -> list[FoundLine]:
        """The lines that are asked for. Raises `Refusal` (`logs.level`)."""
        if ask.level not in LEVELS:
            raise Refusal([_no_level(ask.level)])
        if ask.after is None:  # what was written just now is found
            await self._gathering.take(app)
        return list(await asyncio.to_thread(self._on.output.lines, app, ask))

    async def follow(self, app: str, ask: LineAsk) -> AsyncIterator[FoundLine]:
        """Lines as they are written, after the newest one or the one that is named. Raises like `lines`."""
        if ask.after is None:
            newest = await self.lines(app, LineAsk(most=1))
            ask = ask._replace(after=newest[0].id if newest else 0)
        while True:
            found = await self.lines(app, ask)
            for line in found:
                yield line
            if found:
                ask = ask._replace(after=found[-1].id)
            if len(found) < ask.most:
                await self._on.clock.sleep(FOLLOW_EVERY_S)


def _with_news(it: SeenError, live: str) -> SeenError:
    return msgspec.structs.replace(it, is_new=bool(live) and it.releases == (live,))


def _no_error(app: str, fingerprint: str) -> Problem:
    """An error that is not known."""
    return Problem(
        code="error.unknown",
        where=f"{app} {fingerprint[:40]}",
        why=f"no error of {app} has the fingerprint {fingerprint[:40]!r}",
        remedy="see which there are",
        command=f"underway errors {app}",
    )


def _no_level(level: str) -> Problem:
    """A level that no line has."""
    return Problem(
        code="logs.level",
        where=level[:40],
        why=f"{level[:40]!r} is no level",
        remedy=f"use {', '.join(LEVELS[1:])}: lines of that level and worse are shown",
    )


def _no_ping(app: str, name: str) -> Problem:
    return Problem(
        code="monitor.unknown",
        where=f"{app} {name[:60]}",
        why=f"{app} has no monitor {name[:60]!r} of kind ping",
        remedy='name one of its [[monitor]] with kind = "ping"',
        command="underway monitors",
    )


def _no_alert(app: str, key: str) -> Problem:
    return Problem(
        code="alert.unknown",
        where=f"{app} {key[:80]}",
        why=f"no alert {key[:80]!r} of {app} is open",
        remedy="see which are",
        command="underway alerts",
    )
