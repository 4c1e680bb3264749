"""What happens to requests whose instance dies."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from pathlib import Path

from tests.drivers.router.proxied import Upstream, proxy, route, upstreams


def test_a_get_goes_to_another_instance_and_a_post_does_not(tmp_path: Path) -> None:
    async def scenario(one: Upstream, two: Upstream, fall_file: Path) -> None:
        async with proxy(tmp_path / "home", route(a=(one.port, two.port))) as to:
            fall_file.touch()
            assert (await to.get("/fall")).status == 200
            assert not fall_file.exists(), "one of them died with the request"
            for each in (one, two):
                each.kill()
                each.start()
            fall_file.touch()
            answer = await to.get("/fall", method="POST", body=b"once")
            assert answer.status == 502
            assert b"did not answer" in answer.body
            assert not fall_file.exists()
            for _ in range(4):  # the dead one is left out, also for a POST: nothing was sent to it
                assert (await to.get("/upload", method="POST", body=b"12345")).body == b"5"

    fall_file = tmp_path / "fall"
    with upstreams("one", "two", fall_file=str(fall_file)) as (one, two):
        asyncio.run(scenario(one, two, fall_file))


def test_requests_wait_for_a_single_instance_that_comes_back(tmp_path: Path) -> None:
    async def scenario(app: Upstream) -> None:
        async with proxy(tmp_path, route(a=(app.port,))) as to:
            assert (await to.get()).status == 200
            app.kill()
            waiting = [asyncio.create_task(to.get()) for _ in range(10)]
            waiting.append(asyncio.create_task(to.get("/upload", method="POST", body=b"123")))
            failed_at_once, _ = await asyncio.wait(waiting, timeout=0.2)
            assert not failed_at_once
            # the next instance listens at once: a new process may take longer to start than a request is held
            async with await asyncio.start_server(_next_instance, "127.0.0.1", app.port):
                assert {answer.status for answer in await asyncio.gather(*waiting)} == {200}

    with upstreams("A") as (app,):
        asyncio.run(scenario(app))


def test_a_post_does_not_share_the_fate_of_a_request_that_broke_the_app(tmp_path: Path) -> None:
    """An exception closes the connection it came by. A POST must not be sent down that one in the same moment."""

    async def scenario(app: Upstream) -> None:
        async with proxy(tmp_path, route(a=(app.port,))) as to:

            async def visitor() -> list[int]:
                return [(await to.get("/upload", method="POST", body=b"123")).status for _ in range(150)]

            async def bad_luck() -> set[int]:
                return {(await to.get("/breaks")).status for _ in range(150)}

            *posts, broken, _ = await asyncio.gather(visitor(), visitor(), bad_luck(), bad_luck())
            assert broken == {500}
            assert [Counter(statuses) for statuses in posts] == [{200: 150}, {200: 150}]

    with upstreams("A") as (app,):
        asyncio.run(scenario(app))


async def _next_instance(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
    writer.close()


def test_an_app_that_is_gone_gets_a_page_of_ours(tmp_path: Path) -> None:
    async def scenario(app: Upstream) -> None:
        async with proxy(tmp_path, route(a=(app.port,))) as to:
            app.kill()
            answer = await to.get()
            assert (answer.status, answer.headers["content-type"]) == (502, "text/html; charset=utf-8")
            assert answer.took_ms > 2_900, "it was waited for"

    with upstreams("A") as (app,):
        asyncio.run(scenario(app))
