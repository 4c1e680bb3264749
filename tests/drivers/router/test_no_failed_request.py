"""Switches and reloads under load. The clients are strict: they never retry."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from bench.strict_load import StrictLoad
from tests.drivers.router.proxied import HOST, Upstream, proxy, route

CLIENTS = 20


@pytest.mark.parametrize("keep_alive", [True, False], ids=["kept-alive", "one-per-request"])
def test_a_switch_fails_no_request(tmp_path: Path, app_a: Upstream, app_b: Upstream, keep_alive: bool) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(a=(app_a.port,), b=(app_b.port,))) as to:
            async with StrictLoad(to.home.http_port, HOST, clients=CLIENTS, keep_alive=keep_alive) as load:
                for number in range(20):
                    to.router.set_share("shop", (number + 1) % 2)
                    now = b"B" if number % 2 == 0 else b"A"
                    wanted = load.tally.bodies[now] + CLIENTS * 2
                    async with asyncio.timeout(10):
                        while load.tally.bodies[now] < wanted:
                            await asyncio.sleep(0.005)
            assert not load.tally.failed
            assert load.tally.served > 20 * CLIENTS

    asyncio.run(scenario())


@pytest.mark.parametrize("keep_alive", [True, False], ids=["kept-alive", "one-per-request"])
def test_a_reload_fails_no_request(tmp_path: Path, app_a: Upstream, app_b: Upstream, keep_alive: bool) -> None:
    async def scenario() -> None:
        shop = route(a=(app_a.port,), b=(app_b.port,))
        async with proxy(tmp_path, shop) as to:
            async with StrictLoad(to.home.http_port, HOST, clients=CLIENTS, keep_alive=keep_alive) as load:
                await load.reaches(CLIENTS)
                for number in range(6):
                    assert await to.router.configure([shop, route(f"app{number}", a=(app_a.port,))])
                    assert await to.status(host=f"app{number}.localhost") == 200
                    await load.reaches(load.tally.served + CLIENTS * 3)
            assert not load.tally.failed

    asyncio.run(scenario())


def test_the_same_picture_is_no_reload(tmp_path: Path, app_a: Upstream) -> None:
    async def scenario() -> None:
        shop = route(a=(app_a.port,))
        async with proxy(tmp_path, shop) as to:
            assert not await to.router.configure([shop])
            assert await to.router.configure([])
            assert await to.status() == 404

    asyncio.run(scenario())
