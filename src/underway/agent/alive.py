"""What tells of an agent that was dead: a heartbeat to somewhere else, and the next agent, of the time without one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import UTC, datetime

from underway.flows.alert import clear_alert, raise_alert
from underway.flows.books import Books
from underway.flows.keeping_rules import keeping_rules
from underway.flows.values import keeping_values
from underway.guard.words import span
from underway.journal.journal import Journal
from underway.manifest.monitor import MonitorKeys
from underway.ports.drivers import Drivers
from underway.terms.alert import Severity
from underway.terms.problem import Problem

_log = logging.getLogger(__name__)
KEY = "agent"
_NAME, _LEFT = "alive", "left"
MARK_EVERY_S = 5.0
"""How exactly the next agent knows when this one ended."""
SHORT_S = 30.0
"""Away for no longer than this, nothing that matters was missed: it is told as a note."""
STANDS_S = 60.0
"""So long after its return the alert is over."""
_TIMEOUT_S = 10.0
_RETRY_S = 10.0


class Alive:
    """One per agent. `go` runs for as long as it does, `leave` says that it ends by order."""

    def __init__(self, on: Drivers, journal: Journal, books: Books) -> None:
        self._on, self._journal, self._books = on, journal, books
        self.began_at = on.clock.now()
        self.last_at, self._was_told = self._kept()
        """The last sign of life of the agent before, 0 for none; and whether it ended by order."""
        self._next: dict[str, float] = {}
        """By app: when its heartbeat is asked next."""
        self._failing: set[str] = set()
        self._asking: set[asyncio.Task[None]] = set()

    async def go(self) -> None:
        """Without end."""
        self._mark()
        try:
            if self.last_at and not self._was_told:
                self._tell()
            while True:
                self._mark()
                if self._on.clock.now() - self.began_at > STANDS_S:
                    for app, state in list(self._journal.states().items()):
                        if KEY in state.alerts.standing:
                            clear_alert(app, KEY, f"the agent runs again since {_clock(self.began_at)}", self._journal)
                self._beat()
                await self._on.clock.sleep(MARK_EVERY_S)
        finally:
            for task in self._asking:
                task.cancel()

    def leave(self) -> None:
        """It ends by order: the next agent has nothing to tell."""
        self._mark(_LEFT)

    def _tell(self) -> None:
        """Raise it for every app that is live, with whom failures touched meanwhile: the proxy wrote them down."""
        self._books.catch_up()
        for app, state in list(self._journal.states().items()):
            if not state.live:
                continue
            if KEY in state.alerts.standing:  # it died again before the last time was over
                clear_alert(app, KEY, "it came back, and was away again", self._journal)
            away_s = self.began_at - self.last_at
            raise_alert(
                app,
                KEY,
                _away(app, self.last_at, self.began_at),
                self._journal,
                severity=Severity.NOTE if away_s < SHORT_S else Severity.WARNING,
                since=self.last_at,
                users_touched=self._books.recorder.users_touched(app, self.last_at),
            )

    def _beat(self) -> None:
        now = self._on.clock.monotonic()
        for app, state in list(self._journal.states().items()):
            rules = keeping_rules(state)
            if rules is None or not rules.alerts.heartbeat or now < self._next.get(app, 0.0):
                continue
            keys = rules.alerts
            self._next[app] = now + keys.heartbeat_s
            asked = MonitorKeys(
                name="heartbeat", target=keys.heartbeat, timeout_s=_TIMEOUT_S, private=keys.heartbeat_private
            )
            task = asyncio.create_task(self._ask(app, asked), name="heartbeat")
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _ask(self, app: str, asked: MonitorKeys) -> None:
        """One that is not heard is sent again soon, so that a hiccup of the network raises no alarm elsewhere."""
        checked = await self._on.asks.ask(asked, keeping_values(self._journal.state(app), self._on))
        if checked.passed:
            self._failing.discard(app)
            return
        self._next[app] = min(self._next[app], self._on.clock.monotonic() + _RETRY_S)
        if app not in self._failing:
            self._failing.add(app)
            _log.error("the heartbeat of %s was not heard: %s", app, checked.came)

    def _mark(self, word: str = "") -> None:
        with contextlib.suppress(OSError):  # a disk that is full is told of elsewhere
            self._on.snapshots.save("", _NAME, f"{self._on.clock.now():.3f} {word}".encode())

    def _kept(self) -> tuple[float, bool]:
        at, _, word = (self._on.snapshots.load("", _NAME) or b"").decode(errors="replace").partition(" ")
        try:
            return float(at or 0), word == _LEFT
        except ValueError:
            return 0.0, False


def _away(app: str, since: float, until: float) -> Problem:
    """The agent was dead, and nobody told it to be."""
    return Problem(
        code="agent.away",
        where=app,
        why=f"Underway's agent was away from {_clock(since)} to {_clock(until)} ({span(max(0.0, until - since))}): "
        f"{app} was not watched meanwhile, and no schedule of it ran",
        remedy="see why it ended, and let a service manager keep it",
        command="underway agent install",
    )


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
