"""The journal on a real SQLite file."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from underway.drivers.clock.system import SystemClock
from underway.drivers.event_log.sqlite import SqliteEventLog
from underway.journal.events.acts import ActKind, ActStarted, Interrupted
from underway.journal.events.home import AgentStarted
from underway.journal.journal import Journal
from underway.journal.transitions import IllegalTransition
from underway.terms.problem import Failure
from underway.terms.route import LogOffset


def started(act="a1"):
    return ActStarted(app="shop", act=act, kind=ActKind.DEPLOY, release="r1", owner="", log_offset=LogOffset())


def note(act="a1"):
    return Interrupted(app="shop", act=act, goes_on=True, because="x")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


def open_at(path) -> Journal:
    return Journal(SqliteEventLog(path, SystemClock()))


def test_what_was_recorded_is_there_after_opening_again(path):
    open_at(path).record(started(), note())
    again = open_at(path)
    assert again.state("shop").act.id == "a1"
    assert [record.seq for record in again.read()] == [1, 2]


def test_a_batch_with_an_illegal_event_writes_nothing(path):
    journal = open_at(path)
    with pytest.raises(IllegalTransition):
        journal.record(started(), started("a2"))
    assert journal.read() == []
    assert journal.state("shop").act is None


def test_the_file_is_for_its_owner_only(path):
    open_at(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_newer_journal_is_refused_with_its_reason(path):
    open_at(path)
    sqlite3.connect(path).execute("PRAGMA user_version=99")
    with pytest.raises(Failure) as caught:
        open_at(path)
    assert caught.value.problem.code == "journal.newer"


def test_a_folder_that_is_not_there_is_a_located_problem(tmp_path):
    with pytest.raises(Failure) as caught:
        open_at(tmp_path / "none" / "journal.db")
    assert caught.value.problem.code == "journal.unwritable"
    assert "none/journal.db" in caught.value.problem.where


def test_readers_choose_by_app_act_and_number(path):
    journal = open_at(path)
    journal.record(AgentStarted(app="", version="1", pid=1), started(), note())
    assert [r.seq for r in journal.read(app="shop")] == [2, 3]
    assert [r.seq for r in journal.read(act="a1", after=2)] == [3]
    assert [r.seq for r in journal.read(limit=1)] == [3]


def test_a_follower_sees_the_past_and_then_what_is_recorded(path):
    journal = open_at(path)
    journal.record(started())

    async def follow():
        seen = []
        async for record in journal.follow(0, "shop"):
            seen.append(record.seq)
            if len(seen) == 2:
                break
            journal.record(note())
        return seen

    assert asyncio.run(asyncio.wait_for(follow(), 5)) == [1, 2]


def test_kill_9_loses_no_event_that_was_acknowledged(path):
    """The writer prints a number only after `record` returned; every printed one must be in the file."""
    writer = (
        "import itertools\n"
        "from underway.drivers.clock.system import SystemClock\n"
        "from underway.drivers.event_log.sqlite import SqliteEventLog\n"
        f"log = SqliteEventLog(__import__('pathlib').Path({str(path)!r}), SystemClock())\n"
        "for n in itertools.count():\n"
        "    print(log.append([('shop', '', b'x')])[0].seq, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", writer], stdout=subprocess.PIPE, text=True)
    acknowledged = [int(process.stdout.readline()) for _ in range(40)]
    os.kill(process.pid, signal.SIGKILL)
    acknowledged += [int(line) for line in process.stdout.read().split()]
    process.wait()
    stored = [line.seq for line in SqliteEventLog(path, SystemClock()).read()]
    assert stored[: len(acknowledged)] == acknowledged
    assert stored == list(range(1, len(stored) + 1))
