"""An app's data: backed up without being asked, proven, put back, and never silently lost."""

from __future__ import annotations

import json
import sqlite3
import time
from datetime import UTC, datetime

import pytest

from .world import make_world, wait_until

SMOKE = """
[[smoke]]
name = "the notes"
path = "/notes"
headers = {X-Hand = "${env.HAND}"}

[env]
HAND = {secret = true}
"""
SHARED = 'app = "tiny"\nshared = ["uploads", "small.db"]\n'


def manifest(world, backup: str) -> None:
    path = world.app() / "underway.toml"
    text = (path.parent / "underway.toml").read_text()
    text = text.partition("\n[backup]")[0].replace('app = "tiny"\n', SHARED) if "shared" not in text else text
    path.write_text(text.partition("\n[backup]")[0] + f"\n[backup]\n{backup}\n{SMOKE}")


@pytest.fixture(scope="module")
def kept():
    """A home with the app `tiny`, which has a database, a folder of files and an SQLite file, and no schedule."""
    world = make_world()
    manifest(world, 'every = "0s"\ndrill = "0s"')
    set_by_hand = world.run("env", "set", "HAND=made-by-hand-4711", "--path", world.app())
    assert set_by_hand.returncode == 0, set_by_hand.stderr
    assert world.deploy(world.app())["outcome"] == "live"
    shared = world.home / "apps/tiny/shared"
    (shared / "uploads").mkdir(parents=True, exist_ok=True)
    (shared / "uploads" / "a.txt").write_text("as it was")
    with sqlite3.connect(shared / "small.db") as session:
        session.execute("CREATE TABLE t (n)")
        session.execute("INSERT INTO t VALUES (1), (2)")
    for n in range(3):
        world.ask("/notes", method="POST", body=f"note {n}")
    yield world
    world.close()


def backups(world) -> dict:
    return json.loads(world.run("db", "backups", "tiny", "--json").stdout)


def codes(done) -> list[str]:
    return [problem["code"] for problem in json.loads(done.stdout.splitlines()[-1])["problems"]]


def test_a_backup_is_unproven_until_a_drill_restored_it(kept):
    made = json.loads(kept.run("db", "backup", "tiny", "--json").stdout)
    assert {(part["content"], part["source"]) for part in made["parts"]} == {
        ("postgres", ""),
        ("files", "uploads"),
        ("sqlite", "small.db"),
    }
    assert made["parts"][0]["tables"]["public.notes"] == 3
    assert backups(kept)["standing"] == "unproven"
    shown = kept.run("status", env={"FORCE_COLOR": "1", "NO_COLOR": ""})
    assert "unproven" in shown.stdout
    coloured = {name: value for name, value in kept.env.items() if name != "NO_COLOR"}
    kept.env, plain = {**coloured, "FORCE_COLOR": "1"}, kept.env
    try:
        assert "\x1b[33mbackups unproven" in kept.run("status").stdout  # amber
        assert "\x1b[33munproven" in kept.run("db", "backups", "tiny").stdout
    finally:
        kept.env = plain
    assert "whole" in kept.run("db", "verify", "tiny").stdout.lower()
    proof = json.loads(kept.run("db", "drill", "tiny", "--json").stdout)
    assert (proof["backup"], proof["tables"], proof["rows"], proof["files"]) == (made["id"], 3, 6, 1)
    assert proof["smoke"].startswith("1 smoke request passed")
    assert 0 < proof["restore_s"] < 120
    assert proof["lost_s"] > 0
    found = backups(kept)
    assert found["standing"] == "proven"
    assert found["backups"][0]["proof"]["restore_s"] == proof["restore_s"]
    assert not list((kept.home / "scratch").glob("try-*"))
    assert kept.status()["instances"][0]["restarts"] == 0


def test_a_restore_puts_everything_back_and_keeps_what_it_replaced(kept):
    before = json.loads(kept.run("db", "backup", "tiny", "--json").stdout)["id"]
    shared = kept.home / "apps/tiny/shared"
    count = len(kept.ask("/notes").json()["ids"])
    kept.ask("/notes", method="POST", body="after the backup")
    (shared / "uploads" / "a.txt").write_text("changed")
    assert kept.run("db", "restore", "tiny", before).returncode == 2  # nobody said yes
    planned = kept.run("db", "restore", "tiny", before, "--dry-run").stdout
    assert f"Backup {before} is " in planned
    assert "unproven" in planned
    done = kept.run("db", "restore", "tiny", before, "--yes", "--json")
    assert done.returncode == 0, done.stdout
    assert len(kept.ask("/notes").json()["ids"]) == count
    assert (shared / "uploads" / "a.txt").read_text() == "as it was"
    assert kept.ask("/notes", method="POST", body="goes on").status == 201
    safety = next(it for it in backups(kept)["backups"] if it["reason"] == "restore")
    assert kept.run("db", "restore", "tiny", safety["id"], "--yes").returncode == 0
    assert len(kept.ask("/notes").json()["ids"]) == count + 1
    assert (shared / "uploads" / "a.txt").read_text() == "changed"


def test_a_restore_that_fails_leaves_the_app_as_it_was(kept):
    made = json.loads(kept.run("db", "backup", "tiny", "--json").stdout)["id"]
    ids = kept.ask("/notes").json()["ids"]
    folder = kept.home / "apps/tiny/backups" / made
    whole = (folder / "database.dump").read_bytes()
    (folder / "database.dump").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))  # its size is right
    done = kept.run("db", "restore", "tiny", made, "--yes", "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout.splitlines()[-1])["problems"][0]["code"] == "backup.damaged"
    assert kept.ask("/notes").json()["ids"] == ids
    assert kept.run("db", "verify", "tiny", made).returncode == 4
    listed = next(it for it in backups(kept)["backups"] if it["id"] == made)
    assert listed["condition"] == "damaged"
    refused = kept.run("db", "restore", "tiny", made, "--yes", "--json")
    assert refused.returncode == 3
    assert codes(refused) == ["backup.damaged"]
    events = kept.events()
    assert any(event["event"] == "backup_found_damaged" and event["backup"] == made for event in events)
    assert any(event["event"] == "alert_raised" and event["problem"]["code"] == "backup.damaged" for event in events)
    assert kept.run("db", "backup", "tiny").returncode == 0


def test_a_backup_that_is_emptied_is_told_by_the_next_look(kept):
    made = json.loads(kept.run("db", "backup", "tiny", "--json").stdout)["id"]
    (kept.home / "apps/tiny/backups" / made / "database.dump").write_bytes(b"")
    found = backups(kept)
    assert found["standing"] == "damaged"
    assert "database.dump is empty" in found["says"]
    assert "database.dump is empty" in kept.run("status").stdout
    assert kept.run("db", "backup", "tiny").returncode == 0
    assert backups(kept)["standing"] != "damaged"


def test_schedules_run_by_themselves(kept):
    old = json.loads(kept.run("db", "backup", "tiny", "--json").stdout)["id"]
    path = kept.home / "apps/tiny/backups" / old / "database.dump"
    path.write_bytes(path.read_bytes()[:-1] + b"!")  # its size is right, and nobody will ask
    manifest(kept, 'every = "5s"\ndrill = "8s"\nremotes = ["nowhere:bucket"]')
    done = kept.deploy(kept.app())
    assert done["outcome"] == "live", str([it for it in done["events"] if "problem" in it])
    since = kept.events()[-1]["seq"]

    def told(kind: str, **wanted):
        found = [e for e in kept.events() if e["seq"] > since and e["event"] == kind]
        return next((e for e in found if all(e.get(name) == value for name, value in wanted.items())), None)

    wait_until(lambda: told("backup_made"), 90)
    wait_until(lambda: told("backup_proven"), 90)
    assert told("backup_found_damaged", backup=old)
    failed = wait_until(lambda: told("backup_failed", what="copy"), 90)
    assert failed["problem"]["code"] == "remote.refused"
    assert told("alert_raised", key="copy nowhere:bucket")


def test_a_restore_to_a_marked_second_has_the_writes_before_it_and_not_those_after(kept):
    manifest(kept, 'every = "30s"\ndrill = "0s"\ncontinuous = true')
    done = kept.deploy(kept.app())
    assert done["outcome"] == "live", str([it for it in done["events"] if "problem" in it])
    small = kept.home / "apps/tiny/shared/small.db"

    def write(number: int) -> int:
        with sqlite3.connect(small, timeout=30) as session:
            session.execute("INSERT INTO t VALUES (?)", (number,))
        session.close()
        return kept.ask("/notes", method="POST", body=f"number {number}").json()["id"]

    def is_kept() -> bool:
        at = datetime.now(UTC).isoformat()
        shown = kept.run("db", "restore", "tiny", "--at", at, "--dry-run").stdout
        return "the database, small.db" in shown

    wait_until(is_kept, 90)
    before = write(101)
    time.sleep(1.5)  # what is tested is time
    marked = datetime.now(UTC).isoformat()
    time.sleep(1.5)
    after = write(102)
    done = kept.run("db", "restore", "tiny", "--at", marked, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    ids = kept.ask("/notes").json()["ids"]
    assert before in ids
    assert after not in ids
    with sqlite3.connect(small) as session:
        numbers = [row[0] for row in session.execute("SELECT n FROM t")]
    session.close()
    assert 101 in numbers
    assert 102 not in numbers
    write(103)
    early = kept.run("db", "restore", "tiny", "--at", "2020-01-01 00:00:00", "--yes", "--json")
    assert early.returncode == 3
    assert codes(early) == ["points.no-base"]


def test_a_copy_from_sqlite_is_proven_and_then_cut_over(kept, tmp_path):
    with sqlite3.connect(tmp_path / "old.db") as old:
        old.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text)")
        old.executemany("INSERT INTO notes (text) VALUES (?)", ((f"old {n}",) for n in range(500)))
    before = kept.ask("/notes").json()["ids"]
    words = ("db", "copy", "--from", f"sqlite:///{tmp_path}/old.db", "--to", "tiny")
    done = kept.run(*words, "--json")
    assert done.returncode == 0, done.stdout
    report = json.loads(done.stdout)
    assert report["is_whole"]
    assert [(table["name"], table["rows"], table["copied"]) for table in report["tables"]] == [("notes", 500, 500)]
    assert kept.ask("/notes").json()["ids"] == before
    shown = kept.run(*words)
    assert "writes stop for about" in shown.stdout
    assert kept.run(*words, "--cut-over").returncode == 2  # nobody said yes
    done = kept.run(*words, "--cut-over", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(kept.ask("/notes").json()["ids"]) == 500
    assert kept.ask("/notes", method="POST", body="goes on").json()["id"] == 501
    missing = kept.run("db", "copy", "--from", "sqlite:///nowhere.db", "--to", "tiny", "--json")
    assert missing.returncode != 0


def test_only_a_demo_is_reset(kept):
    refused = kept.run("db", "reset", "tiny", "--yes", "--json")
    assert refused.returncode == 3
    assert codes(refused) == ["reset.production"]
    manifest(kept, 'every = "0s"\ndrill = "0s"\nmay_reset = true')
    done = kept.deploy(kept.app())
    assert done["outcome"] == "live", str([it for it in done["events"] if "problem" in it])
    assert codes(kept.run("db", "reset", "tiny", "--yes", "--json")) == ["reset.none"]
    assert kept.run("db", "snapshot", "tiny", "demo").returncode == 0
    ids = kept.ask("/notes").json()["ids"]
    kept.ask("/notes", method="POST", body="of a visitor")
    assert kept.run("db", "reset", "tiny", "--yes", "--to", "demo").returncode == 0
    assert kept.ask("/notes").json()["ids"] == ids
    (listed,) = json.loads(kept.run("db", "snapshot", "tiny", "--json").stdout)
    assert listed["name"] == "demo"
    removed = json.loads(kept.run("db", "snapshot", "tiny", "demo", "--remove", "--json").stdout)
    assert removed == {"removed": [listed["id"]]}
    assert codes(kept.run("db", "snapshot", "tiny", "demo", "--remove", "--json")) == ["reset.none"]
    assert "has no snapshot" in kept.run("db", "snapshot", "tiny").stdout
