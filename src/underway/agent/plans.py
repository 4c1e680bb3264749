"""Plans: made of what was asked, and kept until they are run, so that what was shown is what runs."""

from __future__ import annotations

from collections import OrderedDict
from typing import assert_never

from underway.agent.views import PlanAsk
from underway.flows.books import Books
from underway.flows.deploy import (
    Planning,
    prepare_deploy,
    prepare_down,
    prepare_rehearsal,
    prepare_restore,
    prepare_rollback,
)
from underway.flows.facts import DeployWishes, RollbackWishes
from underway.journal.events.acts import ActKind
from underway.journal.journal import Journal
from underway.plan.strategy import LOOK_BACK_S, Pace
from underway.ports.clock import Clock
from underway.ports.drivers import Drivers
from underway.terms.problem import Problem, Refusal

MOST_KEPT = 50
LIFE_S = 600.0


class Plans:
    """Those of one agent, by id, the newest last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Planning]] = OrderedDict()

    def keep(self, plan_id: str, planning: Planning) -> None:
        """Keep a plan for ten minutes."""
        self._kept[plan_id] = (self._clock.monotonic(), planning)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    def take(self, plan_id: str) -> Planning:
        """The plan, to be run once. Raises `Refusal` (`plan.unknown`)."""
        made_at, planning = self._kept.pop(plan_id, (0.0, None))
        if planning is None or self._clock.monotonic() - made_at > LIFE_S:
            raise Refusal([_no_plan(plan_id)])
        return planning

    def look(self, plan_id: str) -> Planning | None:
        """The plan that is kept under this id, to look at."""
        return self._kept.get(plan_id, (0.0, None))[1]


async def make_plan(ask: PlanAsk, on: Drivers, journal: Journal, books: Books) -> Planning:
    """The plan of what is asked. Raises `Refusal` with everything that stands in the way."""
    match ask.kind:
        case ActKind.DEPLOY:
            books.catch_up()
            wishes = DeployWishes(
                allow=ask.allow,
                strategy=ask.strategy,
                pace_of=lambda app: Pace(books.per_s(app, LOOK_BACK_S), LOOK_BACK_S),
                environment=ask.environment,
                spend_budget=ask.spend_budget,
            )
            return await prepare_deploy(ask.path, ask.app, on, journal, wishes)
        case ActKind.ROLLBACK:
            back = RollbackWishes(ask.code_only, ask.restore, ask.migrate_back, "loss" in ask.allow)
            return await prepare_rollback(ask.app, ask.to, on, journal, back)
        case ActKind.DOWN:
            return prepare_down(ask.app, on, journal)
        case ActKind.REHEARSE:
            return await prepare_rehearsal(ask.app, ask.to, on, journal)
        case ActKind.RESTORE:
            return prepare_restore(
                ask.app,
                ask.to,
                on,
                journal,
                until=ask.until,
                is_copied=ask.is_copied,
                reset=ask.is_reset,
            )
        case ActKind.RETIRE | ActKind.WATCH:
            raise Refusal([_not_for_asking()])
        case _:
            assert_never(ask.kind)


def _no_plan(plan_id: str) -> Problem:
    return Problem(
        code="plan.unknown",
        where=plan_id[:40],
        why="there is no such plan: plans are kept for ten minutes and run once",
        remedy="ask for a new one",
    )


def _not_for_asking() -> Problem:
    return Problem(
        code="plan.kind",
        where="kind",
        why="retiring is done by the agent itself",
        remedy="use deploy, rollback or down",
    )
