"""Tables from files of SQL, made by the script that builds hold, in databases of apps."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from underway.drivers.builds import listening
from underway.drivers.database.postgres import PostgresDatabase
from underway.manifest.build import TABLES_SCRIPT
from underway.ports.services import DatabaseAddress
from underway.terms.secret import Secret

WORD = Secret("correct-horse-1")

TUTORIAL = """\ufeffCREATE DATABASE shop
  WITH OWNER = postgres
  ENCODING = 'UTF8';\r
\\c shop
create extension if not exists "uuid-ossp";
CREATE USER shopper WITH PASSWORD 'secret';
BEGIN;
DROP TABLE IF EXISTS item CASCADE;
CREATE TABLE public.item (id SERIAL PRIMARY KEY, name TEXT NOT NULL, owner text);
CREATE FUNCTION named() RETURNS trigger AS $$
BEGIN
  NEW.name := trim(NEW.name);
  RETURN NEW;
END;
$$ LANGUAGE plpgsql;
COMMIT;
ALTER TABLE public.item OWNER TO postgres;
CREATE SCHEMA kept Authorization shopper;
ALTER DEFAULT PRIVILEGES IN SCHEMA kept GRANT ALL ON TABLES TO shopper;
GRANT ALL PRIVILEGES ON ALL TABLES IN SCHEMA public
  TO shopper;
INSERT INTO item (name) VALUES ('the first; grant it'), ('Ünïcode');
"""
DUMP = """\\restrict abc
SELECT pg_catalog.set_config('search_path', '', false);
COPY public.item (name, owner) FROM stdin;
GRANT this;\t\\N
begin;\tme
\\.
\\unrestrict abc
"""


def made(folder: Path, at: DatabaseAddress, *files: str) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": f"/usr/bin:/bin:{at.programs}", "LANG": "C.UTF-8", "PGHOST": at.host, "PGPORT": str(at.port),
        "PGUSER": at.user, "PGPASSWORD": WORD.reveal(), "PGDATABASE": at.database,
    }  # fmt: skip
    argv = ["sh", TABLES_SCRIPT, *files]
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    listening.add(tmp_path, TABLES_SCRIPT)
    (tmp_path / "db").mkdir()
    (tmp_path / "db/1 first.sql").write_text(TUTORIAL)
    (tmp_path / "db/2.sql").write_text(DUMP)
    return tmp_path


def test_files_made_for_a_machine_of_ones_own_make_the_tables(
    each_served: Callable[[], PostgresDatabase], folder: Path
) -> None:
    async def story() -> None:
        database = each_served()
        at = await database.provision(f"tables{os.getpid()}", WORD)
        ran = await asyncio.to_thread(made, folder, at, "db/1 first.sql", "db/2.sql")
        assert ran.returncode == 0, ran.stderr
        app = await asyncpg.connect(
            host=at.host, port=at.port, user=at.user, password=WORD.reveal(), database=at.database
        )
        rows = [tuple(row) for row in await app.fetch("SELECT name, owner FROM item ORDER BY id")]
        assert rows == [("the first; grant it", None), ("Ünïcode", None), ("GRANT this;", None), ("begin;", "me")]
        await app.execute("DELETE FROM item")
        again = await asyncio.to_thread(made, folder, at, "db/1 first.sql")  # it would drop the table
        assert again.returncode == 0
        assert again.stdout.startswith("the database has 1 tables: nothing of db/1 first.sql was run")
        assert await app.fetchval("SELECT count(*) FROM item") == 0
        await app.close()
        await database.drop(f"tables{os.getpid()}")

    asyncio.run(story())


def test_a_file_with_a_mistake_leaves_the_database_empty(served: Callable[[], PostgresDatabase], folder: Path) -> None:
    (folder / "db/3.sql").write_text("CREATE TABLE a (n int);\nCOMMIT;\nCREATE TABLE b (n integr);\n")

    async def story() -> None:
        database = served()
        at = await database.provision("mistaken", WORD)
        for _ in range(2):  # what was left would make the second try do nothing
            ran = await asyncio.to_thread(made, folder, at, "db/3.sql")
            assert ran.returncode != 0
            assert 'type "integr" does not exist' in ran.stderr
        gone = await asyncio.to_thread(made, folder, at, "db/4.sql")
        assert "db/4.sql: there is no such file" in gone.stderr

    asyncio.run(story())
