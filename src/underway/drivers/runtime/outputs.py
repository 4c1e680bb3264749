"""The outputs of all instances that have secrets: brought to their logs soon after they were written."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection

from underway.drivers.inotify import WriteWatch
from underway.drivers.masked_log import MaskedLog
from underway.drivers.runtime.life import Life

_LOG = logging.getLogger(__name__)
_SPOOL = "out"
_AFTER_S = 0.05
"""From a write to the log: what is written in between goes there in one turn."""
_LOOK_EVERY_S = 1.0
"""Where the kernel gives no watch."""


class Outputs:
    """Belongs to a runtime; `lives` gives its instances."""

    def __init__(self, lives: Callable[[], Collection[Life]]) -> None:
        self._lives = lives
        self._watch: WriteWatch | None = None
        self._timer: asyncio.TimerHandle | None = None

    def join(self, life: Life) -> None:
        """Give the instance its way to the log, when it has secrets."""
        if life.environ is None or not life.environ.hidden:
            return
        life.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        life.output = MaskedLog(life.folder / _SPOOL, life.log, life.environ)
        try:
            if self._watch is None:
                self._watch = WriteWatch(self._soon)
            self._watch.add(life.output.spool)
            self._soon()
        except OSError as error:
            _LOG.warning("output is looked for every %g s: %s", _LOOK_EVERY_S, error)
            self._later(_LOOK_EVERY_S)

    def let_go(self, life: Life | None, *, is_over: bool) -> None:
        """Bring what is there to the log and leave the instance alone; with `is_over` nothing will write any more."""
        if life is not None and life.output is not None:
            if is_over:
                life.output.finish()
            else:
                life.output.pump()
            life.output.close()
            life.output = None

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _soon(self) -> None:
        self._later(_AFTER_S)

    def _later(self, delay_s: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._pump)

    def _pump(self) -> None:
        self._timer = None
        is_more = [life.pump() for life in tuple(self._lives())]
        if any(is_more):
            self._soon()
        elif self._watch is None:
            self._later(_LOOK_EVERY_S)
