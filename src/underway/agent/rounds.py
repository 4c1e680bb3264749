"""The agent's rounds: what is due of backups and drills is begun, what did not run is told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from underway.agent.works import Work, Works
from underway.flows.alert import CLOCK_ALERT, clear_alert, raise_alert
from underway.flows.back_up import back_up, copy_out, manifest_of
from underway.flows.drill import drill, look_over
from underway.journal.app_state import AppState
from underway.journal.events.home import ClockJumped, ScheduleMissed
from underway.journal.journal import Journal
from underway.keep.schedule import clock_jump_s, turn
from underway.keep.worth import Standing, age, outlook
from underway.manifest.model import Manifest
from underway.ports.drivers import Drivers
from underway.terms.backup import Kept, Reason
from underway.terms.problem import Failure, Problem, Refusal

_log = logging.getLogger(__name__)
EVERY_S = 20.0
_BASE_EVERY_S = 7 * 86_400.0
_FIRST_BACKUP_S = 600.0
_FIRST_DRILL_S = 3_600.0
"""How long after an app first went live these are due for the first time."""


class Rounds:
    """Looks at every app each `EVERY_S` seconds, and more often where a schedule is that short."""

    def __init__(self, on: Drivers, journal: Journal, works: Works, is_leaving: Callable[[], bool]) -> None:
        self._on = on
        self._journal = journal
        self._works = works
        self._is_leaving = is_leaving
        self._missed: set[tuple[str, str, float]] = set()
        self._is_receiving = False
        self._following: asyncio.Task[None] | None = None
        self._clocks = (on.clock.now(), on.clock.monotonic())

    async def go(self) -> None:
        """Without end. A round that fails is told of, and the next one comes all the same."""
        try:
            await self._go()
        finally:
            if self._following is not None:
                self._following.cancel()
                await asyncio.gather(self._following, return_exceptions=True)

    async def _go(self) -> None:
        while not self._is_leaving():
            pause_s = EVERY_S
            for app, state in list(self._journal.states().items()):
                try:
                    pause_s = min(pause_s, self._shortest(app, state))
                    self.look(app)
                except Exception:
                    _log.exception("the round of %s failed", app)
            self._look_at_clock()
            self._keep_points()
            self._keep_replicas()
            await self._on.clock.sleep(pause_s)

    def look(self, app: str) -> None:
        """Begin what is due for the app, and tell of what was missed."""
        state = self._journal.state(app)
        if not state.live or not has_data(manifest := manifest_of(app, self._journal)):
            return
        kept = self._on.backups.all(app)
        now, since = self._on.clock.now(), first_live(state)
        keys = manifest.backup
        good = [it for it in kept if not it.damage]
        if good:  # the rarer one first: where backups follow each other closely it would never have its turn
            proven = max((it.proof.at for it in good if it.proof), default=None)
            self._turn(app, "drill", keys.drill_s, proven, since + min(keys.drill_s, _FIRST_DRILL_S), state)
        self._turn(app, "backup", keys.every_s, _latest(good), since + min(keys.every_s, _FIRST_BACKUP_S), state)
        view = outlook(kept, keys.every_s, keys.drill_s, now, since)
        if view.standing in (Standing.LATE, Standing.DAMAGED):
            raise_alert(app, "backups", _standing(app, view.standing, view.says), self._journal)
        else:
            clear_alert(app, "backups", view.says, self._journal)
        is_missing = any(remote not in it.copies for it in good for remote in keys.remotes)
        failed = state.backup_failures.get("copy")
        if is_missing and not self._is_busy(app) and (failed is None or now - failed[0] > keys.every_s / 10):
            self._begin(app, "copy", lambda _: copy_out(app, manifest, self._on, self._journal))

    def _turn(self, app: str, what: str, every_s: float, last: float | None, since: float, state: AppState) -> None:
        now = self._on.clock.now()
        failed = state.backup_failures.get(what)
        found = turn(every_s, last, since, now, failed[0] if failed else None)
        if found.missed_s and (app, what, last or since) not in self._missed:
            self._missed.add((app, what, last or since))
            missed = ScheduleMissed(app=app, what=what, overdue_s=round(found.missed_s, 1), because=found.because)
            self._journal.record(missed)
            raise_alert(app, f"{what} missed", _missed(app, what, every_s, found.missed_s), self._journal)
        elif not found.missed_s:
            clear_alert(app, f"{what} missed", f"the {what} runs again", self._journal)
        if found.is_due and state.is_free and not self._is_busy(app):
            if what == "backup":
                self._begin(app, what, lambda work: self._back_up(app, work))
            else:
                self._begin(app, what, lambda work: self._drill(app, work))

    def _is_busy(self, app: str) -> bool:
        return any(self._works.running(app, kind) for kind in ("backup", "drill", "verify", "fetch", "copy"))

    async def _back_up(self, app: str, work: Work) -> object:
        return await back_up(app, Reason.SCHEDULED, self._on, self._journal, work.progress)

    async def _drill(self, app: str, work: Work) -> object:
        """The scheduled drill proves the newest; the others are compared with their checksums, or nobody would."""
        await look_over(app, self._on, self._journal, work.say)
        return await drill(app, "", self._on, self._journal, work.say)

    def _begin(self, app: str, what: str, do: Callable[[Work], Awaitable[object]]) -> None:
        with contextlib.suppress(Refusal):  # somebody asked for one in this very moment
            self._works.begin(app, what, do)

    def _shortest(self, app: str, state: AppState) -> float:
        """A tenth of the app's shortest schedule, at least half a second."""
        if not state.live:
            return EVERY_S
        keys = manifest_of(app, self._journal).backup
        return max(0.5, min([every / 10 for every in (keys.every_s, keys.drill_s) if every], default=EVERY_S))

    def _keep_points(self) -> None:
        """Receive the server's log while an app wants every moment, with a base copy a week."""
        apps = [app for app, state in self._journal.states().items() if state.live and self._wants_points(app)]
        if not apps or self._works.running(apps[0], "points"):
            return
        span = self._on.points.span()
        is_due = span is None or self._on.clock.now() - span[1] > _BASE_EVERY_S
        if is_due or not self._is_receiving:
            self._begin(apps[0], "points", lambda _: self._points(apps[0], is_due))

    async def _points(self, app: str, is_due: bool) -> object:
        try:
            await self._on.points.keep()
            made = await self._on.points.base() if is_due else None
        except Failure as failure:
            raise_alert(app, "points", failure.problem, self._journal)
            raise
        self._is_receiving = True
        clear_alert(app, "points", "the server's log is received", self._journal)
        return made

    def _keep_replicas(self) -> None:
        """Follow the SQLite databases of apps that want every moment; not while an act may replace one."""
        states = {app: state for app, state in self._journal.states().items() if state.live}
        is_busy = self._following is not None and not self._following.done()
        if is_busy or not all(state.is_free for state in states.values()):
            return
        manifests = {app: manifest_of(app, self._journal) for app in states}
        wanted = {app: it.shared for app, it in manifests.items() if it.backup.continuous and it.shared}
        self._following = asyncio.create_task(self._replicas(wanted), name="follow SQLite databases")

    async def _replicas(self, wanted: dict[str, tuple[str, ...]]) -> None:
        try:
            await self._on.replicas.keep(wanted)
        except Failure as failure:
            for app in wanted:
                raise_alert(app, "replicas", failure.problem, self._journal)
        except OSError:
            _log.exception("the SQLite databases cannot be followed")
        else:
            for app in wanted:
                clear_alert(app, "replicas", "the SQLite databases are followed", self._journal)

    def _wants_points(self, app: str) -> bool:
        manifest = manifest_of(app, self._journal)
        postgres = manifest.services.postgres
        return manifest.backup.continuous and postgres is not None and not postgres.url

    def _look_at_clock(self) -> None:
        before, self._clocks = self._clocks, (self._on.clock.now(), self._on.clock.monotonic())
        by_s = clock_jump_s(before[0], self._clocks[0], before[1], self._clocks[1])
        if by_s:
            self._missed.clear()
            for app, state in list(self._journal.states().items()):
                if state.live:
                    self._journal.record(ClockJumped(app=app, by_s=round(by_s, 1)))
                    raise_alert(app, CLOCK_ALERT, _jumped(app, by_s), self._journal)


def has_data(manifest: Manifest) -> bool:
    """True when Underway keeps something of the app that a backup could hold."""
    postgres = manifest.services.postgres
    return bool(manifest.shared) or (postgres is not None and not postgres.url)


def first_live(state: AppState) -> float:
    return min((it.live_since for it in state.releases.values() if it.live_since), default=0.0)


def _latest(good: list[Kept]) -> float | None:
    return max((it.backup.at for it in good), default=None)


def _jumped(app: str, by_s: float) -> Problem:
    return Problem(
        code="clock.jumped",
        where=app,
        why=f"the clock of this machine was set {'back' if by_s < 0 else 'ahead'} by {age(abs(by_s))}: backups may be"
        " dated wrong, and a schedule may run late or twice",
        remedy="see that the machine keeps time (NTP), and make a backup: it ends this alert",
        command=f"underway db backup {app}",
    )


def _missed(app: str, what: str, every_s: float, by_s: float) -> Problem:
    return Problem(
        code="schedule.missed",
        where=app,
        why=f"the {what} of {app} is due every {age(every_s)} and is {age(by_s)} overdue",
        remedy="see why: the agent did not run, the machine was off, or it fails again and again",
        command=f"underway events {app}",
    )


def _standing(app: str, standing: Standing, says: str) -> Problem:
    return Problem(
        code="backup.damaged" if standing is Standing.DAMAGED else "backup.late",
        where=app,
        why=says,
        remedy="make one now, and see why the last one is not what it should be",
        command=f"underway db backup {app}",
    )
