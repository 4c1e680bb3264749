"""The proxy's life: started, adopted, killed, beside another one, refused its port."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
from pathlib import Path

import pytest
from bench.strict_load import StrictLoad
from tests.drivers.router.proxied import (
    HOST,
    Upstream,
    answers,
    is_running,
    kill,
    make_home,
    proxy,
    route,
    successor,
    until,
)

from underway.drivers.router import keeper
from underway.drivers.router.caddy import CaddyRouter
from underway.terms.problem import Failure
from underway.terms.release import Slot


def _keeper_pid(router_home: object) -> int:
    found = keeper.remembered(router_home)
    assert found is not None
    return found.pid


def test_a_new_agent_adopts_the_running_proxy(tmp_path: Path, app_a: Upstream, app_b: Upstream) -> None:
    async def scenario() -> None:
        shop = route(a=(app_a.port,), b=(app_b.port,))
        async with proxy(tmp_path, shop) as to:
            to.router.set_share("shop", 1.0)
            pid = to.router.pid
            async with StrictLoad(to.home.http_port, HOST, clients=5) as load:
                await load.reaches(20)
                async with successor(to) as second:
                    assert second.pid == pid
                    assert second.share_of_b("shop") == 1.0
                    assert not await second.configure([shop]), "nothing changed, so nothing is reloaded"
                    assert await second.in_flight("shop", Slot.A) == 0
                    for number in range(3):
                        assert await second.configure([shop, route(f"app{number}", a=(app_a.port,))])
                        await load.reaches(load.tally.served + 20)
            assert not load.tally.failed

    asyncio.run(scenario())


def test_an_app_without_a_route_has_nothing_in_flight_although_no_proxy_runs(tmp_path: Path) -> None:
    router = CaddyRouter(make_home(tmp_path))
    assert asyncio.run(router.in_flight("shop", Slot.A)) == 0


def test_a_home_that_was_removed_by_hand_leaves_no_loop_behind(tmp_path: Path, app_a: Upstream) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(a=(app_a.port,))) as to:
            pid = _keeper_pid(to.home)
            to.home.proxy.rename(tmp_path / "removed")
            kill(to.router.pid)
            await until(lambda: not is_running(pid))

    asyncio.run(scenario())


def test_a_killed_proxy_is_back_at_once_with_or_without_an_agent(tmp_path: Path, app_a: Upstream) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(a=(app_a.port,))) as to:
            first = to.router.pid
            kill(first)
            answer = await to.get()
            assert answer.status == 200, "the connection waited in the queue"
            assert answer.took_ms < 1_000
            await to.router.detach()
            kill(to.router.pid)
            assert (await to.get()).status == 200
            assert to.router.pid not in (0, first)

    asyncio.run(scenario())


def test_a_proxy_whose_keeper_was_killed_goes_on_and_is_kept_again(tmp_path: Path, app_a: Upstream) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(a=(app_a.port,))) as to:
            old_keeper, caddy = _keeper_pid(to.home), to.router.pid
            kill(old_keeper)
            assert await to.status() == 200
            assert to.router.pid == caddy
            kill(caddy)
            assert await to.status() == 200
            await until(lambda: keeper.remembered(to.home) is not None)
            assert _keeper_pid(to.home) != old_keeper

    asyncio.run(scenario())


def test_an_agent_that_was_killed_in_the_middle_of_a_reload_is_made_good(tmp_path: Path, app_a: Upstream) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(a=(app_a.port,))) as to:
            for entrance in to.router._open_entrances():  # new connections wait for a configuration that never comes
                entrance.lead_to((to.router._side + 1) % 3)
            stuck = asyncio.create_task(to.get())
            async with successor(to) as second:
                assert (await to.get()).status == 200
                assert await second.configure([route(a=(app_a.port,)), route("other", a=(app_a.port,))])
                assert (await stuck).status == 200, "the one that waited is served by the next configuration"

    asyncio.run(scenario())


def test_without_the_right_to_copy_its_sockets_a_proxy_is_still_adopted(
    tmp_path: Path, app_a: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        shop = route(a=(app_a.port,))
        async with proxy(tmp_path, shop) as to:
            pid = to.router.pid
            secure = route("secure", a=(app_a.port,), hosts=("secure.localhost", "secure.test"), tls="internal")
            async with successor(to) as second:
                assert second.pid == pid
                assert await second.configure([shop, route("other", a=(app_a.port,))])
                assert await to.status(host="other.localhost") == 200
                assert await second.configure([shop, secure])
                assert await to.status() == 200
                assert answers(to.home.https_port)

    monkeypatch.setattr("underway.drivers.router.sockets._SYS_PIDFD_GETFD", -1)
    asyncio.run(scenario())


def test_a_proxy_that_hangs_is_replaced(tmp_path: Path, app_a: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(a=(app_a.port,))) as to:
            pid = to.router.pid
            os.kill(pid, signal.SIGSTOP)
            async with successor(to) as second:
                assert second.pid not in (0, pid)
                assert not is_running(pid)
                assert await to.status() == 200

    monkeypatch.setattr("underway.drivers.router.caddy._ADMIN_RETRY_S", 0.5)
    monkeypatch.setattr("underway.drivers.router.caddy.GRACE_PERIOD_S", 0)
    asyncio.run(scenario())


def test_stopping_leaves_no_process_and_frees_the_port(tmp_path: Path, app_a: Upstream) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(a=(app_a.port,))) as to:
            pids = (to.router.pid, _keeper_pid(to.home))
            await to.router.stop()
            assert not any(is_running(pid) for pid in pids)
            assert not answers(to.home.http_port)
            await to.router.stop()
            await to.router.start()
            assert await to.status() == 200, "it comes back with the routes it had"

    asyncio.run(scenario())


def test_two_homes_do_not_disturb_each_other(tmp_path: Path, app_a: Upstream, app_b: Upstream) -> None:
    async def scenario() -> None:
        async with (
            proxy(tmp_path / "one", route(a=(app_a.port,))) as one,
            proxy(tmp_path / "two", route(a=(app_b.port,))) as two,
        ):
            assert one.router.pid != two.router.pid
            assert ((await one.get()).body, (await two.get()).body) == (b"A", b"B")
            await one.router.stop()
            assert (await two.get()).body == b"B"

    asyncio.run(scenario())


def test_a_port_that_another_process_has_is_named_with_its_owner(tmp_path: Path) -> None:
    async def scenario() -> None:
        home = make_home(tmp_path)
        router = CaddyRouter(home, address="127.0.0.1")
        with socket.create_server(("127.0.0.1", home.http_port)), pytest.raises(Failure) as caught:
            await router.start()
        problem = caught.value.problem
        assert problem.code == "proxy.port-taken"
        assert problem.where == f"port {home.http_port}"
        assert f"(pid {os.getpid()})" in problem.why
        assert problem.command.startswith("UNDERWAY_HTTP_PORT=")

    asyncio.run(scenario())


def test_a_second_proxy_does_not_share_the_port_of_the_first(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path / "one") as one:
            home = make_home(tmp_path / "two")
            taken = type(home)(root=home.root, http_port=one.home.http_port, https_port=home.https_port)
            with pytest.raises(Failure) as caught:
                await CaddyRouter(taken, address="127.0.0.1").start()
            assert "(pid " in caught.value.problem.why

    asyncio.run(scenario())


def test_a_proxy_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        home = make_home(tmp_path)
        broken = tmp_path / "caddy"
        broken.write_text("#!/bin/sh\necho cannot allocate the moon >&2\nexit 1\n")
        broken.chmod(0o755)
        router = CaddyRouter(home, address="127.0.0.1", caddy=broken)
        monkeypatch.setattr("underway.drivers.router.caddy._READY_S", 0.5)
        with pytest.raises(Failure) as caught:
            await router.start()
        assert caught.value.problem.code == "proxy.start"
        assert "cannot allocate the moon" in caught.value.problem.why
        assert keeper.remembered(home) is None
        assert not answers(home.http_port)

    asyncio.run(scenario())


def test_what_the_proxy_writes_is_only_for_its_owner(tmp_path: Path, app_a: Upstream) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(a=(app_a.port,))) as to:
            await to.get()
            for path in (to.home.run, to.home.proxy):
                assert stat.S_IMODE(path.stat().st_mode) == 0o700
            open_files = [
                path
                for path in (*to.home.proxy.glob("*.*"), to.home.run / "proxy-admin.sock")
                if stat.S_IMODE(path.stat().st_mode) & 0o077
            ]
            assert not open_files

    asyncio.run(scenario())


def test_a_graceful_stop_lets_a_slow_request_end(tmp_path: Path, app_a: Upstream) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(a=(app_a.port,))) as to:
            slow = asyncio.create_task(to.get("/slow/1"))
            async with asyncio.timeout(5):
                while not await to.router.in_flight("shop", Slot.A):
                    await asyncio.sleep(0.01)
            await to.router.stop()
            assert (await slow).body == b"A"

    asyncio.run(scenario())


def test_maintenance_and_unknown_hosts_have_plain_pages(tmp_path: Path, app_a: Upstream) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(a=(app_a.port,))) as to:
            to.router.set_maintenance("shop", True)
            answer = await to.get()
            assert (answer.status, answer.headers["retry-after"]) == (503, "30")
            assert b"Back in a moment" in answer.body
            to.router.set_maintenance("shop", False)
            assert await to.status() == 200
            unknown = await to.get(host="nobody.localhost")
            assert unknown.status == 404
            assert b"No app here" in unknown.body

    asyncio.run(scenario())


def test_the_body_limit_and_the_forwarded_headers_hold(tmp_path: Path, app_a: Upstream) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(a=(app_a.port,), body_limit_bytes=1000)) as to:
            assert (await to.get("/upload", method="POST", body=b"x" * 1000)).body == b"1000"
            assert (await to.get("/upload", method="POST", body=b"x" * 1001)).status == 413
            seen = await to.get("/seen?a=1", headers={"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "gopher"})
            for part in (b'"x-forwarded-for":"127.0.0.1"', b'"x-forwarded-proto":"http"', b'"host":"shop.localhost"'):
                assert part in seen.body

    asyncio.run(scenario())


def test_sigterm_to_the_proxy_alone_is_a_restart(tmp_path: Path, app_a: Upstream) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(a=(app_a.port,))) as to:
            first = to.router.pid
            os.kill(first, signal.SIGTERM)
            await until(lambda: to.router.pid not in (0, first))
            assert await to.status() == 200

    asyncio.run(scenario())
