"""The agent's monitors: each asked in its time, judged, and put into the figures."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import heapq
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from underway.flows.gates import closed_window
from underway.flows.keeping_rules import CACHE_MONITOR, DATABASE_MONITOR, OWN_MONITOR, KeepingRules, keeping_rules
from underway.flows.values import keeping_values
from underway.journal.app_state import AppState
from underway.journal.journal import Journal
from underway.manifest.model import Manifest
from underway.manifest.monitor import MonitorKeys
from underway.manifest.release import Windows
from underway.ports.asks import OwnAsk
from underway.ports.drivers import Drivers
from underway.ports.smokes import Dial
from underway.terms.metrics import Level, Point, monitor_subject
from underway.terms.monitor import Checked, Day, MonitorKind, MonitorState, MonitorStatus
from underway.terms.route import AppRoute
from underway.uptime.judge import Quorum, Standing, judge, uptime

_log = logging.getLogger(__name__)
OWN_EVERY_S = 10.0
OWN_QUORUM = Quorum(fails=2, of=2, passes=2)
AT_ONCE = 100
"""So many checks wait for their answers at a time."""
LOOK_EVERY_S = 2.0
"""How soon a release with other monitors, or an app that is up, is noticed."""
_OFFLINE_FOR_S = 10.0
_RETRY_AFTER_S = 0.5
_DAY_S = 86_400
_PINGS = "pings"


@dataclass
class Watched:
    """One monitor under watch."""

    app: str
    keys: MonitorKeys
    own: OwnAsk | None
    quorum: Quorum
    timezone: str
    standing: Standing = field(default_factory=Standing)
    is_own: bool = False
    """Underway's, not of the manifest."""
    late_s: float = 0.0
    """How late its latest check began."""

    @property
    def phase_s(self) -> float:
        """Where in its interval it is asked: spread by its name, so that many do not come at once."""
        digest = hashlib.blake2b(f"{self.app}\0{self.keys.name}".encode(), digest_size=4).digest()
        return int.from_bytes(digest) / 2**32 * self.keys.interval_s


class Monitoring:
    """One per agent."""

    def __init__(self, on: Drivers, journal: Journal, is_leaving: Callable[[], bool]) -> None:
        self._on = on
        self._journal = journal
        self._is_leaving = is_leaving
        self.watched: dict[tuple[str, str], Watched] = {}
        self._due: list[tuple[float, tuple[str, str]]] = []
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._offline: tuple[float, bool] = (-_OFFLINE_FOR_S, False)
        self._asking_offline: asyncio.Task[bool] | None = None
        self._pings = self._kept_pings()
        self._looked_at = -LOOK_EVERY_S
        self.away: tuple[float, float] = (0.0, 0.0)
        """From when to when there was no agent that could have heard a ping."""
        self.ping_url_of: Callable[[str, str], str] | None = None
        """The address of a schedule's ping from elsewhere, where they are answered there."""

    async def go(self) -> None:
        """Without end."""
        try:
            while not self._is_leaving():
                now = self._on.clock.monotonic()
                if now - self._looked_at >= LOOK_EVERY_S:
                    self._looked_at = now
                    self._look()
                while self._due and self._due[0][0] <= now:
                    due, key = heapq.heappop(self._due)
                    self._begin(due, key, now)
                wait_s = min(LOOK_EVERY_S, self._due[0][0] - now if self._due else LOOK_EVERY_S)
                await self._on.clock.sleep(max(0.005, wait_s))
        finally:
            for task in self._tasks:
                task.cancel()

    def heard(self, app: str, name: str) -> bool:
        """A schedule tells that it ran. False when there is no such monitor."""
        watched = self.watched.get((app, name))
        if watched is None or watched.keys.kind != MonitorKind.PING.value:
            return False
        self._pings[app, name] = self._on.clock.now()
        with contextlib.suppress(OSError):
            kept = {f"{of_app}/{of_name}": at for (of_app, of_name), at in self._pings.items()}
            self._on.snapshots.save("", _PINGS, msgspec.json.encode(kept))
        self._take(watched, Checked(at=self._on.clock.now(), took_ms=0.0))
        return True

    def ping_names(self) -> list[tuple[str, str]]:
        """The monitors of kind `ping`: (app, name)."""
        return [key for key, it in self.watched.items() if it.keys.kind == MonitorKind.PING.value]

    def statuses(self, app: str, *, has_history: bool = True) -> list[MonitorStatus]:
        """The app's monitors as they are now, those that are down first; their uptime only with `has_history`."""
        order = list(MonitorState)
        found = [self._status(it, has_history=has_history) for (of_app, _), it in self.watched.items() if of_app == app]
        bad = {MonitorState.DOWN: 0, MonitorState.OFFLINE: 1, MonitorState.MAINTENANCE: 2}
        return sorted(found, key=lambda it: (bad.get(it.state, 3 + order.index(it.state)), not it.is_own, it.name))

    def _kept_pings(self) -> dict[tuple[str, str], float]:
        """When each schedule was heard last, from the agent before."""
        try:
            kept = msgspec.json.decode(self._on.snapshots.load("", _PINGS) or b"{}", type=dict[str, float])
        except msgspec.DecodeError:
            return {}
        return {(app, name): at for key, at in kept.items() for app, _, name in [key.partition("/")]}

    def _look(self) -> None:
        """Take up monitors that are new, let go of those that are gone."""
        wanted: dict[tuple[str, str], Watched] = {}
        for app, state in list(self._journal.states().items()):
            rules = keeping_rules(state)
            if rules is None or state.route is None:
                continue
            for each in _of_app(state, rules, state.route, self._on):
                wanted[app, each.keys.name] = each
        for key, each in wanted.items():
            known = self.watched.get(key)
            if known is not None and (known.keys, known.own) == (each.keys, each.own):
                continue
            if known is not None:
                each.standing = known.standing
            self.watched[key] = each
            if known is None or known.keys.interval_s != each.keys.interval_s:
                self._due = [it for it in self._due if it[1] != key]
                heapq.heapify(self._due)
                heapq.heappush(self._due, (self._next(each, self._on.clock.monotonic()), key))
        for key in [key for key in self.watched if key not in wanted]:
            del self.watched[key]

    def _next(self, it: Watched, now: float) -> float:
        """Its next moment after `now`: its phase in a whole number of intervals, so that it drifts nowhere."""
        every = self._every_s(it)
        phase = it.phase_s % every
        return ((now - phase) // every + 1) * every + phase

    @staticmethod
    def _every_s(it: Watched) -> float:
        return min(it.keys.interval_s, 5.0) if it.keys.kind == MonitorKind.PING.value else it.keys.interval_s

    def _begin(self, due: float, key: tuple[str, str], now: float) -> None:
        it = self.watched.get(key)
        if it is None:
            return
        it.late_s = now - due
        heapq.heappush(self._due, (self._next(it, max(now, due)), key))
        if it.keys.kind == MonitorKind.PING.value:
            self._look_at_ping(it)
            return
        task = asyncio.create_task(self._check(it))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("a check ended: %s", error, exc_info=error)

    async def _check(self, it: Watched) -> None:
        async with self._slots:
            checked = await self._ask(it)
            for _ in range(it.keys.retries if it.own is None else 0):
                if checked.passed:
                    break
                await self._on.clock.sleep(min(_RETRY_AFTER_S, it.keys.interval_s / 10))
                checked = await self._ask(it)
        is_offline = False
        if not checked.passed and checked.is_ours and it.own is None and not it.keys.private:
            is_offline = await self._is_offline(it.app)
        self._take(it, checked, is_offline=is_offline)

    async def _ask(self, it: Watched) -> Checked:
        if it.own is not None:
            return await self._on.asks.ask_own(it.own)
        values = keeping_values(self._journal.state(it.app), self._on) if "${" in it.keys.target else {}
        if it.keys.kind == MonitorKind.JOURNEY.value:
            return await self._walk(it)
        return await self._on.asks.ask(it.keys, values)

    async def _walk(self, it: Watched) -> Checked:
        """A journey of the manifest, as one visitor of the app makes it."""
        state = self._journal.state(it.app)
        rules, at = keeping_rules(state), self._on.clock.now()
        journey = (
            next((each for each in rules.manifest.journeys if each.name == it.keys.target), None) if rules else None
        )
        if journey is None or state.route is None:
            return Checked(at=at, took_ms=0.0, came=f"there is no journey {it.keys.target!r}")
        dial = Dial(port=self._on.home.http_port, host=state.route.hosts[0])
        walked = await self._on.smokes.walk(journey, dial, keeping_values(state, self._on))
        return Checked(at=at, took_ms=walked.took_ms, came="" if walked.passed else walked.says())

    def _look_at_ping(self, it: Watched) -> None:
        """Missed when nothing was heard for an interval and its grace; first counted from when we began to look."""
        now = self._on.clock.now()
        key = (it.app, it.keys.name)
        last = self._pings.setdefault(key, now)
        late_s = now - expected_at(last, it.keys.interval_s, self.away) - it.keys.grace_s
        if late_s > 0:
            self._take(
                it, Checked(at=now, took_ms=0.0, came=f"nothing was heard for {round(now - last)} s"), is_counted=False
            )

    def _take(self, it: Watched, checked: Checked, *, is_offline: bool = False, is_counted: bool = True) -> None:
        state = self._journal.state(it.app)
        is_announced = state.is_in_maintenance or _is_in_window(it, self._on.clock.now())
        it.standing = judge(it.standing, checked, it.quorum, is_offline=is_offline, is_announced=is_announced)
        if is_counted and it.standing.state not in (MonitorState.OFFLINE, MonitorState.MAINTENANCE):
            point = Point(served=int(checked.passed), failed=int(not checked.passed))
            if checked.passed:
                point.took.add(checked.took_ms)
            self._on.metrics.put(it.app, monitor_subject(it.keys.name), checked.at, point)

    async def _is_offline(self, app: str) -> bool:
        """Whether this machine reaches nothing outside; asked at most every ten seconds, however many monitors fail."""
        now = self._on.clock.monotonic()
        if now - self._offline[0] < _OFFLINE_FOR_S:
            return self._offline[1]
        if self._asking_offline is None or self._asking_offline.done():
            rules = keeping_rules(self._journal.state(app))
            references = rules.alerts.references if rules else ()
            self._asking_offline = asyncio.create_task(self._on.asks.is_offline(references))
        found = await asyncio.shield(self._asking_offline)
        self._offline = (self._on.clock.monotonic(), found)
        return found

    def _status(self, it: Watched, *, has_history: bool) -> MonitorStatus:
        last, now = it.standing.last, self._on.clock.now()
        subject = monitor_subject(it.keys.name)
        metrics = self._on.metrics
        hours = metrics.read(it.app, subject, Level.HOUR, now - 90 * _DAY_S, now + 1) if has_history else ()
        days: dict[float, list[int]] = {}
        for at, point in hours:
            of_day = days.setdefault(at // _DAY_S * _DAY_S, [0, 0])
            of_day[0] += point.served + point.failed
            of_day[1] += point.failed
        is_ping = it.keys.kind == MonitorKind.PING.value
        day = month = None
        if has_history:
            day = uptime(*metrics.counts(it.app, subject, Level.MINUTE, now - _DAY_S, now + 1))
            month = uptime(*metrics.counts(it.app, subject, Level.HOUR, now - 30 * _DAY_S, now + 1))
        return MonitorStatus(
            app=it.app,
            name=it.keys.name,
            kind=MonitorKind(it.keys.kind),
            target=it.keys.target if it.own is None else f"{it.own.host}{it.own.path}",
            state=it.standing.state,
            since=it.standing.since,
            says=it.standing.says,
            interval_s=it.keys.interval_s,
            last_at=last.at if last else 0.0,
            took_ms=last.took_ms if last else 0.0,
            certificate_until=last.certificate_until if last else 0.0,
            uptime_day=day,
            uptime_month=month,
            days=tuple(Day(at=at, checks=checks, failed=failed) for at, (checks, failed) in sorted(days.items())),
            is_own=it.is_own,
            ping_path=f"/v1/apps/{it.app}/pings/{it.keys.name}" if is_ping else "",
            ping_url=self.ping_url_of(it.app, it.keys.name) if is_ping and self.ping_url_of else "",
        )


def expected_at(last: float, interval_s: float, away: tuple[float, float]) -> float:
    """When a schedule should tell next. What it would have told while there was no agent nobody could hear: the first
    time after that counts."""
    due = last + interval_s
    if away[0] <= due <= away[1]:
        due += interval_s * ((away[1] - due) // interval_s + 1)
    return due


def _of_app(state: AppState, rules: KeepingRules, route: AppRoute, on: Drivers) -> list[Watched]:
    zone = rules.alerts.timezone
    own = MonitorKeys(name=OWN_MONITOR, interval_s=OWN_EVERY_S, timeout_s=5.0, retries=0)
    found = [Watched(state.app, own, _own(rules.manifest, route, on), OWN_QUORUM, zone, is_own=True)]
    postgres = rules.manifest.services.postgres
    if postgres is not None and not postgres.url and on.database.port:
        keys = _server_keys(DATABASE_MONITOR, MonitorKind.POSTGRES, on.database.port)
        found.append(Watched(state.app, keys, None, OWN_QUORUM, zone, is_own=True))
    redis = rules.manifest.services.redis
    if redis is not None and not redis.url and (port := on.cache.port(state.app)):
        keys = _server_keys(CACHE_MONITOR, MonitorKind.REDIS, port)
        found.append(Watched(state.app, keys, None, OWN_QUORUM, zone, is_own=True))
    for keys in rules.monitors:
        quorum = Quorum(1, 1, 1) if keys.kind == MonitorKind.PING.value else Quorum(keys.fails, keys.of)
        found.append(Watched(state.app, keys, None, quorum, zone))
    return found


def _server_keys(name: str, kind: MonitorKind, port: int) -> MonitorKeys:
    """A server of Underway's own on this machine."""
    return MonitorKeys(
        name=name,
        kind=kind.value,
        target=f"127.0.0.1:{port}",
        interval_s=OWN_EVERY_S,
        timeout_s=5.0,
        retries=0,
        private=True,
    )


def _own(manifest: Manifest, route: AppRoute, on: Drivers) -> OwnAsk:
    public = [host for host in route.hosts if not host.endswith(".localhost")]
    is_https = route.tls != "off" and bool(public)
    return OwnAsk(
        port=on.home.http_port,
        host=(public or list(route.hosts))[0],
        path=manifest.health.path,
        status=manifest.health.status,
        timeout_s=5.0,
        certificate_port=on.home.https_port if is_https else 0,
    )


def _is_in_window(it: Watched, now: float) -> bool:
    """It is an announced time. `closed_window` with these spans denied says so."""
    return bool(it.keys.windows) and closed_window(Windows(deny=it.keys.windows, timezone=it.timezone), now) is not None
