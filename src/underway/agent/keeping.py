"""Keeping apps up: figures over time, monitors, alerts and error budgets, for whoever asks."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from underway.agent.alerting import Alerting
from underway.agent.monitoring import Monitoring
from underway.agent.sampling import Sampling
from underway.flows.books import Books
from underway.flows.budgets import budgets
from underway.flows.health import alive, deep
from underway.journal.events import AlertAcknowledged, AlertSilenced
from underway.journal.journal import Journal
from underway.observe.figures import STEPS, figures
from underway.ports.drivers import Drivers
from underway.terms.alert import Alert, Severity
from underway.terms.health import AppHealth
from underway.terms.metrics import Figures, Mark
from underway.terms.monitor import MonitorStatus
from underway.terms.objective import Budget
from underway.terms.problem import Problem, Refusal
from underway.terms.seen_error import FoundLine, SeenError

_WORST_FIRST = list(Severity)
MOST_CLEARED = 200
LONGEST_SILENCE_S = 30 * 86_400.0


class Keeping:
    """One per agent. What is read is as of now."""

    def __init__(self, on: Drivers, journal: Journal, books: Books, is_leaving: Callable[[], bool]) -> None:
        self._on = on
        self._journal = journal
        self.monitoring = Monitoring(on, journal, is_leaving)
        self._sampling = Sampling(on, journal, is_leaving)
        self._alerting = Alerting(on, journal, books, self.monitoring, is_leaving)

    def loops(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """What runs for as long as the agent does."""
        return (self._sampling.go(), self.monitoring.go(), self._alerting.look(), self._alerting.tell())

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

    def budgets(self, app: str) -> list[Budget]:
        """The app's objectives, the most spent first."""
        return budgets(self._journal.state(app), self._on.metrics, self._on.clock.now())

    def errors(self, app: str) -> list[SeenError]:
        """Errors that the app reported, those seen last first."""
        return []

    def lines(self, app: str, query: str, *, process: str = "", since: float = 0.0, most: int = 200) -> list[FoundLine]:
        """Lines of output that hold the words of `query`, newest first. Raises `Refusal` (`logs.query`)."""
        return []


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
