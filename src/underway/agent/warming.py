"""Keeps awake what a host would let sleep, as far as `[[keep_awake]]` allows."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

import msgspec

from underway.flows.gates import closed_window
from underway.flows.keeping_rules import KeepingRules, keeping_rules
from underway.flows.values import keeping_values
from underway.journal.app_state import AppState
from underway.journal.journal import Journal
from underway.manifest.monitor import MonitorKeys
from underway.manifest.release import Windows
from underway.manifest.spending import KeepAwakeKeys
from underway.ports.drivers import Drivers
from underway.spending.budget import DAY_S, Used, month, spending
from underway.spending.warm import Awake, Turn, Wish, turn
from underway.terms.metrics import Level, Point, cold_subject, warm_subject
from underway.terms.spending import Spending, Warmth

_log = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0
_KEPT = "warm"
_FIGURES_S = 30 * DAY_S


class Warming:
    """One per agent. What was spent of an allowance is written down before a ping is sent, so that no agent that is
    killed spends it twice."""

    def __init__(self, on: Drivers, journal: Journal, is_leaving: Callable[[], bool]) -> None:
        self._on = on
        self._journal = journal
        self._is_leaving = is_leaving
        self._awake = self._kept()
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def go(self) -> None:
        """Without end."""
        try:
            while not self._is_leaving():
                for app, state in list(self._journal.states().items()):
                    try:
                        self._look(app, state)
                    except Exception:
                        _log.exception("nothing of %s could be kept warm", app)
                await self._on.clock.sleep(LOOK_EVERY_S)
        finally:
            for task in self._asking.values():
                task.cancel()

    def warmths(self, state: AppState) -> list[Warmth]:
        """How each stands now."""
        rules = keeping_rules(state)
        return [self._warmth(state.app, rules, keys) for keys in rules.manifest.keep_awake] if rules else []

    def spendings(self, state: AppState) -> list[Spending]:
        """The allowance of each as a budget of the month."""
        rules = keeping_rules(state)
        return [self._spending(state.app, rules, keys) for keys in rules.manifest.keep_awake] if rules else []

    def _look(self, app: str, state: AppState) -> None:
        rules = keeping_rules(state)
        for keys in rules.manifest.keep_awake if rules else ():
            key = f"{app}/{keys.name}"
            if rules is None or key in self._asking:
                continue
            found = self._turn(app, rules, keys)
            if found.is_due and self._write_down(key, found.awake):
                task = asyncio.create_task(self._ask(app, keys, found.is_cold))
                self._asking[key] = task
                task.add_done_callback(lambda done, key=key: self._ended(key, done))  # type: ignore[misc]  # bound early

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled() and (error := task.exception()):
            _log.error("a ping to keep something warm ended: %s", error, exc_info=error)

    def _turn(self, app: str, rules: KeepingRules, keys: KeepAwakeKeys) -> Turn:
        now = self._on.clock.now()
        since, _ = month(now, rules.manifest.budget.first_day)
        hours = Windows(allow=keys.hours, timezone=rules.alerts.timezone)
        wish = Wish(keys.every_s, keys.sleeps_after_s, keys.allowance_s)
        awake = self._awake.get(f"{app}/{keys.name}", Awake())
        return turn(wish, awake, now, since, is_open=closed_window(hours, now) is None)

    async def _ask(self, app: str, keys: KeepAwakeKeys, is_cold: bool) -> None:
        monitor = MonitorKeys(name=keys.name, target=keys.target, timeout_s=keys.timeout_s, private=keys.private)
        values = keeping_values(self._journal.state(app), self._on) if "${" in keys.target else {}
        checked = await self._on.asks.ask(monitor, values)
        for subject in (warm_subject(keys.name), *([cold_subject(keys.name)] if is_cold else [])):
            point = Point(served=int(checked.passed), failed=int(not checked.passed))
            if checked.passed:
                point.took.add(checked.took_ms)
            self._on.metrics.put(app, subject, checked.at, point)

    def _write_down(self, key: str, awake: Awake) -> bool:
        """Before the ping. One that cannot be written down is not sent."""
        try:
            self._on.snapshots.save("", _KEPT, msgspec.json.encode({**self._awake, key: awake}))
        except OSError:
            return False
        self._awake[key] = awake
        return True

    def _kept(self) -> dict[str, Awake]:
        with contextlib.suppress(msgspec.DecodeError):
            return msgspec.json.decode(self._on.snapshots.load("", _KEPT) or b"{}", type=dict[str, Awake])
        return {}

    def _warmth(self, app: str, rules: KeepingRules, keys: KeepAwakeKeys) -> Warmth:
        found = self._turn(app, rules, keys)
        every, cold = self._sum(app, warm_subject(keys.name)), self._sum(app, cold_subject(keys.name))
        p50, p95 = cold.took.quantiles_ms(0.5, 0.95)
        return Warmth(
            app=app,
            name=keys.name,
            target=keys.target,
            says=found.says,
            last_at=found.awake.last_at,
            used_s=self._awake.get(f"{app}/{keys.name}", found.awake).used_s,
            allowance_s=keys.allowance_s,
            pings=every.served + every.failed,
            failed=every.failed,
            cold=cold.served + cold.failed,
            cold_p50_ms=round(p50, 1),
            cold_p95_ms=round(p95, 1),
            warm_p50_ms=round(every.took.quantile_ms(0.5), 1),
        )

    def _sum(self, app: str, subject: str) -> Point:
        now, whole = self._on.clock.now(), Point()
        for _, point in self._on.metrics.read(app, subject, Level.HOUR, now - _FIGURES_S, now + Level.HOUR.value):
            whole.merge(point)
        return whole

    def _spending(self, app: str, rules: KeepingRules, keys: KeepAwakeKeys) -> Spending:
        """Its pace is that of the month so far: what is kept awake by the clock has no other."""
        now = self._on.clock.now()
        since, until = month(now, rules.manifest.budget.first_day)
        awake = self._awake.get(f"{app}/{keys.name}", Awake())
        hours = awake.used_s / 3600 if awake.since == since else 0.0
        used = Used(f"awake {keys.name}", "h", hours, keys.allowance_s / 3600, hours, now - since)
        return spending(app, used, since, until, now)
