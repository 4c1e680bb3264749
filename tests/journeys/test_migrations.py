"""Migrations of a real deploy: tried on a copy, patient with locks, and honest about the way back."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path

import pytest

from underway.drivers import proc
from underway.drivers.database.postgres import PostgresDatabase
from underway.terms.home import Home

from .world import APPS

MANIFEST = (APPS / "tiny/underway.toml").read_text()
SERVER = (APPS / "tiny/server.py").read_text()
BACK = """\
import asyncio, asyncpg, os
async def main():
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    async with connection.transaction():
        await connection.execute("ALTER TABLE notes DROP COLUMN mood")
        await connection.execute("ALTER TABLE notes RENAME COLUMN body TO text")
        await connection.execute("DELETE FROM applied WHERE name = '0003_body.sql'")
asyncio.run(main())
"""
SMOKE = '\n[[smoke]]\npath = "/notes"\n'


def migrating(keys):
    """The manifest with further keys under [migrate], and one smoke request."""
    return MANIFEST.replace('paths = ["migrations"]', f'paths = ["migrations"]\n{keys}') + SMOKE


@pytest.fixture(scope="module")
def migrated(shared_world):
    """A home in which the app tiny is live; its release in `release`."""
    done = shared_world.deploy(shared_world.app(underway_dot_toml=migrating("")))
    assert done["outcome"] == "live", done
    shared_world.release = done["release"]
    return shared_world


def test_an_app_finds_the_programs_of_its_own_database(migrated):
    live = next(mark.stat.pid for mark in proc.marked(Home(root=migrated.home).id) if mark.instance)
    variables = Path(f"/proc/{live}/environ").read_bytes().decode().split("\0")
    (path,) = [line.removeprefix("PATH=") for line in variables if line.startswith("PATH=")]
    with_server = [folder for folder in path.split(":") if Path(folder, "postgres").exists()]
    assert any(Path(folder, "psql").exists() for folder in with_server)


def one(done, event):
    (found,) = [each for each in done["events"] if each["event"] == event]
    return found


def test_a_reader_that_takes_long_neither_stops_the_migration_for_good_nor_other_readers(migrated):
    path = migrated.app(
        VERSION="waits",
        underway_dot_toml=migrating('lock_timeout = "400ms"\nlock_tries = 8\nrehearse = "never"'),
        migrations__0002_flag_dot_sql="ALTER TABLE notes ADD COLUMN flag boolean NOT NULL DEFAULT false",
    )
    result = {}
    deploying = threading.Thread(target=lambda: result.update(migrated.deploy(path)))

    async def read_long():
        tools = await PostgresDatabase(Home(root=migrated.home)).client()
        async with tools.session("app_tiny") as session:
            await session.ask("BEGIN; SELECT count(*) FROM notes;")
            deploying.start()
            slowest, deadline = 0.0, time.monotonic() + 60
            while not has_waited():
                assert time.monotonic() < deadline
                assert deploying.is_alive(), result
                began = time.monotonic()
                assert (await asyncio.to_thread(migrated.ask, "/notes")).status == 200
                slowest = max(slowest, time.monotonic() - began)
            await session.ask("COMMIT;")
            return slowest

    def has_waited():
        log = list((migrated.home / "apps/tiny/logs").glob("migrate-*.log"))
        return any("lock timeout" in each.read_text(errors="replace") for each in log)

    slowest = asyncio.run(read_long())
    deploying.join(120)

    assert result["outcome"] == "live", result
    assert (
        "a lock was not to be had before"
        in {e["step"]: e for e in result["events"] if e["event"] == "step_done"}["migrate"]["result"]
    )
    assert slowest < 5, "readers waited for the migration no longer than its lock timeout, and a busy machine"


def test_what_the_smokes_do_not_ask_is_not_called_known(migrated):
    renamed = SERVER.replace("INSERT INTO notes (text)", "INSERT INTO notes (body)")
    before = json.loads(migrated.run("releases", "tiny", "--json").stdout)[0]["id"]
    path = migrated.app(
        VERSION="renames",
        server_dot_py=renamed,
        underway_dot_toml=migrating('back = "python back.py"'),
        back_dot_py=BACK,
        migrations__0003_body_dot_sql="ALTER TABLE notes RENAME COLUMN text TO body;"
        " ALTER TABLE notes ADD COLUMN mood text DEFAULT 'calm'",
    )
    stopped = migrated.deploy(path)
    assert [problem["code"] for problem in stopped["problems"]] == ["migrate.hazard"]
    assert "expand and contract" in stopped["problems"][0]["remedy"]

    done = migrated.deploy(path, "--allow", "contract")

    assert done["outcome"] == "live", done
    assert any("cannot be taken back by code alone" in note for note in one(done, "planned")["notes"])
    fit = one(done, "rehearsed")["rehearsal"]["old_code"]
    assert (fit["release"], fit["runs"]) == (before, "unknown")
    assert "names text, which is there no more" in fit["because"]
    back = one(done, "rehearsed")["rehearsal"]["back"]
    assert (back["goes"], back["lost"]) == ("yes", []), back
    assert migrated.ask("/notes", method="POST", body="x").status == 201

    refused = migrated.run("rollback", "tiny", "--json")
    assert refused.returncode == 3, refused.stdout
    (problem,) = json.loads(refused.stdout.splitlines()[-1])["problems"]
    assert problem["code"] == "rollback.schema"
    assert f"backup {done['release']}" in problem["why"]
    assert "loses 1 row written since (notes 1)" in problem["why"]
    assert migrated.run("rollback", "tiny", "--code-only", "--dry-run").returncode == 0
    assert json.loads(migrated.run("releases", "tiny", "--json").stdout)[0]["state"] == "live"
    assert "run the migration back as well (it was run forward and back on a copy" in problem["remedy"]

    stopped = migrated.run("rollback", "tiny", "--migrate-back", "--yes", "--json")
    (problem,) = json.loads(stopped.stdout.splitlines()[-1])["problems"]
    notes = len(migrated.ask("/notes").json()["ids"])
    assert problem["code"] == "rollback.loses", problem
    assert f"{notes} value{'s' * (notes != 1)} of notes.mood" in problem["why"]
    assert migrated.ask("/notes", method="POST", body="y").status == 201, "nothing was changed"

    gone = migrated.run("rollback", "tiny", "--migrate-back", "--allow", "loss", "--yes", "--json")
    events = [json.loads(line) for line in gone.stdout.splitlines()]
    assert (gone.returncode, events[-1]["live"]) == (0, before), events[-1]
    assert len(migrated.ask("/notes").json()["ids"]) == notes + 1
    assert migrated.ask("/notes", method="POST", body="z").status == 201
    (made,) = [event["backup"] for event in events if event["event"] == "backup_made"]
    assert made["parts"][0]["tables"]["public.notes"] == notes + 1
    again = migrated.run("rollback", "tiny", "--to", done["release"], "--json")
    (problem,) = json.loads(again.stdout.splitlines()[-1])["problems"]
    assert problem["code"] == "rollback.schema", "its code does not run on what it was run back to"


def test_the_statistics_are_shown(migrated):
    shown = migrated.run("db", "stats", "tiny")
    assert shown.returncode == 0, shown.stderr
    assert "connections" in shown.stdout
    assert json.loads(migrated.run("db", "stats", "tiny", "--json").stdout)["max_connections"] > 0
