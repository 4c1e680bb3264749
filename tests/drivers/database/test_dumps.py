"""Dumps of apps' databases: whole or not at all on the way out, and on the way back."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from underway.drivers.backups.folder import BackupFolders
from underway.drivers.backups.keys import AgeSeals
from underway.drivers.database.dumps import PostgresDumps
from underway.drivers.database.installation import Installation, installations
from underway.drivers.database.postgres import PostgresDatabase
from underway.drivers.database.scratch import PostgresScratches
from underway.ports.copies import PartFile
from underway.ports.services import DatabaseAddress
from underway.terms.backup import differences
from underway.terms.home import Home
from underway.terms.problem import Failure
from underway.terms.secret import Secret

WORD = Secret("correct-horse-1")
FOUND = installations()
Served = Callable[[], PostgresDatabase]
DIGEST = "SELECT md5(string_agg(n || text, ',' ORDER BY n)) FROM t"


async def connect(at: DatabaseAddress, database: str = "", password: Secret = WORD) -> asyncpg.Connection:
    name = database or at.database
    return await asyncpg.connect(
        host=at.host, port=at.port, user=at.user, password=password.reveal(), database=name, timeout=5
    )


async def filled(postgres: PostgresDatabase, app: str, rows: int = 20_000) -> DatabaseAddress:
    at = await postgres.provision(app, WORD)
    session = await connect(at)
    await session.execute("CREATE TABLE t (n bigint PRIMARY KEY, text text NOT NULL); CREATE TABLE empty (x int)")
    await session.execute(
        "CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('3f2a')"
    )
    await session.execute("INSERT INTO t SELECT n, md5(n::text) FROM generate_series(1, $1::int) n", rows)
    await session.close()
    return at


async def taken(postgres: PostgresDatabase, app: str, folder: Path, *recipients: str) -> PartFile:
    part = await PostgresDumps(postgres).dump(app, str(folder), recipients)
    return PartFile(str(folder / part.file), part)


def test_a_dump_is_private_and_tells_what_it_holds(each_served: Served, tmp_path: Path) -> None:
    async def story() -> None:
        postgres = each_served()
        at = await filled(postgres, "dumped")
        file = await taken(postgres, "dumped", tmp_path)
        path, part = Path(file.path), file.part
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.stat().st_size == part.size_bytes > 100_000
        assert part.tables == {"public.t": 20_000, "public.empty": 0, "public.alembic_version": 1}
        assert part.schema_head == "alembic 3f2a"
        assert f"PostgreSQL {part.server_version} " in at.server
        assert part.lsn.count("/") == 1
        assert os.listdir(tmp_path) == [path.name]
        await PostgresDumps(postgres).read_through(file)

    asyncio.run(story())


def test_counts_are_those_of_the_dump_while_rows_are_written(served: Served, tmp_path: Path) -> None:
    async def story() -> None:
        postgres = served()
        at = await filled(postgres, "busy", 50_000)
        is_over = asyncio.Event()

        async def write() -> int:
            session = await connect(at)
            n = 1_000_000
            while not is_over.is_set():
                await session.execute("INSERT INTO t VALUES ($1, 'late')", n := n + 1)
            await session.close()
            return n - 1_000_000

        writing = asyncio.create_task(write())
        file = await taken(postgres, "busy", tmp_path)
        is_over.set()
        assert await writing > 0
        scratches = PostgresScratches(postgres.home, postgres)
        scratch, found = await scratches.restore("busy", file)
        await scratches.drop(scratch)
        assert differences(file.part, found) == ()

    asyncio.run(story())


def test_a_restore_is_beside_until_it_is_swapped_in_and_can_be_swapped_back(
    each_served: Served, tmp_path: Path
) -> None:
    async def story() -> None:
        postgres = each_served()
        dumps = PostgresDumps(postgres)
        at = await filled(postgres, "put-back")
        app = await connect(at)
        digest = await app.fetchval(DIGEST)
        file = await taken(postgres, "put-back", tmp_path)
        await app.execute("DELETE FROM t WHERE n > 5; CREATE TABLE later ()")

        found = await dumps.restore_beside("put-back", file)
        assert differences(file.part, found) == ()
        assert await app.fetchval("SELECT count(*) FROM t") == 5  # the live one is as it was, its sessions too

        for _ in range(2):  # a crash may have come between the swap and the word that it was done
            await dumps.swap("put-back", "former")
        assert app.is_closed()  # it was connected to the database that is now the former one
        app = await connect(at)
        assert await app.fetchval(DIGEST) == digest
        assert await app.fetchval("SELECT to_regclass('later')") is None
        await app.execute("INSERT INTO t VALUES (0, 'still its owner'); ALTER TABLE t ADD COLUMN more int")
        await app.close()

        for _ in range(2):
            await dumps.swap_back("put-back", "former")
        app = await connect(at)
        assert await app.fetchval("SELECT count(*) FROM t") == 5
        databases = await app.fetch("SELECT datname FROM pg_database WHERE datname LIKE '%put-back%'")
        assert [row[0] for row in databases] == [at.database]
        await app.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("empty", "backup.empty"),
        ("cut", "backup.damaged"),
        ("cut-in-its-head", "backup.damaged"),
        ("noise", "backup.not-a-dump"),
        ("plain-sql", "backup.not-a-dump"),
        ("gone", "backup.damaged"),
        ("sealed-under-a-plain-name", "backup.not-a-dump"),
    ],
)
def test_a_file_that_is_no_whole_dump_is_told_for_what_it_is(
    served: Served, tmp_path: Path, name: str, code: str
) -> None:
    async def story() -> None:
        postgres = served()
        dumps = PostgresDumps(postgres)
        at = await filled(postgres, "unharmed")
        file = await taken(postgres, "unharmed", tmp_path)
        whole = Path(file.path).read_bytes()
        contents = {
            "empty": b"",
            "cut": whole[: len(whole) // 2],
            "cut-in-its-head": whole[:200],
            "noise": os.urandom(5000),
            "plain-sql": b"--\n-- PostgreSQL database dump\n--\n",
            "sealed-under-a-plain-name": b"age-encryption.org/v1\n-> X25519 abc\n",
        }
        bad = tmp_path / "bad.dump"
        if name in contents:
            bad.write_bytes(contents[name])
        for attempt in (dumps.read_through, lambda file: dumps.restore_beside("unharmed", file)):
            with pytest.raises(Failure) as failed:
                await attempt(replace(file, path=str(bad)))
            assert failed.value.problem.code == code, failed.value
        app = await connect(at)
        assert await app.fetchval("SELECT count(*) FROM t") == 20_000
        databases = await app.fetch("SELECT datname FROM pg_database WHERE datname LIKE '%unharmed%'")
        assert [row[0] for row in databases] == [at.database]
        await app.close()
        await postgres.drop("unharmed")

    asyncio.run(story())


def test_an_encrypted_dump_opens_with_its_key_and_with_no_other(served: Served, tmp_path: Path) -> None:
    async def story() -> None:
        postgres, seals = served(), AgeSeals()
        dumps = PostgresDumps(postgres)
        await filled(postgres, "sealed")
        ours, others = seals.new_identity(), seals.new_identity()
        file = await taken(postgres, "sealed", tmp_path, seals.recipient_of(ours))
        content = Path(file.path).read_bytes()
        assert file.path.endswith(".dump.age")
        assert b"PGDMP" not in content
        assert content.startswith(b"age-encryption.org/v1")
        opened = replace(file, identity=ours)
        await dumps.read_through(opened)
        assert differences(file.part, await dumps.restore_beside("sealed", opened)) == ()
        for wrong in (replace(file, identity=others), file, replace(file, identity=Secret("AGE-SECRET-KEY-1NONSENSE"))):
            with pytest.raises(Failure) as failed:
                await dumps.read_through(wrong)
            assert failed.value.problem.code == "backup.key"
        Path(file.path).write_bytes(content[: len(content) // 2])
        with pytest.raises(Failure) as failed:
            await dumps.read_through(opened)
        assert failed.value.problem.code == "backup.damaged"

    asyncio.run(story())


def test_a_dump_that_fails_leaves_nothing(served: Served, tmp_path: Path) -> None:
    with pytest.raises(Failure) as failed:
        asyncio.run(taken(served(), "never-made", tmp_path))
    assert failed.value.problem.code == "postgres.dump"
    assert "never-made" in failed.value.problem.why
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_no_dump(served: Served, tmp_path: Path, as_root: None) -> None:
    asyncio.run(filled(served(), "large", 100_000))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", tmp_path], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(Failure) as failed:
            asyncio.run(taken(served(), "large", tmp_path))
        assert failed.value.problem.code == "backup.disk-full"
        assert os.listdir(tmp_path) == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_cancelled_dump_leaves_nothing(served: Served, tmp_path: Path) -> None:
    async def story() -> None:
        postgres = served()
        await filled(postgres, "ended", 200_000)
        taking = asyncio.create_task(taken(postgres, "ended", tmp_path))
        while not list(tmp_path.glob("*.dump")):
            await asyncio.sleep(0.005)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        assert os.listdir(tmp_path) == []

    asyncio.run(story())


@pytest.fixture(scope="module")
def of_each_version(open_folder: Path) -> dict[str, PartFile]:
    """A dump of the same database by every PostgreSQL of this machine."""

    async def story(source: Installation) -> PartFile:
        home = Home(open_folder / f"source-{source.version}")
        postgres = PostgresDatabase(home, find=lambda: [source], is_scratch=True)
        await filled(postgres, "moved", 2_000)
        file = await taken(postgres, "moved", home.root)
        await postgres.stop()
        assert file.part.server_version == source.version
        return file

    return {source.version: asyncio.run(story(source)) for source in FOUND}


@pytest.mark.parametrize("target", FOUND, ids=lambda one: f"to-{one.version}")
@pytest.mark.parametrize("source", FOUND, ids=lambda one: f"from-{one.version}")
def test_a_dump_goes_to_its_own_version_and_newer_ones_and_is_refused_by_older_ones(
    new_home: Callable[[], Home], of_each_version: dict[str, PartFile], source: Installation, target: Installation
) -> None:
    file = of_each_version[source.version]

    async def story() -> None:
        home = new_home()
        scratches = PostgresScratches(home, PostgresDatabase(home), find=lambda: [target])
        if source.major > target.major:
            with pytest.raises(Failure) as failed:
                await scratches.restore("moved", file)
            problem = failed.value.problem
            assert problem.code == "backup.server-newer"
            assert source.version in problem.why
            assert target.version in problem.why
            assert f"postgresql-{source.major}" in problem.command
        else:
            scratch, found = await scratches.restore("moved", file)
            assert target.version in scratch.server
            assert differences(file.part, found) == ()
            session = await connect(scratch.at, password=scratch.password)
            assert await session.fetchval("SELECT count(*) FROM t") == 2_000
            await session.close()
            await scratches.drop(scratch)
        assert not list((home.root / "scratch").glob("*"))

    asyncio.run(story())


def test_an_extension_that_the_other_server_lacks_is_named(new_home: Callable[[], Home], tmp_path: Path) -> None:
    plain = [one for one in FOUND if "pg_trgm" not in one.extensions()]
    rich = [one for one in FOUND if "pg_trgm" in one.extensions() and any(it.major >= one.major for it in plain)]
    if not rich:
        pytest.skip("no PostgreSQL here has an extension that another one lacks")

    async def story() -> None:
        postgres = PostgresDatabase(new_home(), find=lambda: rich[:1], is_scratch=True)
        await postgres.provision("worded", WORD, ("pg_trgm",))
        file = await taken(postgres, "worded", tmp_path)
        assert file.part.extensions == ("pg_trgm",)
        with pytest.raises(Failure) as failed:
            await PostgresScratches(postgres.home, postgres, find=lambda: plain).restore("worded", file)
        assert failed.value.problem.code == "postgres.extension-missing"
        assert "pg_trgm" in failed.value.problem.why

    asyncio.run(story())


def test_a_clone_is_a_database_of_its_own_with_the_apps_role(served: Served) -> None:
    async def story() -> None:
        postgres = served()
        scratches = PostgresScratches(postgres.home, postgres)
        at = await filled(postgres, "cloned")
        quick = await scratches.clone("cloned", WORD)
        assert quick.how == "cloned from a template"
        busy = await connect(at)
        slow = await scratches.clone("cloned", WORD)
        assert slow.how == "copied"
        for scratch in (quick, slow):
            session = await connect(at, scratch.at.database)
            await session.execute("DELETE FROM t; ALTER TABLE t ADD COLUMN more int")
            await session.close()
        await scratches.drop(quick)
        await scratches.drop(quick)
        assert await PostgresScratches(postgres.home, postgres).sweep_clones() == 1
        assert await busy.fetchval("SELECT count(*) FROM t") == 20_000
        await busy.close()

    asyncio.run(story())


def test_what_a_former_agent_left_of_scratch_servers_is_swept(new_home: Callable[[], Home], tmp_path: Path) -> None:
    async def story() -> None:
        postgres = PostgresDatabase(new_home(), is_scratch=True)
        await filled(postgres, "left", 100)
        file = await taken(postgres, "left", tmp_path)
        former = PostgresScratches(postgres.home, postgres)
        scratch, _ = await former.restore("left", file)
        await former.detach()
        later = PostgresScratches(postgres.home, postgres)
        assert await later.sweep() == 1
        with pytest.raises(OSError):
            await connect(scratch.at, password=scratch.password)
        assert await later.sweep() == 0

    asyncio.run(story())


def test_half_a_backup_is_no_backup(new_home: Callable[[], Home]) -> None:
    home = new_home()
    folder = Path(BackupFolders(home).begin("shop", "0123456789"))
    (folder / "database.dump").write_bytes(b"half")
    assert BackupFolders(home).all("shop") == ()
    assert BackupFolders(home).abandon("shop") == 1
    assert not folder.exists()
