"""Which visitors go where, and that they stay there."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench.strict_load import Connection, request_bytes
from tests.drivers.router.proxied import HOST, RELEASE_A, RELEASE_B, Proxy, Upstream, proxy, route

from underway.terms.release import Slot


async def _bodies(to: Proxy, count: int, cookies: list[str] | None = None) -> list[tuple[str, str]]:
    """(which app answered, the cookie it set) for `count` visitors, on one kept-alive connection."""
    connection = Connection("127.0.0.1", to.home.http_port)
    found = []
    for number in range(count):
        headers = {"Cookie": cookies[number]} if cookies else {}
        answer = await connection.ask(request_bytes(HOST, headers=headers))
        found.append((answer.body.decode(), answer.headers.get("set-cookie", "")))
    connection.close()
    return found


def test_the_share_of_visitors_is_what_was_set(tmp_path: Path, app_a: Upstream, app_b: Upstream) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(a=(app_a.port,), b=(app_b.port,))) as to:
            # each bucket once would be 65,536 requests: every 256th shows where the edge of each share is
            buckets = [f"{number:04x}" for number in range(0, 65_536, 256)]
            for share, expected in ((0.0, 0), (0.05, 13), (0.5, 128), (1.0, 256)):
                to.router.set_share("shop", share)
                assert to.router.share_of_b("shop") == (int(share * 65_536) / 65_536)
                bodies = await _bodies(to, 256, [f"underway_bucket={bucket}" for bucket in buckets])
                on_b = [bucket for bucket, (body, _) in zip(buckets, bodies, strict=True) if body == "B"]
                assert len(on_b) == expected
                assert on_b == buckets[:expected], "those with the lowest buckets, whatever the share"

    asyncio.run(scenario())


def test_a_new_visitor_gets_a_random_bucket_only_while_the_split_is_open(
    tmp_path: Path, app_a: Upstream, app_b: Upstream
) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(a=(app_a.port,), b=(app_b.port,))) as to:
            assert await _bodies(to, 2) == [("A", "")] * 2
            to.router.set_share("shop", 1.0)
            assert await _bodies(to, 2) == [("B", "")] * 2
            to.router.set_share("shop", 0.3)
            fresh = await _bodies(to, 300)
            assert 50 < sum(body == "B" for body, _ in fresh) < 130, "a share of 0.3, ±5 standard deviations"
            attributes = {cookie.partition(";")[2] for _, cookie in fresh}
            assert attributes == {" Path=/; HttpOnly; SameSite=Lax"}
            cookies = [cookie.partition(";")[0] for _, cookie in fresh]
            assert len(set(cookies)) > 250

            before = [body for body, _ in fresh]
            for share in (0.3, 0.31, 0.5, 0.9):
                to.router.set_share("shop", share)
                again = await _bodies(to, 300, cookies)
                assert {cookie for _, cookie in again} == {""}
                now = [body for body, _ in again]
                moved_back = [1 for was, is_ in zip(before, now, strict=True) if (was, is_) == ("B", "A")]
                assert not moved_back, f"visitors left B at {share}"
                assert share > 0.3 or now == before
                before = now

    asyncio.run(scenario())


def test_a_forged_bucket_is_replaced_and_never_expanded(tmp_path: Path, app_a: Upstream, app_b: Upstream) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(a=(app_a.port,), b=(app_b.port,))) as to:
            to.router.set_share("shop", 0.5)
            for forged in ("", "zzzz", "12345", "{file./etc/passwd}", "{env.HOME}", "0000 or true", "'"):
                answer = await to.get(headers={"Cookie": f"underway_bucket={forged}"})
                assert answer.status == 200
                assert "root" not in answer.headers["set-cookie"]
                assert len(answer.headers["set-cookie"].partition(";")[0]) == len("underway_bucket=0000")

    asyncio.run(scenario())


def test_a_request_can_name_its_release(tmp_path: Path, app_a: Upstream, app_b: Upstream) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(a=(app_a.port,), b=(app_b.port,))) as to:
            for share in (0.0, 0.5, 1.0):
                to.router.set_share("shop", share)
                for release, name in ((RELEASE_A, b"A"), (RELEASE_B, b"B")):
                    answer = await to.get(headers={"X-Underway-Release": release})
                    assert (answer.body, answer.headers.get("set-cookie")) == (name, None)
                unknown = await to.get(headers={"X-Underway-Release": "{file./etc/passwd}"})
                assert unknown.status == 421, "a probe must not take another release for the one it asked for"

    asyncio.run(scenario())


def test_the_team_gets_a_cookie_for_the_release_on_its_way_and_nobody_else_sees_it(
    tmp_path: Path, app_a: Upstream, app_b: Upstream
) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(a=(app_a.port,), b=(app_b.port,))) as to:
            named = {"X-Underway-Release": "candidate"}
            assert (await to.get(headers=named)).status == 421
            assert (await to.get("/?underway_release=candidate")).body == b"A", "there is nothing to see yet"
            to.router.set_candidate("shop", Slot.B)
            assert (await to.get(headers=named)).body == b"B"
            invited = await to.get("/?underway_release=candidate")
            assert (invited.status, invited.headers["location"]) == (302, "/")
            cookie = invited.headers["set-cookie"].partition(";")[0]
            assert cookie == f"underway_release={RELEASE_B}"
            for _ in range(20):
                assert (await to.get(headers={"Cookie": f"a=b; {cookie}"})).body == b"B"
                assert (await to.get()).body == b"A"
            for forged in ("", "candidate", "zzz", "{file./etc/passwd}"):
                assert (await to.get(headers={"Cookie": f"underway_release={forged}"})).body == b"A"
                assert (await to.get(f"/?underway_release={forged}" if forged != "candidate" else "/")).body == b"A"
            left = await to.get("/?underway_release=off", headers={"Cookie": cookie})
            assert "Max-Age=0" in left.headers["set-cookie"]
            to.router.set_candidate("shop", None)
            to.router.set_target("shop", Slot.B, None)
            assert (await to.get(headers={"Cookie": cookie})).body == b"A", "a cookie outlives its release"

    asyncio.run(scenario())
