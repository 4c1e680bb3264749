"""Keeping apps up: figures over time, monitors, alerts and error budgets, for whoever asks."""

from __future__ import annotations

from underway.journal.journal import Journal
from underway.observe.figures import STEPS, figures
from underway.ports.drivers import Drivers
from underway.terms.alert import Alert
from underway.terms.metrics import Figures, Mark
from underway.terms.monitor import MonitorStatus
from underway.terms.objective import Budget
from underway.terms.seen_error import FoundLine, SeenError


class Keeping:
    """One per agent. Every method reads; what is found is as of now."""

    def __init__(self, on: Drivers, journal: Journal) -> None:
        self._on = on
        self._journal = journal

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
        return []

    def alerts(self, app: str | None = None, *, is_cleared: bool = False) -> list[Alert]:
        """Open alerts (of one app, "" for the home's own), the worst first; with `is_cleared` the last ones over."""
        return []

    def budgets(self, app: str) -> list[Budget]:
        """The app's objectives, the most spent first."""
        return []

    def errors(self, app: str) -> list[SeenError]:
        """Errors that the app reported, those seen last first."""
        return []

    def lines(self, app: str, query: str, *, process: str = "", since: float = 0.0, most: int = 200) -> list[FoundLine]:
        """Lines of output that hold the words of `query`, newest first. Raises `Refusal` (`logs.query`)."""
        return []
