"""A Redis-protocol server per app: its own, kept alive, and remembering what it was told."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, OutOfMemoryError, RedisError

from underway.drivers import proc
from underway.drivers.cache.installation import CacheInstallation, cache_installations
from underway.drivers.cache.valkey import ValkeyCache
from underway.ports.services import CacheAddress
from underway.terms.home import Home
from underway.terms.problem import Failure, Refusal
from underway.terms.secret import Secret

WORD = Secret("correct-horse-1")
FOUND = cache_installations()


def client(at: CacheAddress, password: str | None = WORD.reveal()) -> redis.asyncio.Redis:
    once = Retry(NoBackoff(), 0)
    return redis.asyncio.Redis(host=at.host, port=at.port, password=password, decode_responses=True, retry=once)


async def until(holds: Callable[[], Awaitable[bool]], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not await holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.02)


def processes_of(home: Home) -> list[int]:
    """Everything that works in one of the home's folders."""
    found = []
    for pid in proc.pids():
        try:
            if os.readlink(f"/proc/{pid}/cwd").startswith(str(home.root)):
                found.append(pid)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("kind", ["system", "bundled"])
def test_an_app_gets_a_server_that_remembers_over_a_kill(home: Home, kind: str) -> None:
    found = [one for one in FOUND if one.kind == kind]
    if not found:
        pytest.skip(f"there is no {kind} server of the Redis protocol on this machine")

    async def story() -> None:
        cache = ValkeyCache(home, find=lambda: found)
        at = await cache.provision("shop", WORD)
        assert at.server == found[0].says()
        app = client(at)
        await app.set("cart", "Ünïcode 🦊")
        await app.rpush("jobs", *range(1000))
        assert (await app.config_get("appendfsync"))["appendfsync"] == "everysec"

        async def is_written() -> bool:  # "everysec" holds a write back while the disk is busy with the one before
            found = await app.info("persistence")
            return bool(found["aof_enabled"] == 1 and found["aof_buffer_length"] == 0)

        async def is_back() -> bool:
            try:
                return bool(await app.get("cart") == "Ünïcode 🦊")
            except RedisError:
                return False

        await until(is_written)
        pid = cache.pid("shop")
        os.kill(pid, signal.SIGKILL)
        await until(is_back)
        assert cache.pid("shop") not in (0, pid)
        assert await app.llen("jobs") == 1000
        await app.aclose()
        await cache.detach()

    asyncio.run(story())


def test_nobody_gets_in_without_the_password(home: Home) -> None:
    async def story() -> None:
        at = await ValkeyCache(home).provision("shop", WORD)
        for password in (None, "", "wrong"):
            app = client(at, password)
            with pytest.raises(AuthenticationError):
                await app.get("cart")
            await app.aclose()

    asyncio.run(story())


def test_an_app_that_cannot_send_a_password_needs_none_and_may_not_write_files(home: Home) -> None:
    async def story() -> None:
        cache = ValkeyCache(home)
        at = await cache.provision("shop", Secret(""))
        app = client(at, None)
        assert await app.set("cart", "1")
        assert await app.info("server")
        for refused in (("CONFIG", "SET", "dir", "/tmp"), ("SAVE",), ("ACL", "LIST")):
            with pytest.raises(NoPermissionError):
                await app.execute_command(*refused)
        await app.aclose()
        assert (await cache.provision("shop", WORD)).port == at.port
        with pytest.raises(AuthenticationError):
            await client(at, None).get("cart")
        assert await client(at).get("cart") == "1"

    asyncio.run(story())


def test_apps_do_not_share_a_server(home: Home) -> None:
    async def story() -> None:
        cache = ValkeyCache(home)
        one, two = await asyncio.gather(cache.provision("one", WORD), cache.provision("two", Secret("another")))
        assert one.port != two.port
        first, second = client(one), client(two, "another")
        await first.set("key", "mine")
        assert await second.get("key") is None
        with pytest.raises(AuthenticationError):
            await client(two).get("key")
        await cache.drop("one")
        assert await second.ping()
        for each in (first, second):
            await each.aclose()

    asyncio.run(story())


def test_provisioning_again_changes_nothing(home: Home) -> None:
    async def story() -> None:
        cache = ValkeyCache(home)
        first = await cache.provision("shop", WORD)
        pid = cache.pid("shop")
        again = await asyncio.gather(*(cache.provision("shop", WORD) for _ in range(5)))
        assert set(again) == {first}
        assert cache.pid("shop") == pid

    asyncio.run(story())


def test_provisioning_waits_for_a_server_that_comes_back(home: Home) -> None:
    async def story() -> None:
        cache = ValkeyCache(home)
        await cache.provision("shop", WORD)
        for _ in range(5):
            killed = proc.stat(cache.pid("shop"))
            assert killed is not None
            os.kill(killed.pid, signal.SIGKILL)
            assert await proc.wait_ended([killed.identity], 10)
            app = client(await cache.provision("shop", WORD))
            assert await app.ping()
            await app.aclose()

    asyncio.run(story())


def test_a_new_password_replaces_the_old_one_and_keeps_what_was_there(home: Home) -> None:
    async def story() -> None:
        cache = ValkeyCache(home)
        at = await cache.provision("shop", WORD)
        app = client(at)
        await app.set("key", "kept")
        await app.aclose()
        assert await cache.provision("shop", Secret("the-new-one")) == at
        app = client(at, "the-new-one")
        assert await app.get("key") == "kept"
        with pytest.raises(AuthenticationError):
            await client(at).get("key")
        await app.aclose()

    asyncio.run(story())


def test_a_full_server_refuses_writes_and_evicts_nothing(home: Home) -> None:
    async def story() -> None:
        app = client(await ValkeyCache(home).provision("shop", WORD))
        await app.set("job", "important")
        written = await asyncio.gather(
            *(app.set(f"filler:{n}", "x" * 1_000_000) for n in range(100)), return_exceptions=True
        )
        assert any(isinstance(one, OutOfMemoryError) for one in written)
        assert await app.get("job") == "important"
        await app.aclose()

    asyncio.run(story())


def test_servers_outlive_a_killed_agent_and_are_adopted(home: Home) -> None:
    agent = (
        "import asyncio, sys; from pathlib import Path\n"
        "from underway.drivers.cache.valkey import ValkeyCache\n"
        "from underway.terms.home import Home\n"
        "from underway.terms.secret import Secret\n"
        "async def live():\n"
        "    cache = ValkeyCache(Home(Path(sys.argv[1])))\n"
        "    for app in ('lives', 'dies', 'rests'): await cache.provision(app, Secret('correct-horse-1'))\n"
        "    await cache.stop('rests')\n"
        "    print(cache.pid('lives'), cache.pid('dies'), flush=True); await asyncio.sleep(600)\n"
        "asyncio.run(live())\n"
    )
    with subprocess.Popen([sys.executable, "-c", agent, str(home.root)], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        lives, dies = map(int, first.stdout.readline().split())
        first.kill()
    os.kill(dies, signal.SIGKILL)

    async def story() -> None:
        cache = ValkeyCache(home)
        await cache.adopt()
        assert cache.pid("lives") == lives
        assert cache.pid("dies") not in (0, dies)
        assert cache.pid("rests") == 0
        app = client(await cache.provision("dies", WORD))
        assert await app.ping()
        await app.aclose()

    asyncio.run(story())
    assert len(processes_of(home)) == 2


def test_a_stopped_server_leaves_nothing_and_keeps_its_port_and_keys(home: Home) -> None:
    async def story() -> None:
        cache = ValkeyCache(home)
        at = await cache.provision("shop", WORD)
        app = client(at)
        await app.set("key", "kept")
        await cache.stop("shop")
        await cache.stop("shop")
        await cache.stop("never-was")
        assert processes_of(home) == []
        await app.aclose()
        assert await ValkeyCache(home).provision("shop", WORD) == at
        app = client(at)
        assert await app.get("key") == "kept"
        await app.aclose()

    asyncio.run(story())


def test_a_dropped_server_forgets(home: Home) -> None:
    async def story() -> None:
        cache = ValkeyCache(home)
        app = client(await cache.provision("shop", WORD))
        await app.set("key", "gone")
        await cache.drop("shop")
        await cache.drop("shop")
        assert not (home.services / "redis" / "shop").exists()
        app = client(await cache.provision("shop", WORD))
        assert await app.get("key") is None
        await app.aclose()

    asyncio.run(story())


def test_the_password_is_in_no_file_and_no_argument(home: Home) -> None:
    canary = "CANARYq7Zp4mXw2Lk9"

    async def story() -> None:
        cache = ValkeyCache(home)
        app = client(await cache.provision("shop", Secret(canary)), canary)
        await app.set("key", "value")
        assert canary not in " ".join(proc.argv(cache.pid("shop")))
        assert canary.encode() not in Path(f"/proc/{cache.pid('shop')}/environ").read_bytes()
        for path in home.root.rglob("*"):
            if path.is_file():
                assert canary.encode() not in path.read_bytes(), path
        config = home.services / "redis" / "shop" / "redis.conf"
        assert config.stat().st_mode & 0o777 == 0o600
        await app.aclose()

    asyncio.run(story())


def test_as_root_the_server_runs_unprivileged(home: Home, as_root: None) -> None:
    async def story() -> None:
        cache = ValkeyCache(home)
        await cache.provision("shop", WORD)
        assert os.stat(f"/proc/{cache.pid('shop')}").st_uid != 0

    asyncio.run(story())


def test_a_taken_port_is_a_failure_that_names_who_has_it(home: Home) -> None:
    async def story() -> None:
        cache = ValkeyCache(home)
        at = await cache.provision("shop", WORD)
        await cache.stop("shop")
        with socket.create_server((at.host, at.port)):
            with pytest.raises(Failure) as failed:
                await cache.provision("shop", WORD)
            assert failed.value.problem.code == "redis.port-taken"
            assert f"(pid {os.getpid()})" in failed.value.problem.why
        assert await cache.provision("shop", WORD) == at

    asyncio.run(story())


def test_a_home_below_a_closed_folder_is_refused_with_the_way_out(open_folder: Path, as_root: None) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(Failure) as failed:
        asyncio.run(ValkeyCache(Home(closed / "home")).provision("shop", WORD))
    assert (failed.value.problem.code, failed.value.problem.where) == ("redis.home-unreachable", str(closed))


def test_a_program_in_a_closed_folder_is_copied_into_the_home(home: Home, open_folder: Path, as_root: None) -> None:
    inside = next(one for one in FOUND if one.kind == "bundled")
    packages = open_folder / "closed-venv"
    packages.mkdir(mode=0o700)
    shutil.copy(inside.program, packages)
    closed = replace(inside, program=packages / inside.program.name)

    async def story() -> None:
        cache = ValkeyCache(home, find=lambda: [closed])
        await cache.provision("shop", WORD)
        assert os.readlink(f"/proc/{cache.pid('shop')}/exe").startswith(str(home.services))
        await cache.stop("shop")

    asyncio.run(story())


def test_a_server_that_may_not_read_the_data_is_not_tried(home: Home) -> None:
    older = CacheInstallation(Path("/usr/bin/redis-server"), "redis", "7.0.15", "system")

    async def story() -> None:
        cache = ValkeyCache(home, find=lambda: [one for one in FOUND if one.kind == "bundled"])
        at = await cache.provision("shop", WORD)
        await cache.stop("shop")
        with pytest.raises(Failure) as failed:
            await ValkeyCache(home, find=lambda: [older]).provision("shop", WORD)
        assert failed.value.problem.code == "redis.version-gone"
        both = ValkeyCache(home, find=lambda: [older, *FOUND])  # "apt-get install redis-server" changes nothing
        assert await both.provision("shop", WORD) == at

    asyncio.run(story())


def test_no_server_at_all_is_said(home: Home) -> None:
    with pytest.raises(Failure) as failed:
        asyncio.run(ValkeyCache(home, find=list).provision("shop", WORD))
    assert failed.value.problem.code == "redis.not-found"


def test_a_server_that_cannot_start_says_why_and_keeps_no_other_from_it(new_home: Callable[[], Home]) -> None:
    home = new_home()

    async def story() -> None:
        cache = ValkeyCache(home)
        for app in ("broken", "whole"):
            await cache.provision(app, WORD)
        pids = [cache.pid(app) for app in ("broken", "whole")]
        killed = [found.identity for pid in pids if (found := proc.stat(pid)) is not None]
        await cache.detach()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert await proc.wait_ended(killed, 10)
        for path in (home.services / "redis" / "broken" / "data" / "appendonlydir").glob("*.base.*"):
            path.write_bytes(b"REDIS9999 noise")
        again = ValkeyCache(home)
        with pytest.raises(Failure) as failed:
            await again.adopt()
        assert failed.value.problem.code == "redis.start"
        assert "redis:broken" in failed.value.problem.why
        assert failed.value.log_tail
        assert again.pid("whole")

    asyncio.run(story())


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "a" * 41, "redis.conf"])
def test_no_name_but_an_apps_becomes_a_folder(home: Home, name: str) -> None:
    for act in (lambda: ValkeyCache(home).provision(name, WORD), lambda: ValkeyCache(home).drop(name)):
        with pytest.raises(Refusal):
            asyncio.run(act())
