"""What the app's processes and its database use, into the figures over time."""

from __future__ import annotations

import logging
from collections.abc import Callable

from underway.flows.alert import clear_alert, raise_alert
from underway.flows.back_up import manifest_of
from underway.journal.journal import Journal
from underway.observe.database import late, read_database
from underway.ports.drivers import Drivers
from underway.terms.database_health import Follower
from underway.terms.metrics import (
    CONNECTIONS,
    CPU,
    DATABASE,
    DATABASE_BYTES,
    MEMORY,
    RESTARTS,
    ROWS,
    RUN_S,
    Level,
    Point,
    release_subject,
)
from underway.terms.problem import Failure, Problem, Refusal

_log = logging.getLogger(__name__)
EVERY_S = float(Level.FINE.value)
DATABASE_EVERY_S = 60.0
PRUNE_EVERY_S = 3600.0


class Sampling:
    """One per agent: reads every ten seconds what runs, every minute the databases."""

    def __init__(self, on: Drivers, journal: Journal, is_leaving: Callable[[], bool]) -> None:
        self._on = on
        self._journal = journal
        self._is_leaving = is_leaving
        self._cpu: dict[tuple[str, int], tuple[float, float]] = {}
        """By instance and life: its processor time, and when that was read."""
        self._looked_at = on.clock.now()
        self._database_at = self._pruned_at = -PRUNE_EVERY_S

    async def go(self) -> None:
        """Without end; a reading that fails is told of, and the next one comes all the same."""
        while not self._is_leaving():
            try:
                self.look()
                await self._databases()
                if self._on.clock.monotonic() - self._pruned_at >= PRUNE_EVERY_S:
                    self._pruned_at = self._on.clock.monotonic()
                    self._on.metrics.prune(self._on.clock.now())
            except Exception:
                _log.exception("what runs could not be measured")
            await self._on.clock.sleep(EVERY_S)

    def look(self) -> None:
        """Read every instance once."""
        now, known = self._on.clock.now(), self._cpu
        since_s = min(max(0.0, now - self._looked_at), 3 * EVERY_S)  # a machine that slept ran nothing
        self._cpu, self._looked_at = {}, now
        whole: dict[tuple[str, str], dict[str, float]] = {}
        for instance in self._on.runtime.instances():
            sample = self._on.runtime.sample(instance.spec.id)
            if sample is None:
                continue
            key = (instance.spec.id, instance.pid)
            self._cpu[key] = (sample.cpu_s, now)
            sums = whole.setdefault((instance.spec.app, instance.spec.release), dict.fromkeys((MEMORY, RESTARTS), 0.0))
            sums[MEMORY] += sample.rss_bytes
            sums[RESTARTS] += instance.restarts
            sums[RUN_S] = sums.get(RUN_S, 0.0) + since_s
            if (before := known.get(key)) is not None and now > before[1]:
                cores = max(0.0, sample.cpu_s - before[0]) / (now - before[1])
                sums[CPU] = sums.get(CPU, 0.0) + cores
        for (app, release), sums in whole.items():
            self._add(app, release_subject(release), now, sums)

    async def _databases(self) -> None:
        if self._on.clock.monotonic() - self._database_at < DATABASE_EVERY_S:
            return
        self._database_at = self._on.clock.monotonic()
        for app, state in list(self._journal.states().items()):
            if not state.live:
                continue
            try:
                postgres = manifest_of(app, self._journal).services.postgres
                if postgres is None or postgres.url:
                    self._tell_of_late(app, self._on.replicas.behind(app))
                    continue
                found = await read_database(app, self._on.database_stats, self._on.replicas)
            except (Failure, Refusal):  # a database that is away is told of by its monitor
                continue
            figures = {DATABASE_BYTES: float(found.size_bytes), CONNECTIONS: float(found.connections)}
            figures[ROWS] = float(found.rows)
            self._add(app, DATABASE, self._on.clock.now(), figures)
            self._tell_of_late(app, found.followers)

    def _tell_of_late(self, app: str, followers: tuple[Follower, ...]) -> None:
        if behind := late(followers):
            raise_alert(app, "followers", _behind(app, behind[0]), self._journal)
        else:
            clear_alert(app, "followers", "what follows the database is up to date", self._journal)

    def _add(self, app: str, subject: str, at: float, figures: dict[str, float]) -> None:
        point = Point()
        for name, value in figures.items():
            point.gauge(name).add(value)
        self._on.metrics.put(app, subject, at, point)


def _behind(app: str, it: Follower) -> Problem:
    return Problem(
        code="database.behind",
        where=f"{app} {it.name}",
        why=f"it is {it.behind_s or 0:.0f} s behind: a restore to a moment would miss what was written since",
        remedy="see whether the disk is full or slow, and whether it runs at all",
        command=f"underway db stats {app}",
    )
