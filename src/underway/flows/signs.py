"""Signs of life of two releases: health checks in a row, ends of instances, memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Mapping

from underway.flows.watch import check_once
from underway.guard.evidence import Health
from underway.plan.model import Watch
from underway.ports.drivers import Drivers
from underway.terms.process import Instance, InstanceState

CHECK_EVERY_S = 2.0
ENDS_AT_FULL = 3
"""Ends of the new release's instances, within the watch at 100 %, that take it back. One may be chance (the machine
ran out of memory, somebody killed it); while it has a share of the users, one is enough."""


class Signs:
    """Looks at the instances of the candidate and of the stable release.

    `restarts` are those each instance had when the rollout began: they do not count.
    """

    def __init__(self, app: str, candidate: str, stable: str, ask: Watch, on: Drivers) -> None:
        self._app, self._candidate, self._stable, self._ask, self._on = app, candidate, stable, ask, on
        self._failed: dict[str, int] = defaultdict(int)
        self._said = ""
        self._checked_at = -CHECK_EVERY_S
        self._asking: asyncio.Task[Health] | None = None

    def restarts(self) -> dict[str, int]:
        return {i.spec.id: i.restarts for i in self._on.runtime.instances(self._app)}

    def look(self) -> Health | None:
        """The checks failed in a row, on the worst instance of each side; None while there is nothing new.

        The asking itself goes on in the background: an instance that hangs must not keep the guard from looking.
        """
        health = None
        if self._asking is not None and self._asking.done():
            health = self._asking.result()
            self._asking = None
        now = self._on.clock.monotonic()
        if self._asking is None and now - self._checked_at >= CHECK_EVERY_S:
            self._checked_at = now
            self._asking = asyncio.create_task(self._check())
        return health

    async def stop(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._asking

    async def _check(self) -> Health:
        worst = {self._candidate: 0, self._stable: 0}
        for instance in self._on.runtime.instances(self._app):
            name = instance.spec.id
            if instance.spec.port and instance.spec.release in worst:
                failure = await check_once(instance, self._ask, self._on)
                self._failed[name] = self._failed[name] + 1 if failure else 0
                worst[instance.spec.release] = max(worst[instance.spec.release], self._failed[name])
                if failure and instance.spec.release == self._candidate:
                    self._said = failure
        return Health(candidate_in_a_row=worst[self._candidate], stable_in_a_row=worst[self._stable], said=self._said)

    def ended(self, before: Mapping[str, int], is_at_full: bool) -> str:
        """Why the candidate is dead, empty while it lives."""
        for i in self._candidates():
            ends = i.restarts - before.get(i.spec.id, 0)
            what = f"{i.spec.process} {i.spec.number + 1} of {i.spec.release}"
            if i.state is InstanceState.CRASH_LOOP:
                return f"{what} keeps ending, the last time with exit code {i.exit_code}"
            if ends >= (ENDS_AT_FULL if is_at_full else 1):
                times = f", {ends} times since the watch began" if ends > 1 else ""
                return f"{what} ended with exit code {i.exit_code}{times}"
        return ""

    def memory(self) -> float | None:
        """What the candidate's largest instance uses, bytes."""
        samples = [self._on.runtime.sample(i.spec.id) for i in self._candidates()]
        return max((float(sample.rss_bytes) for sample in samples if sample), default=None)

    def _candidates(self) -> list[Instance]:
        return [i for i in self._on.runtime.instances(self._app) if i.spec.release == self._candidate]
