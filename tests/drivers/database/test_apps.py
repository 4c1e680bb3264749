"""What apps get of the server: a database each, whole and their own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from underway.drivers.database.dumps import PostgresDumps
from underway.drivers.database.installation import Kind, installations
from underway.drivers.database.postgres import PostgresDatabase
from underway.ports.services import DatabaseAddress
from underway.terms.home import Home
from underway.terms.problem import Failure, Refusal
from underway.terms.secret import Secret

WORD = Secret("correct-horse-1")
Served = Callable[[], PostgresDatabase]


async def connect(at: DatabaseAddress, password: Secret = WORD, database: str = "") -> asyncpg.Connection:
    return await asyncpg.connect(
        host=at.host,
        port=at.port,
        user=at.user,
        password=password.reveal(),
        database=database or at.database,
        timeout=5,
    )


def test_an_app_writes_and_reads_in_a_database_of_its_own(each_served: Served) -> None:
    async def story() -> None:
        at = await each_served().provision("letters-game", WORD)
        assert at.was_created
        assert at.server.startswith("PostgreSQL ")
        app = await connect(at)
        await app.execute("CREATE TABLE child (name text); INSERT INTO child VALUES ('Ünïcode 🦊')")
        assert await app.fetchval("SELECT name FROM child") == "Ünïcode 🦊"
        assert await app.fetchval("SHOW fsync") == "on"
        assert await app.fetchval("SHOW data_checksums") == "on"
        await app.close()

    asyncio.run(story())


def test_provisioning_again_changes_nothing(served: Served) -> None:
    async def story() -> None:
        postgres = served()
        first = await postgres.provision("again", WORD)
        app = await connect(first)
        await app.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
        second = await postgres.provision("again", WORD)
        assert not second.was_created
        assert (second.host, second.port, second.user) == (first.host, first.port, first.user)
        assert await app.fetchval("SELECT n FROM kept") == 7  # the open session was not disturbed
        await app.close()

    asyncio.run(story())


def test_the_address_is_known_once_the_database_is_there_and_no_longer(served: Served) -> None:
    async def story() -> None:
        postgres = served()
        assert await postgres.address("known") is None
        at = await postgres.provision("known", WORD)
        await postgres.stop()
        again = await postgres.address("known")
        assert again is not None
        assert (again.user, again.database, again.was_created) == (at.user, at.database, False)
        app = await connect(again)  # the server was started again
        await app.close()
        await postgres.drop("known")
        assert await postgres.address("known") is None

    asyncio.run(story())


def test_ten_provisions_at_once_give_one_database(served: Served) -> None:
    async def story() -> None:
        postgres = served()
        ats = await asyncio.gather(*(postgres.provision("crowd", WORD) for _ in range(10)))
        assert sorted(at.was_created for at in ats) == [False] * 9 + [True]
        await (await connect(ats[0])).close()

    asyncio.run(story())


def test_a_new_password_replaces_the_old_one(served: Served) -> None:
    async def story() -> None:
        postgres = served()
        at = await postgres.provision("changed", Secret("the-old-one"))
        await postgres.provision("changed", Secret("the-new-one"))
        await (await connect(at, Secret("the-new-one"))).close()
        with pytest.raises(asyncpg.InvalidPasswordError):
            await connect(at, Secret("the-old-one"))

    asyncio.run(story())


def test_an_app_cannot_reach_another_one(each_served: Served) -> None:
    async def story() -> None:
        postgres = each_served()
        mine = await postgres.provision("mine", WORD)
        theirs = await postgres.provision("theirs", Secret("another-word"))
        for database in (theirs.database, "postgres", "template1"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connect(mine, database=database)
        with pytest.raises(asyncpg.InvalidPasswordError):
            await connect(theirs, WORD)
        app = await connect(mine)
        forbidden = ["SELECT * FROM pg_authid", "CREATE ROLE friend", "CREATE DATABASE more"]
        for statement in [*forbidden, "COPY (SELECT 1) TO PROGRAM 'id'"]:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(statement)
        await app.close()

    asyncio.run(story())


def test_an_app_may_do_as_it_likes_in_its_schema(each_served: Served) -> None:
    async def story() -> None:
        app = await connect(await each_served().provision("owner", WORD))
        await app.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE public.t (n int)")
        await app.close()

    asyncio.run(story())


def test_extensions_are_made_where_the_server_has_them(each_served: Served) -> None:
    async def story() -> None:
        postgres = each_served()
        ours = ("vector",) if not await postgres.missing_extensions(("vector",)) else ("pg_trgm", "uuid-ossp")
        if await postgres.missing_extensions(ours):
            pytest.skip("this PostgreSQL has neither vector nor contrib")
        for _ in range(2):
            app = await connect(await postgres.provision("extended", WORD, ours))
            made = {row[0] for row in await app.fetch("SELECT extname FROM pg_extension")}
            assert made == {"plpgsql", *ours}
            await app.close()

    asyncio.run(story())


def test_a_missing_extension_is_named_before_anything_runs(home: Home) -> None:
    postgres = PostgresDatabase(home)
    missing = asyncio.run(postgres.missing_extensions(("plpgsql", "no_such_thing", "../../../etc/passwd")))
    assert missing == ("no_such_thing", "../../../etc/passwd")
    assert not home.services.exists()


def test_an_extension_that_cannot_be_made_is_a_failure_with_the_servers_words(served: Served) -> None:
    with pytest.raises(Failure) as failed:
        asyncio.run(served().provision("wishes", WORD, ("no_such_thing",)))
    assert failed.value.problem.code == "postgres.provision"
    assert "no_such_thing" in failed.value.problem.why


def test_a_dropped_app_is_gone_and_dropping_again_is_fine(served: Served) -> None:
    async def story() -> None:
        postgres = served()
        at = await postgres.provision("gone", WORD)
        busy = await connect(at)
        await postgres.drop("gone")
        await postgres.drop("gone")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await connect(at)
        busy.terminate()
        assert (await postgres.provision("gone", WORD)).was_created

    asyncio.run(story())


@pytest.mark.parametrize("name", ["", "-", "Robert'); DROP TABLE", "a" * 41, "..", 'a"b'])
def test_no_name_but_an_apps_reaches_the_server(home: Home, name: str) -> None:
    with pytest.raises(Refusal):
        asyncio.run(PostgresDatabase(home).provision(name, WORD))
    with pytest.raises(Refusal):
        asyncio.run(PostgresDumps(PostgresDatabase(home)).dump(name, "/nowhere"))


def test_the_password_is_nowhere_but_with_the_app(served: Served) -> None:
    canary = "CANARYq7Zp4mXw2Lk9"
    seen: set[str] = set()

    async def watch(done: asyncio.Event) -> None:
        while not done.is_set():
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    line = Path(f"/proc/{pid}/cmdline").read_bytes()
                except OSError:
                    continue
                if canary.encode() in line:
                    seen.add(line.decode())
            await asyncio.sleep(0)

    async def story() -> None:
        postgres = served()
        done = asyncio.Event()
        watching = asyncio.create_task(watch(done))
        at = await postgres.provision("quiet", Secret(canary))
        folder = postgres.home.root / "quiet-dump"
        folder.mkdir()
        await PostgresDumps(postgres).dump("quiet", str(folder))
        with pytest.raises(Failure) as failed:
            await postgres.provision("quiet", Secret(canary), ("no_such_thing",))
        done.set()
        await watching
        app = await connect(at, Secret(canary))
        with pytest.raises(asyncpg.PostgresError):
            await app.execute(f"ALTER ROLE nobody_here PASSWORD '{canary}'")  # the app's own mistake is not logged
        await app.close()
        assert seen == set()
        assert canary not in str(failed.value) + " ".join(failed.value.log_tail)
        for path in postgres.home.root.rglob("*"):
            if path.is_file():
                assert canary.encode() not in path.read_bytes(), path

    asyncio.run(story())


def test_which_installations_are_known() -> None:
    kinds = [one.kind for one in installations()]
    assert kinds == sorted(kinds, key=list(Kind).index), "the system's come first"
    assert Kind.BUNDLED in kinds, "the wheel is a dependency of Underway"
