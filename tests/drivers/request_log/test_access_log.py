"""Reading the proxy's access log: what the proxy writes, rotation, and lines that nobody of ours wrote."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from bench.strict_load import Broken, StrictLoad, ask, request_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.drivers.router.proxied import HOST, RELEASE_A, RELEASE_B, proxy, route, until, upstreams

from underway.drivers.request_log.caddy import CaddyRequestLog
from underway.terms.home import Home
from underway.terms.route import LogOffset


def _line(number: int = 0, **fields: Any) -> bytes:
    line = {
        "level": "info",
        "ts": 1_700_000_000.5 + number,
        "request": {"client_ip": "127.0.0.1", "method": "GET", "host": HOST, "uri": f"/{number}"},
        "duration": 0.25,
        "status": 200,
        "app": "shop",
        "slot": "a",
        "release": RELEASE_A,
        "upstream": "127.0.0.1:8001",
        "upstream_ms": 12.5,
        "retries": 0,
        "bucket": "",
        "agent": "curl/8",
        "probe": "",
    }
    return json.dumps(line | fields).encode() + b"\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "proxy").mkdir()
    return Home(root=tmp_path)


def _log(home: Home) -> Path:
    return home.proxy / "access.log"


def test_what_the_proxy_wrote_is_read_with_its_release(tmp_path: Path) -> None:
    async def scenario(port_a: int, port_b: int) -> None:
        async with proxy(tmp_path, route(a=(port_a,), b=(port_b,))) as to:
            log = CaddyRequestLog(to.home)
            start = log.end()
            await to.get("/seen?password=hunter2", headers={"User-Agent": "one", "Cookie": "session=hunter2"})
            to.router.set_share("shop", 1.0)
            await to.get("/slow/0.05", headers={"User-Agent": "two"})
            await to.get("/nothing", headers={"User-Agent": "two", "X-Underway-Probe": "health"})
            with pytest.raises(Broken, match="timeout"):
                await ask("127.0.0.1", to.home.http_port, request_bytes(HOST, "/slow/5"), timeout_s=0.2)
            await to.get("/seen", host="nobody.localhost")
            await until(lambda: len(log.read(start)[0]) >= 5)
            first, second, third, gone = (it for it in log.read(start)[0] if it.app)
            (stranger,) = (it for it in log.read(start)[0] if not it.app)
            assert (stranger.host.partition(":")[0], stranger.ip) == ("nobody.localhost", "127.0.0.1")

            assert (first.app, first.release, first.slot, first.path) == ("shop", RELEASE_A, "a", "/seen")
            assert (first.method, first.status, first.upstream) == ("GET", 200, f"127.0.0.1:{port_a}")
            assert (second.release, second.slot, second.upstream) == (RELEASE_B, "b", f"127.0.0.1:{port_b}")
            assert 50 <= second.upstream_ms <= second.took_ms < 2_000
            assert abs(second.at - time.time()) < 10
            assert (third.status, third.is_monitor, first.is_monitor) == (404, True, False)
            assert (gone.path, gone.status) == ("/slow/5", 0)
            assert first.client != second.client == third.client
            assert "hunter2" not in _log(to.home).read_text(), "what visitors send is not kept"

    with upstreams("A", "B") as (one, two):
        asyncio.run(scenario(one.port, two.port))


def test_reading_goes_on_where_it_stopped(home: Home) -> None:
    log = CaddyRequestLog(home)
    assert log.read(LogOffset()) == ([], LogOffset())
    _log(home).write_bytes(_line(1) + _line(2) + _line(3)[:40])
    requests, offset = log.read(LogOffset())
    assert [request.path for request in requests] == ["/1", "/2"]
    assert log.read(offset) == ([], offset), "half a line is not read"
    assert log.end() == offset
    with _log(home).open("ab") as file:
        file.write(_line(3)[40:] + _line(4))
    requests, offset = log.read(offset, limit=1)
    assert [request.path for request in requests] == ["/3"]
    requests, offset = log.read(offset, limit=1)
    assert [request.path for request in requests] == ["/4"]
    assert offset.byte == _log(home).stat().st_size


def test_rotation_loses_no_line_and_reads_none_twice(home: Home) -> None:
    log = CaddyRequestLog(home)
    _log(home).write_bytes(_line(1) + _line(2))
    _, offset = log.read(LogOffset(), limit=1)
    for number in (3, 5):
        with _log(home).open("ab") as file:
            file.write(_line(number))
        _log(home).rename(home.proxy / f"access-2026-01-0{number}T00-00-00.000-size.log")
        _log(home).write_bytes(_line(number + 1))
    requests, offset = log.read(offset)
    assert [request.path for request in requests] == ["/2", "/3", "/4", "/5", "/6"]
    assert log.read(offset)[0] == []
    assert offset.inode == _log(home).stat().st_ino


def test_a_part_that_was_dropped_or_emptied_is_no_obstacle(home: Home) -> None:
    log = CaddyRequestLog(home)
    _log(home).write_bytes(_line(1) * 3)
    offset = log.end()
    _log(home).rename(home.proxy / "access-2026-01-01T00-00-00.000-size.log")
    _log(home).write_bytes(_line(2))
    (home.proxy / "access-2026-01-01T00-00-00.000-size.log").unlink()
    requests, offset = log.read(offset)
    assert [request.path for request in requests] == ["/2"]
    os.truncate(_log(home), 0)
    with _log(home).open("ab") as file:
        file.write(_line(3)[:-1])
    assert log.read(LogOffset(inode=offset.inode, byte=10_000))[1].byte == 0


def test_a_visitor_cannot_pass_for_a_probe_of_ours(home: Home) -> None:
    asked = {"method": "GET", "uri": "/"}
    lines = [_line(probe="1", request=asked | {"client_ip": ip}) for ip in ("127.0.0.1", "::1", "203.0.113.9")]
    _log(home).write_bytes(b"".join(lines))
    assert [each.is_monitor for each in CaddyRequestLog(home).read(LogOffset())[0]] == [True, True, False]


def test_no_request_is_lost_when_the_proxy_rotates_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path, route(static_url="/")) as to:
            log, seen = CaddyRequestLog(to.home), 0
            offset = log.end()
            path = "/long" * 3000
            async with StrictLoad(
                to.home.http_port, HOST, path=path, clients=4, is_good=lambda answer: answer.status == 404
            ) as load:
                while not list(to.home.proxy.glob("access-*.log")):
                    await asyncio.sleep(0.02)
                    requests, offset = log.read(offset, limit=50)
                    seen += len(requests)
                await load.reaches(load.tally.served + 20)
            async with asyncio.timeout(10):
                while seen < load.tally.served:
                    requests, offset = log.read(offset, limit=50)
                    seen += len(requests)
                    await asyncio.sleep(0.001)
            assert not load.tally.failed
            assert log.read(offset)[0] == [], "and none is read twice"
            assert seen == load.tally.served

    monkeypatch.setattr("underway.drivers.router.config._ROLL_MB", 1)
    asyncio.run(scenario())


HOSTILE = (
    b"\n",
    b"null\n",
    b"[" * 100_000 + b"\n",
    b'{"app":1}\n',
    b'{"app":"shop","ts":"NaN"}\n',
    b"\xff\xfe\x00garbage\n",
    b'{"ts":1,"status":200,"duration":0.1,"request":{},"app":"\xff"}\n',
    b'{"level":"info","msg":"someone else"}\n',
    b"x" * 400_000 + b"\n",
)


def test_lines_that_are_not_ours_are_passed_over(home: Home) -> None:
    _log(home).write_bytes(b"".join(line + _line(number) for number, line in enumerate(HOSTILE)))
    requests, offset = CaddyRequestLog(home).read(LogOffset())
    assert [request.path for request in requests] == [f"/{number}" for number in range(len(HOSTILE))]
    assert offset.byte == _log(home).stat().st_size


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=80), st.just(_line(7)[:-1])), max_size=20))
def test_no_bytes_break_the_reader(home: Home, lines: list[bytes]) -> None:
    _log(home).write_bytes(b"\n".join([*lines, _line(9)]))
    requests, offset = CaddyRequestLog(home).read(LogOffset())
    assert requests[-1].path == "/9"
    assert offset.byte == _log(home).stat().st_size


def test_a_client_is_told_from_others_and_not_known(home: Home, tmp_path: Path) -> None:
    def clients(of: Home) -> list[str]:
        _log(of).write_bytes(_line() + _line(bucket="0ccc") + _line(agent="wget") + _line())
        return [request.client for request in CaddyRequestLog(of).read(LogOffset())[0]]

    found = clients(home)
    assert found[0] == found[3]
    assert len(set(found)) == 3
    assert clients(home) == found, "the same client has the same name in a later life of the agent"
    other = Home(root=tmp_path / "other")
    other.proxy.mkdir(parents=True)
    assert not set(clients(other)) & set(found)
    assert stat.S_IMODE((home.proxy / "client-salt").stat().st_mode) == 0o600


def test_five_thousand_lines_cost_little(home: Home) -> None:
    _log(home).write_bytes(b"".join(_line(number) for number in range(10_000)))
    log = CaddyRequestLog(home)
    before = resource.getrusage(resource.RUSAGE_SELF)
    assert len(log.read(LogOffset())[0]) == 10_000
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert cpu_s < 0.5, "10,000 lines: at 5,000 a second, a quarter of a core at the very worst"
    print(f"{cpu_s * 100:.1f} µs a line")
