"""What is open when a release is replaced ends well: whole, or told to come again."""

from __future__ import annotations

import asyncio

import pytest
import websockets

from .open_streams import APP, deploy_streams, through_a_switch

SLOW_S, DRAIN_S = 3.0, 4.0


@pytest.mark.parametrize(
    "is_retired",
    [
        pytest.param(True, id="stopped at the end of its warm time"),
        pytest.param(False, id="stopped by a deploy that needs its slot", marks=pytest.mark.slow),
    ],
)
def test_what_is_open_when_a_release_is_replaced_ends_well(shared_world, is_retired):
    kinds = asyncio.run(through_a_switch(shared_world, 5, SLOW_S, DRAIN_S, is_retired=is_retired))
    assert {kind.name: dict(kind.ends) for kind in kinds} == {kind.name: {kind.wanted: 5} for kind in kinds}
    sockets, endless, streams, slow = kinds
    # Counted from when the switch was seen, which is a moment after it was made and the drain began.
    assert min(sockets.ended_at + endless.ended_at) >= DRAIN_S - 0.5, "they got the whole drain"
    assert min(slow.ended_at + streams.ended_at) > 0, "they were under way when traffic was switched"


def test_a_rollback_does_not_wait_for_the_streams_of_the_release_it_goes_back_to(shared_world):
    async def story(world):
        old = await deploy_streams(world, "old", 60.0, keep_warm="0s")
        async with websockets.connect(f"ws://{APP}.localhost:{world.port}/ws", host="127.0.0.1", proxy=None) as socket:
            await deploy_streams(world, "new", 60.0, keep_warm="0s")
            back = await asyncio.to_thread(world.run, "rollback", APP, "--to", old, timeout=30)
            assert back.returncode == 0, back.stderr
            await socket.send("still here")
            assert await socket.recv() == f"{old} still here"
        assert world.ask("/", app=APP).text == old

    asyncio.run(story(shared_world))
