"""Visitors of the example app as they come: at random moments, each with cookies of their own, none trying again."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from underway.load.strict import Answer, Broken, Connection, request_bytes

PAGES = ("/", "/", "/assets/app.js", "/api/version", "/api/version")
"""What those ask who only look around. Families play: a question and its answer, both in the database."""
FAMILIES = 12
TIMEOUT_S = 30.0


@dataclass
class Visitor:
    """One person's browser. A family (it has a `child`) plays; any other visitor looks around."""

    cookies: dict[str, str] = field(default_factory=dict)
    csrf: str = ""
    child: str = ""
    question: dict[str, Any] | None = None
    is_asking: bool = False


@dataclass(frozen=True)
class Failed:
    """One request that did not end well: when it ended (UNIX seconds), what was asked, and what came."""

    at: float
    asked: str
    came: str


class Visitors:
    """`people` visitors who together make `rps` requests a second, at independent random moments (Poisson).

        async with Visitors(port, "shop.localhost", 5.0, people=100, seed=1) as visitors:
            ...
        print(visitors.served, visitors.failed)

    A request is sent when its moment comes, however slow the answers are, and never twice. `failed` has every answer
    of 400 and more (a 4xx would be a mistake of this program) and every one that did not come. `like` may turn one
    request into another before it is sent: it gets and returns the headers.
    """

    def __init__(self, port: int, host: str, rps: float, *, people: int, seed: int) -> None:
        self._port, self._host, self._rps = port, host, rps
        self._chance = random.Random(seed)
        self._people = [Visitor() for _ in range(people)]
        self._idle: list[Connection] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._is_over = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None
        self.served = 0
        self.failed: list[Failed] = []

    async def __aenter__(self) -> Visitors:
        for visitor in self._people[: min(FAMILIES, len(self._people) // 3)]:
            await self._register(visitor)
        self._sending = asyncio.create_task(self._send())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_over.set()
        if self._sending is not None:
            await self._sending
        await asyncio.gather(*self._under_way)
        for connection in self._idle:
            connection.close()

    async def ask(
        self, visitor: Visitor, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer | None:
        """One request of `visitor`, counted; None when no answer came."""
        all_headers = dict(headers or {})
        if visitor.cookies:
            all_headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
        if method != "GET":
            all_headers |= {"Content-Type": "application/json", "X-CSRF-Token": visitor.csrf}
        sent = b"" if body is None else json.dumps(body).encode()
        request = request_bytes(self._host, path, method=method, headers=all_headers, body=sent)
        connection = self._connection()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await connection.ask(request)
        except (Broken, TimeoutError) as error:
            connection.close()
            self.failed.append(Failed(time.time(), f"{method} {path}", str(error) or "timeout"))
            return None
        self._idle.append(connection)
        if cookie := answer.headers.get("set-cookie"):
            name, _, value = cookie.split(";", 1)[0].partition("=")
            visitor.cookies[name.strip()] = value
        if answer.status >= 400:
            self.failed.append(Failed(time.time(), f"{method} {path}", f"status {answer.status}"))
        else:
            self.served += 1
        return answer

    def _connection(self) -> Connection:
        """One that is idle and still open, as a browser would choose it, or a new one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and not connection.was_closed:
                return connection
            connection.close()
        return Connection("127.0.0.1", self._port)

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self._is_over.is_set():
            due += self._chance.expovariate(self._rps)
            try:
                async with asyncio.timeout_at(due):
                    await self._is_over.wait()
            except TimeoutError:
                task = asyncio.create_task(self._one(self._chance.choice(self._people)))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)

    async def _one(self, visitor: Visitor) -> None:
        if not visitor.child or visitor.is_asking:
            await self.ask(visitor, "GET", self._chance.choice(PAGES))
            return
        visitor.is_asking = True
        try:
            if visitor.question is None:
                answer = await self.ask(visitor, "GET", f"/api/game/next?child={visitor.child}")
                if answer is not None and answer.status == 200:
                    visitor.question = json.loads(answer.body)
                return
            asked, visitor.question = visitor.question, None
            given = {"child": visitor.child, "question": asked["question"], "choice": asked["word"][0].upper()}
            await self.ask(visitor, "POST", "/api/game/answer", given)
        finally:
            visitor.is_asking = False

    async def _register(self, visitor: Visitor) -> None:
        account = {"email": f"family-{secrets.token_hex(6)}@example.org", "password": "daisies and clover"}
        await self._expected(visitor, "GET", "/")
        await self._expected(visitor, "POST", "/api/register", account)
        visitor.csrf = json.loads((await self._expected(visitor, "POST", "/api/login", account)).body)["csrf"]
        child = await self._expected(visitor, "POST", "/api/children", {"name": "Ada", "avatar": "fox"})
        visitor.child = json.loads(child.body)["id"]

    async def _expected(self, visitor: Visitor, method: str, path: str, body: object = None) -> Answer:
        answer = await self.ask(visitor, method, path, body)
        assert answer is not None, self.failed
        assert answer.status < 400, answer
        return answer
