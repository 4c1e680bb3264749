"""What is open when a release is replaced ends well: whole, or told to come again."""

from __future__ import annotations

import asyncio

import pytest

from .open_streams import through_a_switch

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
    assert min(sockets.ended_at + endless.ended_at) >= DRAIN_S, "they got the whole drain"
    assert min(slow.ended_at + streams.ended_at) > 0, "they were under way when traffic was switched"
