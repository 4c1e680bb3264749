"""What goes on while somebody listens: events as they are recorded, and between them every rollout as it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

import msgspec

from underway.agent.agent import Agent
from underway.agent.look import rollout_view
from underway.agent.views import RolloutLine

ROLLOUT_EVERY_S = 1.0
"""How often a rollout that changed is told."""

_T = TypeVar("_T")


async def until_left(agent: Agent, items: AsyncIterator[_T], every_s: float | None = None) -> AsyncIterator[_T | None]:
    """`items`, at most until the agent begins to end. None whenever nothing came for `every_s` seconds."""

    async def following() -> _T:
        return await anext(items)

    left = asyncio.ensure_future(agent.leaving.wait())
    item = asyncio.ensure_future(following())
    try:
        while True:
            await asyncio.wait({item, left}, timeout=every_s, return_when=asyncio.FIRST_COMPLETED)
            if left.done() and not item.done():
                return
            if not item.done():
                yield None
                continue
            try:
                yield item.result()
            except StopAsyncIteration:
                return
            item = asyncio.ensure_future(following())
    finally:
        left.cancel()
        item.cancel()


async def followed(agent: Agent, after: int, app: str, act: str) -> AsyncIterator[bytes]:
    """JSON lines: the events after number `after` as they come, and `rollout` lines of what is on its way."""
    told: dict[str, RolloutLine] = {}
    due = 0.0
    async for record in until_left(agent, agent.journal.follow(after, app, act), ROLLOUT_EVERY_S):
        if record is not None:
            yield msgspec.json.encode(record.flat()) + b"\n"
        now = agent.on.clock.monotonic()
        if now < due:
            continue
        due = now + ROLLOUT_EVERY_S
        for line in _rollouts(agent, app, act):
            if told.get(line.app) != line:
                told[line.app] = line
                yield msgspec.json.encode(line) + b"\n"


def _rollouts(agent: Agent, app: str, act: str) -> Iterator[RolloutLine]:
    for name in sorted(agent.rollouts):
        held = agent.journal.state(name).act
        if held is None or app not in ("", name) or act not in ("", held.id):
            continue
        view = rollout_view(agent, name, held.paused)
        if view is not None:
            yield RolloutLine(app=name, act=held.id, **msgspec.structs.asdict(view))
