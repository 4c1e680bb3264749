"""The agent: takes asks, runs acts, keeps warm releases for their time, goes on after a crash."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Coroutine
from typing import Any, assert_never

from underway import __version__
from underway.agent.alive import Alive
from underway.agent.door import Door
from underway.agent.keeping import Keeping
from underway.agent.lookout import Lookout
from underway.agent.plans import Plans, make_plan
from underway.agent.rounds import Rounds
from underway.agent.views import MaintenanceAsk, PlanAsk, WorkAsk, WorkKind
from underway.agent.works import Work, Works
from underway.flows.access import Access
from underway.flows.back_up import back_up, fetch, forget, manifest_of, snapshot_name
from underway.flows.books import Books
from underway.flows.carry_out import Rollouts, carry_out, end_watch
from underway.flows.copy_in import copy_in
from underway.flows.deploy import Planning, take_lease
from underway.flows.drill import drill, verify
from underway.flows.facts import url_of
from underway.flows.resume import bring_back, resume
from underway.flows.retire import let_end
from underway.journal.app_state import AppState
from underway.journal.events.acts import ActKind
from underway.journal.events.home import AgentStarted
from underway.journal.events.releases import InstanceLost, MaintenanceSet
from underway.journal.journal import Journal
from underway.plan.model import Plan
from underway.plan.rollback import plan_retire
from underway.plan.watch import plan_watch
from underway.ports.drivers import Drivers
from underway.steps.step import Act
from underway.terms.backup import Reason
from underway.terms.problem import Failure, Refusal
from underway.terms.process import InstanceEnded
from underway.terms.release import Slot, release_id
from underway.terms.secret import Secret

_log = logging.getLogger(__name__)
COUNT_EVERY_S = 1.0
LINES_AT_ONCE, _BREATH_S = 1_000, 0.003
"""A busy log is read in parts of some 20 ms, with a breath for others after each: who asks the agent waits for one."""
PICK_UP_AFTER_S = 0.5


class Agent:
    """One per home. `owner` names this process in leases."""

    def __init__(self, on: Drivers, journal: Journal, owner: str) -> None:
        self.on = on
        self.journal = journal
        self.started_at = on.clock.now()
        self._owner = owner
        self.plans = Plans(on.clock)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._watching: dict[str, asyncio.Task[Any]] = {}
        """By app: what carries out its watch."""
        self._retiring: dict[str, asyncio.Task[Any]] = {}
        self.works = Works(on.clock, self.new_id)
        self.leaving = asyncio.Event()
        """Set when the agent begins to end: those who follow its events and logs are let go."""
        self.stuck: dict[str, str] = {}
        """By app: why its act cannot go on at the moment."""
        self.rollouts: Rollouts = {}
        self.books = Books(on, journal)
        self.keeping = Keeping(on, journal, self.books, self.leaving.is_set)
        self.alive = Alive(on, journal, self.books)
        self.keeping.monitoring.away = (self.alive.last_at, self.alive.began_at)
        self.access = Access(on, journal)
        self.lookout = Lookout(on, self.leaving.is_set)
        self.access.tell_refused = self.lookout.refused
        self.books.also = self.lookout.heard
        self.door: Door | None = None
        """Where people get in by browser; None for an agent that has none."""

    async def start(self) -> None:
        """Take over what a former agent left: its processes first, then its unfinished acts."""
        await self.on.commands.sweep()
        await self.on.scratches.sweep()
        await self.on.shadows.sweep()
        for app in self.journal.states():
            self.on.backups.abandon(app)
        adopted = await self.on.runtime.adopt()
        self.journal.record(AgentStarted(app="", version=__version__, pid=os.getpid(), adopted=len(adopted)))
        await self._adopt_servers()
        self._spawn(self._count())
        self._spawn(self.alive.go())
        for loop in self.keeping.loops():
            self._spawn(loop)
        self._spawn(self.lookout.go())
        self._spawn(Rounds(self.on, self.journal, self.works, self.leaving.is_set).go())
        for app in list(self.journal.states()):
            self._spawn(self._take_over(app))

    async def stop(self) -> None:
        """End the agent. Instances, proxy and services go on; an act under way is taken up by the next agent."""
        await self.works.stop()
        await self.on.points.detach()
        await self.on.replicas.detach()
        for task in [*self._tasks, *self._retiring.values()]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._retiring.values(), return_exceptions=True)
        self.alive.leave()
        self.books.write()
        self.lookout.write()

    async def stop_everything(self) -> None:
        """Stop every instance, the proxy and all services. The journal stays: the next agent starts it all again."""
        await self.stop()
        for instance in self.on.runtime.instances():
            await self.on.runtime.stop(instance.spec.id)
        await self.on.router.stop()
        for app, state in self.journal.states().items():
            if _uses(state, "redis"):
                await self.on.cache.stop(app)
        await self.on.points.stop()
        await self.on.replicas.pause()
        await self.on.database.stop()

    async def plan(self, ask: PlanAsk) -> tuple[str, Planning]:
        """Make a plan and keep it for ten minutes. Raises `Refusal`."""
        planning = None
        while planning is None:
            try:
                planning = await make_plan(ask, self.on, self.journal, self.books)
            except Refusal as refusal:
                if not await self._has_retired(refusal):
                    raise
        plan_id = self.new_id()
        planning = planning._replace(by=ask.by)
        self.plans.keep(plan_id, planning)
        return plan_id, planning

    async def _has_retired(self, refusal: Refusal) -> bool:
        """Wait for the retire that an ask was refused for: it is ours, short, and nothing a person has begun."""
        held = next((p.where for p in refusal.problems if p.code == "lease.held"), "")
        act = self.journal.state(held).act
        if act is None or act.kind is not ActKind.RETIRE:
            return False
        while self.journal.state(held).act is act:
            await self.on.clock.sleep(0.02)
        return True

    def run(self, plan_id: str) -> tuple[str, Planning]:
        """Run a kept plan in the background; return the act's id. Raises `Refusal`."""
        planning = self.plans.take(plan_id)
        return self._begin(planning), planning

    def begin_work(self, app: str, ask: WorkAsk) -> Work:
        """Begin work on the app's data in the background. Raises `Refusal`."""
        manifest_of(app, self.journal)
        on, journal = self.on, self.journal
        identity = Secret(ask.identity) if ask.identity else None

        async def do(work: Work) -> object:
            match ask.kind:
                case WorkKind.BACKUP:
                    return await back_up(app, Reason.ASKED, on, journal, work.progress)
                case WorkKind.SNAPSHOT:
                    return await back_up(app, Reason.SNAPSHOT, on, journal, work.progress, snapshot_name(ask.name))
                case WorkKind.DRILL:
                    return await drill(app, ask.backup, on, journal, work.say, identity)
                case WorkKind.VERIFY:
                    return await verify(app, ask.backup, on, journal, work.say, identity)
                case WorkKind.FETCH:
                    return await fetch(app, ask.backup, ask.remote, on, journal)
                case WorkKind.COPY:
                    return await copy_in(app, ask.source, on, journal, work.say, work.progress)
                case WorkKind.FORGET:
                    return await forget(app, ask.name, on, journal)
                case _:
                    assert_never(ask.kind)

        kind = "backup" if ask.kind is WorkKind.SNAPSHOT else ask.kind.value
        return self.works.begin(app, kind, do)

    def set_maintenance(self, app: str, ask: MaintenanceAsk) -> None:
        """Show the maintenance page, or the app again. Deploys do not change it."""
        self.journal.record(MaintenanceSet(app=app, is_on=ask.is_on, by=ask.by))
        self.on.router.set_maintenance(app, ask.is_on)

    def _begin(self, planning: Planning) -> str:
        self._end_watch(planning.plan)
        act = take_lease(planning, self.new_id(), self._owner, self.on, self.journal)
        task = self._spawn(self._carry_out(planning, act.app, act.id))
        if planning.plan.kind is ActKind.WATCH:
            self._watching[act.app] = task
        return act.id

    def _watch_on(self, app: str) -> None:
        """Go on watching the release that a deploy has just made live."""
        plan = plan_watch(self.journal.state(app), url_of(app, self.on))
        if plan is not None:
            self._begin(Planning(plan, self.journal.state(app).as_of))

    def _end_watch(self, wanted: Plan) -> None:
        """The watch of an app gives way to another act; what it watched is live and gets everybody."""
        state = self.journal.state(wanted.app)
        if state.act is None or state.act.kind is not ActKind.WATCH or not state.is_free:
            return
        if rolling := self.rollouts.pop(wanted.app, None):
            rolling.give_way()
        if task := self._watching.pop(wanted.app, None):
            task.cancel()
        end_watch(state, self.journal, f"a {wanted.kind.value} began")

    async def _carry_out(self, planning: Planning, app: str, act_id: str) -> None:
        try:
            await carry_out(planning.plan, Act(app, act_id), self.on, self.journal, "go_on", self.rollouts)
        except Exception as error:
            self._note_stuck(app, error)
            await self.on.clock.sleep(PICK_UP_AFTER_S)
            await self._pick_up(app)
        self._watch_on(app)
        self._keep_warm(app)

    async def _pick_up(self, app: str) -> None:
        """End an act that stopped in the middle: go on or take it back, again and again until that works.

        What stops one is a journal that cannot be written (a full disk) or a fault of ours; an app whose act never
        ends could not be deployed any more.
        """
        wait_s = PICK_UP_AFTER_S
        while True:
            try:
                await resume(app, self.on, self.journal, self.rollouts)
            except Exception as error:
                self._note_stuck(app, error)
                await self.on.clock.sleep(wait_s)
                wait_s = min(2 * wait_s, 30.0)
            else:
                self.stuck.pop(app, None)
                return

    def _note_stuck(self, app: str, error: Exception) -> None:
        is_told = isinstance(error, Failure)
        why = error.problem.why if isinstance(error, Failure) else f"{type(error).__name__}: {error}"
        if self.stuck.get(app) != why:
            _log.error("an act of %s cannot go on: %s", app, why, exc_info=None if is_told else error)
        self.stuck[app] = why

    async def _take_over(self, app: str) -> None:
        if task := asyncio.current_task():
            self._watching[app] = task
        await self._pick_up(app)
        self._watching.pop(app, None)
        await bring_back(app, self.on, self.journal)
        self._watch_on(app)
        self._keep_warm(app)

    def _keep_warm(self, app: str) -> None:
        """Stop the release on the idle slot when its warm time is over."""
        if former := self._retiring.pop(app, None):
            former.cancel()
        state = self.journal.state(app)
        if state.act is None and state.live_slot and state.live_slot.other in state.slots:
            self._retiring[app] = asyncio.create_task(self._retire(app, state.live_slot.other, state.warm_until))

    async def _retire(self, app: str, slot: Slot, at: float) -> None:
        await self.on.clock.sleep(max(0.0, at - self.on.clock.now()))
        if self._is_idle(app, slot):
            await let_end(app, slot, self.on, self.journal)
        if self._is_idle(app, slot):
            state = self.journal.state(app)
            self._begin(Planning(plan_retire(app, state.slots[slot].release, slot), state.as_of))

    def _is_idle(self, app: str, slot: Slot) -> bool:
        """True while a release is kept on `slot` and nothing wants it."""
        state = self.journal.state(app)
        return state.act is None and slot in state.slots and state.live_slot is not slot

    async def _count(self) -> None:
        while True:
            while self.books.catch_up(LINES_AT_ONCE):
                await self.on.clock.sleep(_BREATH_S)
            await self.on.clock.sleep(COUNT_EVERY_S)

    async def _adopt_servers(self) -> None:
        """The proxy and the data services of apps that are up. What cannot be started is told, not fatal."""
        up = [state for state in self.journal.states().values() if state.route or state.act]
        starts: list[Coroutine[Any, Any, Any]] = []
        if self.on.routes.all():
            starts.append(self.on.router.start())
        if any(_uses(state, "postgres") for state in up):
            starts.append(self.on.database.start())
        if any(_uses(state, "redis") for state in up):
            starts.append(self.on.cache.adopt())
        for result in await asyncio.gather(*starts, return_exceptions=True):
            if isinstance(result, BaseException):
                _log.error("could not take over a server: %s", result)

    def heard(self, news: InstanceEnded) -> None:
        """An instance ended by itself: into the journal with it."""
        self.journal.record(
            InstanceLost(
                app=news.spec.app,
                instance=news.spec.id,
                release=news.spec.release,
                exit_code=news.exit_code,
                ran_s=news.ran_s,
                restart_in_s=news.restart_in_s,
                log_tail=news.log_tail[-10:],
            )
        )

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("a background task ended: %s", error, exc_info=error)

    def new_id(self) -> str:
        """A fresh id, sorted by time."""
        return release_id(self.on.clock.now(), self.on.clock.entropy())


def _uses(state: AppState, service: str) -> bool:
    return any(f"services.{service}" in it.manifest for it in state.releases.values() if not it.is_pruned)
