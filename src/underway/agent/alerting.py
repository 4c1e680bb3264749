"""The agent's alerts: what is wrong is raised and cleared in the journal, and told from there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from underway.agent.monitoring import Monitoring
from underway.alerts.conditions import Condition, Lasting, from_standing, turn
from underway.alerts.outbox import GIVE_UP_AFTER_S, Reach, due, retry_in_s
from underway.flows.alert import clear_alert, raise_alert
from underway.flows.books import Books
from underway.flows.gates import closed_window
from underway.flows.keeping_rules import keeping_rules
from underway.flows.spending import spent
from underway.flows.values import keeping_values
from underway.flows.wrongs import KEYS, wrongs
from underway.journal.alert_book import Undelivered
from underway.journal.app_state import AppState
from underway.journal.events.alerts import MessageDecided, MessageGivenUp, MessageSent
from underway.journal.journal import Journal
from underway.manifest.monitor import AlertKeys
from underway.manifest.release import Windows
from underway.ports.drivers import Drivers
from underway.terms.alert import Alert, Severity
from underway.terms.problem import Failure, Problem
from underway.terms.spending import Spending

_log = logging.getLogger(__name__)
LOOK_EVERY_S = 5.0
TELL_EVERY_S = 1.0


class Alerting:
    """One per agent. Nothing is kept here that the journal does not have, but for how long a condition lasts that was
    not raised yet."""

    def __init__(
        self,
        on: Drivers,
        journal: Journal,
        books: Books,
        monitoring: Monitoring,
        is_leaving: Callable[[], bool],
        spendings: Callable[[AppState], list[Spending]],
    ) -> None:
        self._on, self._journal, self._books = on, journal, books
        self._monitoring = monitoring
        self._is_leaving = is_leaving
        self._spendings = spendings
        self._lasting: dict[str, dict[str, Lasting]] = {}
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._tries: dict[str, tuple[int, float]] = {}
        """By message: how often it was tried in vain, and when next."""

    async def look(self) -> None:
        """Without end: raise what is wrong, clear what is over."""
        while not self._is_leaving():
            for app, state in list(self._journal.states().items()):
                try:
                    self._look_at(app, state)
                except Exception:
                    _log.exception("what is wrong with %s could not be found out", app)
            await self._on.clock.sleep(LOOK_EVERY_S)

    async def tell(self) -> None:
        """Without end: decide messages, and send what was decided."""
        try:
            while not self._is_leaving():
                for app, state in list(self._journal.states().items()):
                    try:
                        self._decide(app, state)
                        self._send(app, state)
                    except Exception:
                        _log.exception("nobody could be told of %s", app)
                await self._on.clock.sleep(TELL_EVERY_S)
        finally:
            for task in self._sending.values():
                task.cancel()

    def _look_at(self, app: str, state: AppState) -> None:
        now = self._on.clock.now()
        lasting = self._lasting.get(app)
        if lasting is None:
            lasting = from_standing(_ours(state), now)
        found: list[Condition] = []
        if state.live:
            found = wrongs(state, self._monitoring.statuses(app, has_history=False), self._on, now)
            found += spent(self._spendings(state))
        turned = turn(lasting, found, now)
        self._lasting[app] = turned.lasting
        for it in turned.to_raise:
            condition = it.condition
            touched = self._books.recorder.users_touched(app, it.since - 60)
            raise_alert(
                app,
                condition.key,
                condition.problem,
                self._journal,
                severity=condition.severity,
                since=it.since,
                users_touched=touched,
            )
        for key in turned.to_clear:
            clear_alert(app, key, "it is well again" if state.live else f"{app} is down by order", self._journal)

    def _decide(self, app: str, state: AppState) -> None:
        rules = keeping_rules(state)
        keys = rules.alerts if rules is not None else None
        if keys is None or not keys.channels:
            return
        now, book = self._on.clock.now(), state.alerts
        reaches = [
            Reach(each.name, Severity(each.severity), each.after_s, each.kind != "pagerduty") for each in keys.channels
        ]
        pending = [(it.channel, it.what, it.alerts) for it in book.outbox.values()]
        for it in due(book.seen(now), book.over, pending, reaches, now, lambda at: _is_quiet(keys, at)):
            self._journal.record(
                MessageDecided(app=app, message=it.message, channel=it.channel, what=it.what, alerts=it.alerts)
            )

    def _send(self, app: str, state: AppState) -> None:
        now = self._on.clock.now()
        for it in list(state.alerts.outbox.values()):
            tries, at = self._tries.get(it.message, (0, 0.0))
            if it.message in self._sending or now < at:
                continue
            task = asyncio.create_task(self._send_one(app, it, tries))
            self._sending[it.message] = task
            task.add_done_callback(partial(self._sent, it.message))

    def _sent(self, message: str, task: asyncio.Task[None]) -> None:
        self._sending.pop(message, None)
        if not task.cancelled() and (error := task.exception()):
            _log.error("a message could not be sent: %s", error, exc_info=error)

    async def _send_one(self, app: str, it: Undelivered, tries: int) -> None:
        """Send, then write down that it was sent. An agent that is killed between the two sends it again under the same
        name; one that is killed before sends it for the first time."""
        state = self._journal.state(app)
        rules = keeping_rules(state)
        channel = next((each for each in rules.alerts.channels if each.name == it.channel), None) if rules else None
        alerts = _named(state, it)
        if channel is None or not alerts:
            self._journal.record(MessageGivenUp(app=app, message=it.message, problem=_gone(app, it.channel)))
            return
        try:
            values = keeping_values(state, self._on)
            await self._on.channels.send(it.message, it.what, alerts, channel, values)
        except Failure as failure:
            now = self._on.clock.now()
            self._tries[it.message] = (tries + 1, now + retry_in_s(tries + 1))
            if not tries:
                _log.error("%s could not be told: %s", it.channel, failure.problem.why)
            if now - it.at > GIVE_UP_AFTER_S:
                self._journal.record(MessageGivenUp(app=app, message=it.message, problem=failure.problem))
            return
        self._tries.pop(it.message, None)
        self._journal.record(MessageSent(app=app, message=it.message))


def _ours(state: AppState) -> dict[str, Condition]:
    standing = state.alerts.standing
    return {
        key: Condition(key, alert.problem, alert.severity) for key, alert in standing.items() if key.startswith(KEYS)
    }


def _named(state: AppState, it: Undelivered) -> list[Alert]:
    known = [*state.alerts.standing.values(), *state.alerts.over]
    return [alert for alert in known if alert.id in it.alerts]


def _is_quiet(keys: AlertKeys, now: float) -> bool:
    return bool(keys.quiet) and closed_window(Windows(deny=keys.quiet, timezone=keys.timezone), now) is not None


def _gone(app: str, channel: str) -> Problem:
    """A message for a channel that the manifest no longer has."""
    return Problem(
        code="channel.gone",
        where=f"{app} alerts.channels {channel}",
        why=f"{app} has no channel {channel} any more",
        remedy="write it again if it was meant to stay",
    )
