"""What lasts longer than a switch: WebSockets, event streams, slow requests."""

from __future__ import annotations

import asyncio
from pathlib import Path

import websockets
from bench.strict_load import ask, request_bytes
from tests.drivers.router.proxied import Proxy, Upstream, proxy, route

from underway.terms.release import Slot


def _socket(to: Proxy) -> websockets.connect:
    return websockets.connect(f"ws://shop.localhost:{to.home.http_port}/ws", host="127.0.0.1", proxy=None)


def test_what_is_open_survives_a_switch_and_a_reload(tmp_path: Path, app_a: Upstream, app_b: Upstream) -> None:
    async def scenario() -> None:
        shop = route(a=(app_a.port,), b=(app_b.port,))
        async with proxy(tmp_path, shop) as to, _socket(to) as socket:
            events = asyncio.create_task(to.get("/held-events"))
            slow = asyncio.create_task(to.get("/held"))
            await socket.send("1")
            assert await socket.recv() == "A 1"
            async with asyncio.timeout(60):
                while await to.router.in_flight("shop", Slot.A) < 3:
                    await asyncio.sleep(0.01)

            to.router.set_share("shop", 1.0)
            assert (await to.get()).body == b"B"
            await socket.send("2")
            assert await socket.recv() == "A 2"
            assert await to.router.configure([shop, route("other", a=(app_b.port,))])
            await socket.send("3")
            assert await socket.recv() == "A 3"
            assert await to.router.in_flight("shop", Slot.A) == 3, "the old slot still has them after a reload"
            assert await to.router.in_flight("shop", Slot.B) == 0

            assert (await ask("127.0.0.1", app_a.port, request_bytes("a", "/let-go", keep_alive=False))).status == 200
            stream = await events
            assert stream.status == 200
            assert stream.body.decode().count("data: A") == 30
            assert (await slow).body == b"A"
            await socket.close()
            async with asyncio.timeout(60):
                while await to.router.in_flight("shop", Slot.A):
                    await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_events_arrive_one_by_one(tmp_path: Path, app_a: Upstream) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(a=(app_a.port,))) as to:
            reader, writer = await asyncio.open_connection("127.0.0.1", to.home.http_port)
            writer.write(b"GET /events/100 HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
            head = await asyncio.wait_for(reader.readuntil(b"data: A 0"), 60)
            assert b"text/event-stream" in head
            assert b"data: A 9" not in head, "it came before the stream was over"
            writer.close()

    asyncio.run(scenario())


def test_a_websocket_can_be_opened_in_the_middle_of_a_reload(tmp_path: Path, app_a: Upstream) -> None:
    async def scenario() -> None:
        shop = route(a=(app_a.port,))
        async with proxy(tmp_path, shop) as to:
            for number in range(3):
                reload = asyncio.create_task(to.router.configure([shop, route(f"app{number}", a=(app_a.port,))]))
                while not reload.done():
                    async with _socket(to) as socket:
                        await socket.send("hello")
                        assert await socket.recv() == "A hello"
                assert await reload

    asyncio.run(scenario())
