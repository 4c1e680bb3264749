"""Whatever makes a backup worthless is told: as an event, as an alert, and to whoever looks.

One test for each way in which backups fail elsewhere and nobody hears of it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from underway.agent.rounds import Rounds
from underway.agent.works import Works
from underway.drivers.backups.keys import AgeSeals
from underway.wiring.drivers import make_drivers, open_journal
from underway.wiring.home import find_home

from .bucket import WORD, closed_port, s3, settings
from .world import make_world, wait_until

NEVER = 'every = "0s"\ndrill = "0s"'


def backed_up(world, keys: str) -> None:
    """Deploy the app with these keys under [backup]."""
    path = world.app() / "underway.toml"
    text = path.read_text().partition("\n[backup]")[0]
    path.write_text(f"{text}\n[backup]\n{keys}\n")
    assert world.deploy(world.app())["outcome"] == "live"


@pytest.fixture(scope="module")
def home():
    """A home with the app `tiny`, whose backups are made when a test asks for them."""
    world = make_world()
    backed_up(world, NEVER)
    world.ask("/notes", method="POST", body="a note")
    yield world
    world.close()


@pytest.fixture
def watched(home):
    """The home, with `told` to look up events from here on."""
    since = home.events()[-1]["seq"]

    def told(kind: str, **wanted):
        found = [it for it in home.events() if it["seq"] > since and it["event"] == kind]
        return next((it for it in found if all(it.get(name) == value for name, value in wanted.items())), None)

    home.told = told
    return home


def made(world) -> tuple[str, Path]:
    """A new backup: its id, and its folder."""
    done = world.run("db", "backup", "tiny", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    backup_id = json.loads(done.stdout)["id"]
    return backup_id, world.home / "apps/tiny/backups" / backup_id


def backups(world) -> dict:
    return json.loads(world.run("db", "backups", "tiny", "--json").stdout)


def rewritten(folder: Path, **changes) -> None:
    """The manifest with other values for its first part: what somebody who meddles with files would leave."""
    manifest = json.loads((folder / "backup.json").read_text())
    manifest["parts"][0].update(changes)
    (folder / "backup.json").write_text(json.dumps(manifest))


def is_told(world, *words: str, what: str, code: str, backup: str = "") -> dict:
    """Run the command, which must fail; its problem must be an event, an alert, and in `status`. Return the problem."""
    done = world.run("db", *words, "--json")
    assert done.returncode == 4, done.stdout + done.stderr
    event = world.told("backup_failed", what=what)
    assert event, world.events()[-5:]
    assert event["problem"]["code"] == code
    if backup:
        assert event["backup"] == backup
    alert = world.told("alert_raised", key=what)
    assert alert
    assert alert["problem"]["code"] == code
    assert any(alert["problem"]["why"] in trouble for trouble in world.status()["troubles"])
    return alert["problem"]


def is_damaged(world, backup_id: str, why: str) -> None:
    assert world.told("backup_found_damaged", backup=backup_id)
    listed = next(it for it in backups(world)["backups"] if it["id"] == backup_id)
    assert listed["condition"] == "damaged"
    assert why in listed["damage"]
    refused = world.run("db", "restore", "tiny", backup_id, "--yes", "--json")
    assert refused.returncode == 3


def test_an_empty_file(watched):
    backup_id, folder = made(watched)
    (folder / "database.dump").write_bytes(b"")
    found = backups(watched)  # nobody has to ask for a check
    assert found["standing"] == "damaged"
    wait_until(lambda: watched.told("alert_raised", key="backups"), 60)  # by the agent's next round
    is_told(watched, "verify", "tiny", backup_id, what="verify", code="backup.damaged", backup=backup_id)
    is_damaged(watched, backup_id, "empty")


def test_a_file_that_is_cut_short(watched):
    backup_id, folder = made(watched)
    whole = (folder / "database.dump").read_bytes()
    (folder / "database.dump").write_bytes(whole[: len(whole) // 2])
    is_told(watched, "drill", "tiny", backup_id, what="drill", code="backup.damaged", backup=backup_id)
    is_damaged(watched, backup_id, "bytes and should have")


def test_a_file_that_is_cut_short_under_a_manifest_that_agrees(watched):
    backup_id, folder = made(watched)
    half = (folder / "database.dump").read_bytes()[:-200]
    (folder / "database.dump").write_bytes(half)
    rewritten(folder, size_bytes=len(half), sha256=hashlib.sha256(half).hexdigest())
    is_told(watched, "drill", "tiny", backup_id, what="drill", code="backup.damaged", backup=backup_id)
    is_damaged(watched, backup_id, "cut short")


def test_a_wrong_extension(watched):
    backup_id, folder = made(watched)
    text = b"-- PostgreSQL database dump\nCREATE TABLE notes ();\n"
    (folder / "database.dump").write_bytes(text)
    rewritten(folder, size_bytes=len(text), sha256=hashlib.sha256(text).hexdigest())
    problem = is_told(watched, "drill", "tiny", backup_id, what="drill", code="backup.not-a-dump", backup=backup_id)
    assert "SQL text" in problem["why"]
    is_damaged(watched, backup_id, "SQL text")


def test_a_server_version_that_is_too_new(watched):
    backup_id, folder = made(watched)
    rewritten(folder, server_version="99.1")
    problem = is_told(watched, "drill", "tiny", backup_id, what="drill", code="backup.server-newer", backup=backup_id)
    assert "99.1" in problem["why"]
    assert problem["command"] == "apt-get install postgresql-99"
    assert watched.run("db", "verify", "tiny", backup_id).returncode == 4


def test_a_full_disk(watched):
    if os.geteuid():
        pytest.skip("only root mounts a small disk")
    watched.ask("/notes", method="POST", body=os.urandom(50_000).hex())
    folder = watched.home / "apps/tiny/backups"
    before = len(backups(watched)["backups"])
    aside = folder.rename(folder.with_name("backups-aside"))
    folder.mkdir(mode=0o700)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder], check=False).returncode:
        aside.rename(folder)
        pytest.skip("no file system can be mounted here")
    try:
        is_told(watched, "backup", "tiny", what="backup", code="backup.disk-full")
        assert backups(watched)["backups"] == []
        assert list(folder.iterdir()) == []
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()
        aside.rename(folder)
    assert len(backups(watched)["backups"]) == before
    made(watched)
    assert watched.told("alert_cleared", key="backup")


def test_a_bucket_that_is_unreachable_and_comes_back(watched, tmp_path):
    port = closed_port()
    (tmp_path / "shop-backups").mkdir()
    for name, value in settings(port).items():
        (tmp_path / name).write_text(value)
        words = ("--force", "--app", "tiny", "--path", watched.app())  # "s3" is short for a secret
        kept = watched.run("env", "set", name, "--from-file", tmp_path / name, *words)
        assert kept.returncode == 0, kept.stderr
    backed_up(watched, 'every = "30s"\ndrill = "0s"\nremotes = ["offsite:shop-backups"]')
    failed = wait_until(lambda: watched.told("backup_failed", what="copy"), 60)
    assert failed["problem"]["code"] == "remote.unreachable"
    assert watched.told("alert_raised", key="copy offsite:shop-backups")
    with s3(tmp_path, port):
        wait_until(lambda: watched.told("alert_cleared", key="copy offsite:shop-backups"), 90)
        newest = next(it for it in backups(watched)["backups"] if it["copies"])
        assert newest["copies"] == ["offsite:shop-backups"]
        folder = watched.home / "apps/tiny/backups" / newest["id"]
        gone = {path.name: path.read_bytes() for path in folder.iterdir()}
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        assert watched.run("db", "fetch", "tiny", newest["id"]).returncode == 0
        assert (folder / "database.dump").read_bytes() == gone["database.dump"]
        assert watched.run("db", "drill", "tiny", newest["id"]).returncode == 0
    assert WORD not in json.dumps(watched.events()) + (watched.home / "agent.log").read_text()


def test_a_wrong_key(watched, tmp_path):
    seals = AgeSeals()
    ours, other = seals.new_identity(), seals.new_identity()
    for name, identity in (("ours", ours), ("other", other)):
        (tmp_path / name).write_text(f"# a key\n{identity.reveal()}\n")
    backed_up(watched, f'{NEVER}\nrecipients = ["{seals.recipient_of(ours)}"]')
    backup_id, folder = made(watched)
    assert [path.name for path in folder.glob("*.age")] == ["database.dump.age"]
    wrong = ("drill", "tiny", backup_id, "--identity", str(tmp_path / "other"))
    is_told(watched, *wrong, what="drill", code="backup.key", backup=backup_id)
    listed = next(it for it in backups(watched)["backups"] if it["id"] == backup_id)
    assert listed["condition"] == "unproven"  # it is the key that is wrong, not the backup
    assert watched.run("db", "drill", "tiny", backup_id, "--identity", str(tmp_path / "ours")).returncode == 0
    assert watched.run("db", "drill", "tiny", backup_id).returncode == 0  # with the key that is kept for drills
    assert watched.told("alert_cleared", key="drill")
    log = (watched.home / "agent.log").read_text()
    assert "AGE-SECRET-KEY" not in log + json.dumps(watched.events())


class Turned:
    """A clock that is set back by two hours in the first pause, and ends the rounds in the second."""

    def __init__(self) -> None:
        self.by_s, self.pauses = 0.0, 0

    def now(self) -> float:
        return time.time() + self.by_s

    def monotonic(self) -> float:
        return time.monotonic()

    def entropy(self) -> int:
        return 7

    async def sleep(self, seconds: float) -> None:
        self.pauses += 1
        self.by_s = -7200.0


def test_a_clock_that_was_set_back(watched):
    made(watched)
    assert watched.run("agent", "stop").returncode == 0
    clock = Turned()
    place = find_home(watched.env)
    on = dataclasses.replace(make_drivers(place, watched.env, lambda ended: None), clock=clock)
    journal = open_journal(place)
    rounds = Rounds(on, journal, Works(clock, lambda: "w1"), lambda: clock.pauses >= 2)
    asyncio.run(rounds.go())
    jumped = watched.told("clock_jumped")
    assert -7260 < jumped["by_s"] < -7140
    alert = watched.told("alert_raised", key="clock")
    assert alert["problem"]["code"] == "clock.jumped"
    assert "set back by 2 hours" in alert["problem"]["why"]
    assert watched.told("alert_raised", key="backups")["problem"]["code"] == "backup.late"  # one is from the future
    assert any("set back" in trouble for trouble in watched.status()["troubles"])
    made(watched)
    assert watched.told("alert_cleared", key="clock")


def test_a_schedule_that_did_not_run(watched):
    backed_up(watched, 'every = "2s"\ndrill = "0s"')
    last = wait_until(lambda: watched.told("backup_made"), 60)["at"]
    os.kill(watched.agent_pid(), signal.SIGKILL)
    wait_until(lambda: time.time() > last + 6, 60)  # three turns in which nothing runs
    missed = wait_until(lambda: watched.told("schedule_missed", what="backup"), 60)
    assert missed["overdue_s"] > 1
    alert = watched.told("alert_raised", key="backup missed")
    assert alert["problem"]["code"] == "schedule.missed"
    wait_until(lambda: watched.told("alert_cleared", key="backup missed"), 60)  # it runs again


@pytest.mark.slow
def test_a_drill_that_did_not_run(watched):
    """The same turn as a backup's, with its own event and alert."""
    made(watched)
    backed_up(watched, 'every = "0s"\ndrill = "2s"')
    wait_until(lambda: watched.told("backup_proven"), 90)
    last = time.time()
    os.kill(watched.agent_pid(), signal.SIGKILL)
    wait_until(lambda: time.time() > last + 8, 60)
    missed = wait_until(lambda: watched.told("schedule_missed", what="drill"), 90)
    assert missed["overdue_s"] > 1
    assert watched.told("alert_raised", key="drill missed")["problem"]["code"] == "schedule.missed"
    wait_until(lambda: watched.told("alert_cleared", key="drill missed"), 90)
