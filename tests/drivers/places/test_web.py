"""Where a token may be sent, and how patient it is."""

from __future__ import annotations

import asyncio
import email.utils
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.drivers.places.server import Fault, Provider, serving

from underway.drivers.places.make import open_place
from underway.drivers.places.web import Api, Manners, require_safe
from underway.terms.place import read_address
from underway.terms.problem import Failure, Refusal
from underway.terms.secret import Secret

RENDER = read_address("render:srv-abc123")


class Anything:
    def check_request(self, request: object) -> str:
        return ""

    def check_answer(self, request: object, status: int, body: object) -> None:
        pass


class Open(Provider):
    contract = Anything()

    def answer(self, request: object) -> tuple[int, object]:
        return 200, {"ok": True}


@pytest.mark.parametrize(
    "url",
    ["https://api.render.com/v1", "http://127.0.0.1:4010", "http://localhost:4010/v1", "http://[::1]:4010",
     "https://render.internal.example:8443/api", "https://10.1.2.3"],
)  # fmt: skip
def test_addresses_that_may_get_a_token(url: str) -> None:
    assert require_safe(url, RENDER) == url


@pytest.mark.parametrize(
    "url",
    ["http://api.render.com/v1", "http://10.1.2.3", "https://user:pass@api.render.com", "https://api.render.com?x=1",
     "https://169.254.169.254/latest", "https://[fe80::1]/", "https://[::ffff:169.254.169.254]/", "https://0.0.0.0",
     "https://2852039166/", "https://0xa9fea9fe/", "https://metadata.google.internal", "ftp://api.render.com",
     "api.render.com", "https://", "", "file:///etc/passwd", "https://[::1", "https://a:0/", "http://127.0.0.1.example.com"],
)  # fmt: skip
def test_addresses_that_may_not(url: str) -> None:
    with pytest.raises(Refusal) as refused:
        require_safe(url, RENDER)
    assert refused.value.problems[0].code == "place.url"


@pytest.mark.parametrize(
    "text",
    ["render", "render:", "render:../../etc", "render:srv-1/../x", "vercel:p", "vercel:p/live", "github:a/b/c/d",
     "heroku:x", "supabase:short", "fly:../x", "github:../x", "kubernetes:a/b/c", "file:", "railway:a", "cloud-run:p/r",
     "render:srv-abc\n", "doppler:a/.."],
)  # fmt: skip
def test_what_is_no_place_is_refused_with_the_shape_it_should_have(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_address(text)
    assert refused.value.problems[0].code == "place.address"


def ask(faults: list[Fault], **extra: object) -> tuple[Open, list[float], Failure | None]:
    provider, slept = Open(), list[float]()
    provider.faults = faults
    failure = None

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def run(url: str) -> None:
        token = {"Authorization": Secret(f"Bearer {provider.token}")}
        api = Api(RENDER, url, token, Manners(timeout_s=2.0, sleep=sleep))
        try:
            await api.ask("POST", "/x", body={}, **extra)
        finally:
            await api.close()

    with serving(provider) as url:
        try:
            asyncio.run(run(url))
        except Failure as found:
            failure = found
    return provider, slept, failure


def test_retry_after_may_be_a_date() -> None:
    date = email.utils.format_datetime(datetime.fromtimestamp(time.time() + 30, UTC))
    _, slept, failure = ask([Fault(429, {"Retry-After": date})])
    assert failure is None
    assert 25 < slept[0] < 31


@pytest.mark.parametrize("header", ["X-RateLimit-Reset", "Ratelimit-Reset"])
def test_a_reset_may_be_a_moment_or_seconds(header: str) -> None:
    assert 15 < ask([Fault(429, {header: str(int(time.time()) + 20)})])[1][0] <= 20
    assert ask([Fault(429, {header: "20"})])[1] == [20.0]


def test_a_wait_longer_than_two_minutes_is_not_waited() -> None:
    provider, slept, failure = ask([Fault(429, {"Retry-After": "3600"})])
    assert failure is not None
    assert failure.problem.code == "place.limit"
    assert "3600" in failure.problem.why
    assert slept == []
    assert len(provider.seen) == 1


def test_what_may_not_be_done_twice_is_not_sent_again() -> None:
    provider, _, failure = ask([Fault(502, times=9)], may_repeat=False)
    assert failure is not None
    assert "may or may not" in failure.problem.why
    assert len(provider.seen) == 1
    provider, _, failure = ask([Fault(429, {"Retry-After": "1"})], may_repeat=False)
    assert failure is None
    assert len(provider.seen) == 2


def test_nobody_at_the_address() -> None:
    async def run() -> None:
        environ = {"RENDER_API_URL": "http://127.0.0.1:1", "RENDER_API_KEY": "x" * 20}

        async def sleep(seconds: float) -> None:
            pass

        async with open_place(RENDER, environ, {}, Path("nowhere"), Manners(sleep=sleep)) as place:
            await place.held()

    with pytest.raises(Failure) as failed:
        asyncio.run(run())
    assert failed.value.problem.code == "place.unreachable"


def test_without_a_token_nothing_is_asked() -> None:
    async def run(environ: dict[str, str]) -> None:
        async with open_place(RENDER, environ, {}, Path("nowhere")):
            pass

    with pytest.raises(Refusal) as refused:
        asyncio.run(run({}))
    assert refused.value.problems[0].code == "place.no-token"
    assert "RENDER_API_KEY" in refused.value.problems[0].why


def test_a_token_with_a_line_break_is_not_quoted() -> None:
    async def run() -> None:
        environ = {"RENDER_API_URL": "http://127.0.0.1:1", "RENDER_API_KEY": "canary\nX-Evil: 1"}
        async with open_place(RENDER, environ, {}, Path("nowhere")) as place:
            await place.held()

    with pytest.raises(Refusal) as refused:
        asyncio.run(run())
    assert refused.value.problems[0].code == "place.no-token"
    assert "canary" not in repr(refused.value.problems)
