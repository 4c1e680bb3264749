"""`/health` and `/health/deep` of apps, with a real PostgreSQL and Redis that go away and come back."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from tests.journeys.world import wait_until

from underway.drivers.cache.valkey import ValkeyCache
from underway.drivers.database.postgres import PostgresDatabase
from underway.terms.home import Home
from underway.terms.secret import Secret
from underway_kit import checks
from underway_kit.checks import Check
from underway_kit.health import Health

PASSWORD = "pw-that-nobody-may-read"


@contextlib.contextmanager
def served(app: Any) -> Iterator[Callable[..., tuple[int, dict[str, Any], dict[str, str]]]]:
    """`app` on uvicorn; what comes back for a path: status, body, headers."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()

    def ask(path: str, method: str = "GET") -> tuple[int, dict[str, Any], dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=60)
        connection.request(method, path)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        is_json = "json" in headers.get("content-type", "")
        return answer.status, json.loads(text) if is_json and text else {"text": text.decode()}, headers

    ask.port = listener.getsockname()[1]
    wait_until(lambda: server.started, 60)
    try:
        yield ask
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    folder = Path(tempfile.mkdtemp(prefix="underway-test-"))
    folder.chmod(0o755)  # the servers do not run as root
    yield Home(folder)
    shutil.rmtree(folder)


def states(told: dict[str, Any]) -> dict[str, str]:
    return {name: one[0]["status"] for name, one in told["checks"].items()}


def test_a_fastapi_app_says_which_of_its_servers_is_away(home: Home) -> None:
    database, cache = PostgresDatabase(home), ValkeyCache(home)

    async def begin() -> tuple[str, str]:
        await database.start()
        theirs = await database.provision("shop", Secret(PASSWORD))
        mine = await cache.provision("shop", Secret(PASSWORD))
        return (
            f"postgresql://shop:{PASSWORD}@127.0.0.1:{theirs.port}/shop",
            f"redis://:{PASSWORD}@127.0.0.1:{mine.port}/0",
        )

    async def run(*coroutines: Any) -> None:
        for each in coroutines:
            await each

    loop = asyncio.new_event_loop()  # the drivers look after their servers for as long as it runs
    runner = threading.Thread(target=loop.run_forever)
    runner.start()

    def on_loop(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(120)

    try:
        postgres_url, redis_url = on_loop(begin())
        known = {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url}
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            away = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
            app = FastAPI()
            all_of = (*checks.from_environment(known), checks.web("mail", away))
            app.add_middleware(Health, checks=all_of, version="1.4", release="R7", fresh_s=0.0)
            app.get("/")(lambda: {"page": 1})
            with served(app) as ask:
                assert ask("/")[1] == {"page": 1}
                status, told, headers = ask("/health")
                assert (status, told) == (200, {"status": "pass", "version": "1.4", "releaseId": "R7"})
                assert headers["content-type"] == "application/health+json"
                assert headers["cache-control"] == "no-store"
                status, told, _ = ask("/health/deep")
                assert states(told) == {"disk": "pass", "database": "pass", "cache": "pass", "mail": "fail"}
                assert (status, told["status"]) == (200, "warn"), "somebody else's API does not take the app down"
                assert told["checks"]["mail"][0]["output"] == "ConnectionRefusedError"

                for pid, name in ((database.pid, "database"), (cache.pid("shop"), "cache")):
                    os.kill(pid, signal.SIGSTOP)
                    try:
                        status, told, _ = ask("/health/deep")
                    finally:
                        os.kill(pid, signal.SIGCONT)
                    assert (status, told["status"]) == (503, "fail")
                    assert [each for each, is_so in states(told).items() if is_so == "fail"] == [name, "mail"]
                    assert told["checks"][name][0]["output"].startswith("no answer within")
                    assert ask("/health")[0] == 200, "the app itself is alive"
                    wait_until(lambda: ask("/health/deep")[0] == 200, 60)

                on_loop(run(database.stop(), cache.stop("shop")))
                status, told, _ = ask("/health/deep")
                assert states(told) == {"disk": "pass", "database": "fail", "cache": "fail", "mail": "fail"}
                assert PASSWORD not in json.dumps(told)

                on_loop(begin())
                wait_until(lambda: ask("/health/deep")[0] == 200, 60)

        wrong = Health(checks=checks.from_environment({"REDIS_URL": redis_url.replace(PASSWORD, "wrong")}), fresh_s=0.0)
        with served(wrong) as ask:
            told = ask("/health/deep")[1]
            assert told["checks"]["cache"][0]["output"] == "the server says WRONGPASS to AUTH"
    finally:
        on_loop(run(cache.stop("shop"), database.stop()))
        loop.call_soon_threadsafe(loop.stop)
        runner.join(60)
        loop.close()


def test_two_hundred_probes_at_once_are_one_question() -> None:
    asked: list[float] = []

    async def slowly() -> None:
        asked.append(time.monotonic())
        await asyncio.sleep(0.5)

    app = Health(checks=(Check("database", slowly, timeout_s=30.0),), fresh_s=60.0)

    async def all_at_once(port: int, count: int) -> list[bytes]:
        async def one() -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /health/deep HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            return answer

        return await asyncio.gather(*(one() for _ in range(count)))

    with served(app) as ask:
        impatient = socket.create_connection(("127.0.0.1", ask.port))
        impatient.sendall(b"GET /health/deep HTTP/1.1\r\nHost: it\r\n\r\n")
        wait_until(lambda: asked, 60)
        impatient.close()  # who began the question goes away, and the others still get its answer
        answers = asyncio.run(all_at_once(ask.port, 200))
        assert [answer.split(b"\r\n", 1)[0] for answer in answers] == [b"HTTP/1.1 200 OK"] * 200
        assert ask("/health/deep")[0] == 200
    assert len(asked) == 1


def test_checks_are_asked_side_by_side_and_none_holds_up_the_others() -> None:
    is_over = threading.Event()
    together = 0
    most = 0

    async def counted() -> None:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await asyncio.sleep(0.2)
        together -= 1

    def hangs() -> None:
        is_over.wait(120)

    def breaks() -> None:
        raise RuntimeError(PASSWORD)

    app = Health(
        checks=(
            Check("one", counted, 30.0),
            Check("two", counted, 30.0),
            Check("hangs", hangs, 0.2),
            Check("breaks", breaks, 30.0, is_needed=False),
        ),
        fresh_s=0.0,
    )
    try:
        with served(app) as ask:
            status, told, _ = ask("/health/deep")
            assert (status, most) == (503, 2)
            assert states(told) == {"one": "pass", "two": "pass", "hangs": "fail", "breaks": "fail"}
            assert told["checks"]["hangs"][0]["output"] == "no answer within 0.2 s"
            assert told["checks"]["breaks"][0]["output"] == "RuntimeError"
            hanging = [thread for thread in threading.enumerate() if thread.name == "health hangs"]
            for _ in range(3):
                told = ask("/health/deep")[1]
            assert told["checks"]["hangs"][0]["output"] == "it still hangs from the time before"
            assert [thread for thread in threading.enumerate() if thread.name == "health hangs"] == hanging
    finally:
        is_over.set()


def test_it_stands_in_front_of_any_app_and_can_be_mounted() -> None:
    went: list[str] = []

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        went.append("began")
        yield
        went.append("ended")

    async def page(request: Any) -> PlainTextResponse:
        return PlainTextResponse("the app's own")

    inner = Starlette(routes=[Route("/{rest:path}", page, methods=["GET", "POST"])], lifespan=life)
    with served(Health(inner, checks=(), path="/up/")) as ask:
        assert ask("/up")[1]["status"] == "pass"
        assert ask("/up/deep")[1] == {"status": "pass", "version": "", "releaseId": "", "checks": {}}
        assert ask("/health")[1] == ask("/upper")[1] == {"text": "the app's own"}
        assert ask("/up", "HEAD")[:2] == (200, {"text": ""})
        status, _, headers = ask("/up", "POST")
        assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert went == ["began", "ended"]
    with served(Starlette(routes=[Mount("/ops", Health(checks=(), version="2"))])) as ask:
        assert ask("/ops/health")[1]["version"] == "2"
        assert ask("/ops/other")[0] == 404
    with pytest.raises(ValueError, match="same name"):
        Health(checks=(checks.disk(), checks.disk("/tmp")))


def test_a_disk_that_is_nearly_full_and_servers_that_are_something_else(tmp_path: Path) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 503 Busy\r\n\r\n")
        writer.close()

    async def told() -> dict[str, Any]:
        server = await asyncio.start_server(other, "127.0.0.1", 0)
        here = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        all_of = (
            checks.disk(str(tmp_path), least_free=1.01),
            checks.postgres(f"postgresql://{here}/shop"),
            checks.redis(f"redis://{here}"),
            checks.web("api", f"http://{here}/", is_needed=True),
            checks.web("nowhere", "ftp://example.com"),
        )
        found = (await Health(checks=all_of).deep())[1]["checks"]
        server.close()
        return {name: one[0].get("output", "") for name, one in found.items()}

    found = asyncio.run(told())
    assert "% is free, less than 101 %" in found.pop("disk")
    assert found == {
        "database": "what answers is no PostgreSQL",
        "cache": "the server says no answer to PING",
        "api": "status 503",
        "nowhere": "it has no address of the web",
    }
