"""Families who play Letter Meadow by themselves: a generator says what to ask next and is sent each answer.

    family = Family("ada@example.org")
    await follow(family.first_visit(), ask)  # ask(step) answers with .status, .headers (names in lower case), .body
    print(family.stars)

By hand, against a running meadow: python traffic.py http://127.0.0.1:8000 3
"""

import asyncio
import http.client
import json
import secrets
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit


class Step(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


class Answer(Protocol):
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


Steps = Generator[Step, Answer, Any]


class Surprise(Exception):
    """An answer that a family does not expect from a meadow that works."""


class Family:
    """A parent with one child. Every fifth letter that the child chooses is wrong."""

    def __init__(self, email: str, password: str = "daisies and clover", child: str = "Ada") -> None:
        self.email, self.password, self.name = email, password, child
        self.cookies: dict[str, str] = {}
        self.csrf = self.child = ""
        self.turns = self.stars = 0
        self.stickers: list[str] = []

    def first_visit(self, letters: int = 10) -> Steps:
        # The page comes first, as in a browser: a proxy that gives cookies of its own has then given them, and the
        # answer that opens the session carries one Set-Cookie only.
        yield from self.ask("GET", "/")
        account = {"email": self.email, "password": self.password}
        yield from self.ask("POST", "/api/register", account, status=201)
        yield from self.log_in()
        child = yield from self.ask("POST", "/api/children", {"name": self.name, "avatar": "fox"}, status=201)
        self.child = child["id"]
        yield from self.play(letters)

    def next_visit(self, letters: int = 10) -> Steps:
        yield from self.log_in()
        yield from self.play(letters)

    def log_in(self) -> Steps:
        account = {"email": self.email, "password": self.password}
        self.csrf = (yield from self.ask("POST", "/api/login", account))["csrf"]

    def play(self, letters: int = 10) -> Steps:
        for _ in range(letters):
            question = yield from self.ask("GET", f"/api/game/next?child={self.child}")
            right = question["word"][0].upper()
            wrong = next(letter for letter in question["choices"] if letter != right)
            choice = wrong if self.turns % 5 == 4 else right
            given = {"child": self.child, "question": question["question"], "choice": choice}
            outcome = yield from self.ask("POST", "/api/game/answer", given)
            self.turns, self.stars = outcome["turns"], outcome["stars"]
            if sticker := outcome.get("sticker"):
                self.stickers.append(sticker["name"])

    def progress(self) -> Steps:
        return (yield from self.ask("GET", f"/api/progress?child={self.child}"))

    def ask(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Steps:
        headers: dict[str, str] = {}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if method != "GET":
            headers |= {"Content-Type": "application/json", "X-CSRF-Token": self.csrf}
        answer = yield Step(method, path, headers, b"" if body is None else json.dumps(body).encode())
        if answer.status != status:
            raise Surprise(f"{method} {path}: {answer.status} instead of {status}: {answer.body[:200]!r}")
        if cookie := answer.headers.get("set-cookie"):
            name, _, value = cookie.split(";", 1)[0].partition("=")
            self.cookies[name.strip()] = value
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return json.loads(answer.body) if is_json else None


async def follow(steps: Steps, ask: Callable[[Step], Awaitable[Answer]]) -> Any:
    """Asks what `steps` want to ask, one after the other, and returns what they return. Raises `Surprise`."""
    try:
        step = next(steps)
        while True:
            step = steps.send(await ask(step))
    except StopIteration as end:
        return end.value


class Heard(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


def visit(url: str) -> Family:
    """One family's first visit to the meadow at `url`, on a connection of its own."""
    at = urlsplit(url)
    kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
    connection = kind(at.hostname or "127.0.0.1", at.port, timeout=30)

    async def ask(step: Step) -> Heard:
        connection.request(step.method, step.path, step.body, step.headers)
        answer = connection.getresponse()
        return Heard(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    family = Family(f"family-{secrets.token_hex(6)}@example.org")
    try:
        asyncio.run(follow(family.first_visit(), ask))
    finally:
        connection.close()
    return family


def main() -> None:
    if len(sys.argv) not in (2, 3):
        raise SystemExit("usage: python traffic.py URL [FAMILIES]")
    for _ in range(int(sys.argv[2]) if len(sys.argv) == 3 else 1):
        family = visit(sys.argv[1])
        print(f"{family.email}: {family.turns} letters, {family.stars} stars, {len(family.stickers)} stickers")


if __name__ == "__main__":
    main()
