from __future__ import annotations

import msgspec

from underway.journal.events.database import CodeTried
from underway.ports.drivers import Drivers
from underway.steps.environment import DATABASE_PASSWORD
from underway.steps.step import Act, Did
from underway.steps.try_code import CodeAsk, tried
from underway.terms.rehearsal import Fit, Runs


class TryRelease(msgspec.Struct, frozen=True, kw_only=True, tag="try_release", tag_field="step"):
    """Start an earlier release on a copy of the database as it is now: whether a rollback could go there."""

    ask: CodeAsk

    id: str = "try"
    is_one_way: bool = False

    def says(self) -> str:
        return f"try {self.ask.release} on a copy of the database as it is now"

    def undo_says(self) -> str:
        return "nothing to undo: the copy is gone"

    async def apply(self, act: Act, on: Drivers) -> Did:
        schema = (await on.schemas.shape(act.app)).digest
        await on.scratches.sweep_clones()
        scratch = await on.scratches.clone(act.app, on.vault.ensure(act.app, DATABASE_PASSWORD, "password"))
        try:
            async with tried(self.ask, scratch, on, "rehearsal") as running:
                trouble = await running.trouble()
        finally:
            await on.scratches.drop(scratch)
        if trouble:
            runs, because = Runs.NO, trouble
        elif running.passed:
            runs, because = Runs.YES, f"started on a copy of it; passed: {', '.join(running.passed[:3])}"
        else:
            runs = Runs.UNKNOWN
            because = "it is healthy on a copy of it, but there is no [[smoke]] that asks more of it"
        fit = Fit(release=self.ask.release, schema=schema, runs=runs, because=because)
        return Did((CodeTried(app=act.app, act=act.id, fit=fit),), f"{runs.value}: {because}")

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()
