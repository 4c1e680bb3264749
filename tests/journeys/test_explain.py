"""What is kept of a release, and how it is told again."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import pytest

from underway.load.strict import StrictLoad

from .conftest import make_world, wait_until

CANARY = '\n[release]\nstrategy = "canary"\nsteps = [20, 50]\nwatch = "200ms"\ndrain = "1s"\nwarm_up = 1\n'


@pytest.fixture(scope="module")
def judged():
    """A home in which `plain` runs, and a release of it that fails half of its requests was taken back."""
    world = make_world()
    path = world.app("plain", like="plain", MODE="none", VERSION="1")
    manifest = (path / "underway.toml").read_text().partition("\n[release]")[0]
    world.write(path, underway_dot_toml=manifest + CANARY)
    world.first = world.deploy(path)
    assert world.first["outcome"] == "live", world.first["problems"] or world.first["because"]

    async def load():
        async with StrictLoad(world.port, "plain.localhost", clients=6, pause_s=0.05) as load:
            await load.reaches(60)
            world.write(path, MODE="currency", VERSION="2")
            world.bad = await asyncio.to_thread(world.deploy, path)
        return load.tally

    world.tally = asyncio.run(load())
    yield world
    world.close()


def test_the_verdict_names_requests_errors_and_users(judged):
    because = judged.bad["because"]
    assert judged.bad["outcome"] == "rolled_back"
    assert f"requests failed on {judged.bad['release']}" in because
    assert "less than once in 200 rollouts" in because
    assert "× KeyError: 'currency' (server.py:" in because
    assert "Users touched: 1." in because, "all clients come from one address, without cookies"
    assert "Unexpected" not in because


def test_the_end_counts_what_the_clients_saw(judged):
    assert judged.bad["requests"]["failed"] == judged.tally.failures
    assert judged.bad["traffic"][judged.bad["release"]]["failed"] == judged.tally.failures


def test_explain_counts_and_judges_again(judged, tmp_path):
    png, svg = tmp_path / "a.png", tmp_path / "a.svg"
    done = judged.run("explain", "plain", "--picture", png)
    assert done.returncode == 0, done.stderr
    assert "Counted again in the access log" in done.stdout
    assert "the same numbers" in done.stdout
    assert "asked again about the evidence it had, says the same" in done.stdout
    assert png.read_bytes().startswith(b"\x89PNG")
    found = json.loads(judged.run("explain", "plain", judged.bad["release"], "--json", "--picture", svg).stdout)
    assert svg.read_text().startswith("<svg")
    record = found["record"]
    assert found["again"]["agrees"]
    assert found["recount"]["agrees"]
    assert record["candidate"]["failed"] > 0
    assert record["candidate"]["memory_last_bytes"] > 1_000_000
    assert record["new_errors"][0]["error"]["kind"] == "KeyError"
    assert record["moments"]
    assert max(moment[-1][0] for moment in record["moments"]) >= record["needed"][0], (
        "its evidence reached what it needed"
    )


def test_a_record_that_was_tampered_with_is_told(judged):
    """The recount is no echo of the record: with a line more in the log the numbers differ."""
    log = judged.home / "proxy" / "access.log"
    lines = log.read_bytes()
    wanted = f'"release":"{judged.bad["release"]}"'.encode()
    at = lines.index(b'"status":500', lines.index(wanted) - 2_000)
    try:
        log.write_bytes(lines[:at] + b'"status":200' + lines[at + 12 :])
        found = json.loads(judged.run("explain", "plain", "--json").stdout)
        assert not found["recount"]["agrees"]
    finally:
        log.write_bytes(lines)


def test_releases_show_the_evidence(judged):
    shown = " ".join(judged.run("releases", "plain").stdout.split())
    assert "KeyError: 'currency'" in shown
    assert "failed" in shown
    newest = json.loads(judged.run("releases", "plain", "--json").stdout)[0]
    assert newest["has_evidence"]
    assert newest["traffic"]["users_touched"] == 1
    assert newest["new_errors"][0]["times"] >= 3


def test_what_cannot_be_explained_says_why(judged, tmp_path):
    for words, code in (
        (("explain", "plain", "nothing"), "release.unknown"),
        (("explain", "plain", "--picture", tmp_path / "a.gif"), "picture.kind"),
        (("explain", "plain", "--picture", tmp_path / "none" / "a.svg"), "picture.file"),
        (("explain", "nobody"), "app.unknown"),
        (("explain", "plain", "../../x"), "release.unknown"),
    ):
        done = judged.run(*words)
        assert done.returncode == 3, words
        assert code in done.stderr, words


def test_counts_survive_an_agent_that_is_killed_again_and_again(judged):
    def total():
        return sum(it["served"] + it["failed"] for it in judged.status("plain")["traffic"].values())

    async def load():
        async with StrictLoad(judged.port, "plain.localhost", clients=4, pause_s=0.02) as load:
            for _ in range(3):
                await load.reaches(60)
                judged.run("status", "plain")  # starts the agent when there is none
                os.kill(await asyncio.to_thread(judged.agent_pid), signal.SIGKILL)
        return load.tally

    before = total()
    tally = asyncio.run(load())
    answered = tally.served + tally.failures
    wait_until(lambda: total() - before >= answered, 20)
    assert total() - before == answered, "every answer counted once"
