"""Long work that needs no lease: backups, drills, checks, copies. One of a kind at a time for an app."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

from underway.agent.views import WorkView
from underway.ports.clock import Clock
from underway.terms.problem import Failure, Problem, Refusal

_log = logging.getLogger(__name__)
_KEPT = 100


@dataclass
class Work:
    """One piece of work as it is now. It is told of until a hundred newer ones are."""

    id: str
    app: str
    kind: str
    began_at: float
    says: str = ""
    done: int = 0
    of: int = 0
    result: bytes = b"null"
    problems: tuple[Problem, ...] = ()
    log_tail: tuple[str, ...] = ()
    ended_at: float = 0.0
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    def progress(self, done: int, of: int) -> None:
        """A `Progress`."""
        self.done, self.of = done, of

    def say(self, says: str) -> None:
        self.says, self.done, self.of = says, 0, 0

    def view(self) -> WorkView:
        return WorkView(
            id=self.id,
            app=self.app,
            kind=self.kind,
            began_at=self.began_at,
            ended_at=self.ended_at,
            says=self.says,
            done=self.done,
            of=self.of,
            result=msgspec.Raw(self.result),
            problems=self.problems,
            log_tail=self.log_tail,
        )


class Works:
    """The work under way and that of a while ago."""

    def __init__(self, clock: Clock, new_id: Callable[[], str]) -> None:
        self._clock = clock
        self._new_id = new_id
        self._works: OrderedDict[str, Work] = OrderedDict()

    def begin(self, app: str, kind: str, do: Callable[[Work], Awaitable[object]]) -> Work:
        """Start it in the background. Raises `Refusal` (`work.under-way`) while the app has one of this kind."""
        if running := self.running(app, kind):
            raise Refusal([_under_way(running)])
        work = Work(self._new_id(), app, kind, self._clock.now())
        work.task = asyncio.create_task(self._run(work, do), name=f"{kind} {app}")
        self._works[work.id] = work
        over = [it.id for it in self._works.values() if it.ended_at]
        for old in over[: max(0, len(self._works) - _KEPT)]:
            del self._works[old]
        return work

    def running(self, app: str, kind: str = "") -> Work | None:
        """The work of this kind (of any for none) that the app has under way."""
        found = (it for it in self._works.values() if it.app == app and kind in ("", it.kind) and not it.ended_at)
        return next(found, None)

    def get(self, work_id: str) -> Work:
        """Raises `Refusal` (`work.unknown`)."""
        work = self._works.get(work_id)
        if work is None:
            raise Refusal([_unknown(work_id)])
        return work

    async def stop(self) -> None:
        """End what is under way; none of it leaves anything half-made."""
        tasks = [it.task for it in self._works.values() if it.task and not it.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, work: Work, do: Callable[[Work], Awaitable[object]]) -> None:
        try:
            work.result = msgspec.json.encode(await do(work))
        except Refusal as refusal:
            work.problems = refusal.problems
        except Failure as failure:
            work.problems, work.log_tail = (failure.problem,), failure.log_tail
        except Exception as error:
            _log.exception("%s of %s raised", work.kind, work.app)
            work.problems = (_fault(work, error),)
        finally:
            work.ended_at = self._clock.now()


def _under_way(work: Work) -> Problem:
    return Problem(
        code="work.under-way",
        where=work.app,
        why=f"a {work.kind} of {work.app} is under way already",
        remedy="wait until it has ended",
        command=f"underway status {work.app}",
    )


def _unknown(work_id: str) -> Problem:
    return Problem(
        code="work.unknown",
        where=work_id[:40],
        why="the agent knows no such work: it ended long ago, or the agent was started anew in the middle of it",
        remedy="ask for it again: nothing half-made was kept",
        command="underway status",
    )


def _fault(work: Work, error: Exception) -> Problem:
    return Problem(
        code="underway.fault",
        where=f"{work.kind} of {work.app}",
        why=f"Underway itself failed: {type(error).__name__}: {str(error)[:300]}",
        remedy="what runs goes on running; the agent's log has the traceback: please report it",
        command="underway agent status",
    )
