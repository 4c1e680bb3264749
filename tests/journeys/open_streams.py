"""WebSockets, event streams and slow requests that are open while their release is replaced, drained and stopped."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import websockets

from underway.load.strict import Broken, ask, request_bytes

from .world import World

APP = "streams"
TICK_S = 0.1
"""Between two events of a stream of the app, and two messages of a WebSocket."""


@dataclass
class Kind:
    """Those of one kind: how they should end, how they did, and when (seconds after the switch)."""

    name: str
    wanted: str
    ends: Counter[str] = field(default_factory=Counter)
    ended_at: list[float] = field(default_factory=list)

    def add(self, how: str) -> None:
        self.ends[how] += 1
        self.ended_at.append(time.perf_counter())

    @property
    def is_as_wanted(self) -> bool:
        return set(self.ends) == {self.wanted}


async def through_a_switch(world: World, each: int, slow_s: float, drain_s: float, *, is_retired: bool) -> list[Kind]:
    """Open all on a release, switch to another, and have the old one drained and stopped; return how they ended.

    The old release is stopped as soon as it gets no more traffic (`is_retired`), or by a deploy that needs its slot.
    """
    old = await deploy_streams(world, f"1 {is_retired}", drain_s, keep_warm="10m")
    new = await deploy_streams(world, f"2 {is_retired}", drain_s, keep_warm="0s" if is_retired else "10m")
    await _settled(world)
    await _roll_back(world, old)
    sockets, endless, streams, slow = kinds = [
        Kind("WebSockets without end", "told 1012"),
        Kind("event streams without end", "whole"),
        Kind(f"event streams of {slow_s:g} s", "whole"),
        Kind(f"requests of {slow_s:g} s", "200"),
    ]
    opened = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(_socket(world, sockets, opened)) for _ in range(each)]
    tasks += [asyncio.create_task(_stream(world, endless, old, 0)) for _ in range(each)]
    for _ in range(each):
        await opened.acquire()
    tasks += [asyncio.create_task(_stream(world, streams, old, round(slow_s / TICK_S))) for _ in range(each)]
    tasks += [asyncio.create_task(_slow(world, slow, old, slow_s)) for _ in range(each)]
    switched_at = await _roll_back(world, new)
    if not is_retired:
        await deploy_streams(world, "3", drain_s, keep_warm="10m")
    await asyncio.gather(*tasks)
    for kind in kinds:
        kind.ended_at = [at - switched_at for at in kind.ended_at]
    return kinds


async def deploy_streams(world, version, drain_s, *, keep_warm):
    path = world.app(APP, like="streams")
    lines = [line for line in (path / "underway.toml").read_text().splitlines() if not line.startswith(("drain", "ke"))]
    lines += [f'drain = "{drain_s:g}s"', f'keep_warm = "{keep_warm}"', ""]
    world.write(path, VERSION=f"{version}\n", underway_dot_toml="\n".join(lines))
    done = await asyncio.to_thread(world.deploy, path)
    assert done["outcome"] == "live", done
    return done["release"]


async def _settled(world):
    """Wait until nothing is under way: a release that is not kept warm is being stopped."""
    async with asyncio.timeout(60):
        while (status := await asyncio.to_thread(world.status, APP))["act"] or 0 < status["warm_until"] < time.time():
            await asyncio.sleep(0.05)


async def _roll_back(world, to):
    """Switch to the release `to`; return when the command had ended, in seconds of the performance counter."""
    done = await asyncio.to_thread(world.run, "rollback", APP, "--to", to)
    assert done.returncode == 0, done.stdout + done.stderr
    return time.perf_counter()


async def _socket(world, kind, opened):
    """Keep a WebSocket busy until the server closes it."""
    try:
        async with websockets.connect(f"ws://{APP}.localhost:{world.port}/ws", host="127.0.0.1", proxy=None) as socket:
            number = 0
            while True:
                await socket.send(str(number))
                assert (await socket.recv()).split()[1] == str(number)
                if number == 0:
                    opened.release()
                number += 1
                await asyncio.sleep(TICK_S)
    except websockets.ConnectionClosed as closed:
        kind.add(f"told {closed.rcvd.code}" if closed.rcvd else "cut without a word")


async def _stream(world, kind, release, count):
    """Read an event stream to its end: `count` events, or without end (0)."""
    body = await _body(world, f"/events/{count}", kind)
    if body is None:
        return
    *events, last = body.strip().split("\n\n")
    is_in_order = events == [f"data: {release} {number}" for number in range(1, len(events) + 1)]
    is_whole = is_in_order and last == "event: end\ndata: end" and (not count or len(events) == count)
    kind.add("whole" if is_whole else f"{len(events)} events, last {last[:40]!r}")


async def _slow(world, kind, release, seconds):
    body = await _body(world, f"/slow/{seconds:g}", kind)
    if body is not None:
        kind.add("200" if body == release else f"answered by {body}")


async def _body(world, path, kind):
    """The body of a 200; None when it was something else, which is counted."""
    try:
        answer = await ask("127.0.0.1", world.port, request_bytes(f"{APP}.localhost", path), timeout_s=120)
    except Broken as error:
        kind.add(str(error))
        return None
    if answer.status != 200:
        kind.add(f"status {answer.status}")
        return None
    return answer.body.decode()
