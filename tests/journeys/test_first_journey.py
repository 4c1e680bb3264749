"""From nothing to live, to a better release, over broken ones, and back, as a user does it."""

from __future__ import annotations

import json

from .conftest import wait_until


def test_the_whole_story(world):
    path = world.app()
    first = world.deploy(path)
    assert (first["outcome"], first["exit_code"]) == ("live", 0)
    assert first["url"] == f"http://tiny.localhost:{world.port}"
    assert world.ask("/").json()["version"] == "1"
    assert world.ask("/notes", method="POST", body="kept").status == 201

    world.write(path, VERSION="2", migrations__0002_more_dot_sql="ALTER TABLE notes ADD COLUMN stars int;")
    second = world.deploy(path)
    assert second["outcome"] == "live"
    assert {"back_up", "migrate"} <= {step["id"] for step in second["steps"]}
    assert world.ask("/").json()["release"] == second["release"]

    world.write(path, VERSION="3", MODE="unhealthy")
    broken = world.deploy(path)
    assert (broken["outcome"], broken["exit_code"]) == ("failed", 4)
    assert broken["live"] == second["release"]
    assert world.ask("/").json()["version"] == "2"

    back = world.run("rollback", "tiny", "--json")
    assert back.returncode == 0
    assert world.ask("/").json()["version"] == "1"
    assert world.ask("/notes").json()["ids"] == [1]

    down = world.run("down", "tiny", "--yes")
    assert down.returncode == 0
    assert world.ask("/").status == 404
    again = world.deploy(path=world.app(MODE="good", VERSION="4"))
    assert again["outcome"] == "live"
    assert world.ask("/notes").json()["ids"] == [1]


def test_a_release_that_dies_after_the_switch_is_taken_back(world):
    path = world.app()
    first = world.deploy(path)
    manifest = (path / "underway.toml").read_text().replace('watch = "500ms"', 'watch = "5s"')
    world.write(path, MODE="dies-later", VERSION="2", underway_dot_toml=manifest)
    second = world.deploy(path)
    assert (second["outcome"], second["exit_code"]) == ("rolled_back", 5)
    assert "exit code 7" in second["because"]
    assert second["live"] == first["release"]
    assert world.ask("/").json()["version"] == "1"
    instances = world.status()["instances"]
    assert {i["release"] for i in instances} == {first["release"]}
    assert sorted(i["process"] for i in instances) == ["web", "worker"]


def test_workers_run_in_one_version_only(world):
    path = world.app()
    world.deploy(path)
    second = world.deploy(world.app(VERSION="2"))
    workers = [i for i in world.status()["instances"] if i["process"] == "worker"]
    assert [i["release"] for i in workers] == [second["release"]]
    world.run("rollback", "tiny")
    workers = [i for i in world.status()["instances"] if i["process"] == "worker"]
    assert [i["release"] for i in workers] != [second["release"]]


def test_what_a_person_reads(world):
    path = world.app()
    dry = world.run("deploy", path, "--dry-run")
    assert dry.returncode == 0
    assert "Nothing was changed" in dry.stdout
    assert "app.unknown" in world.run("status", "tiny").stderr

    live = world.run("deploy", path)
    assert live.returncode == 0, live.stderr
    assert "Live" in live.stdout
    assert f"http://tiny.localhost:{world.port}" in live.stdout
    assert "requests served, 0 failed" in live.stdout
    assert "\x1b" not in live.stdout

    world.write(path, MODE="dies")
    dead = world.run("deploy", path)
    assert dead.returncode == 4
    assert "no setting KEY was found" in dead.stdout
    assert "health.died" in dead.stdout

    assert "tiny" in world.run("status").stdout
    assert "failed" in world.run("releases", "tiny").stdout
    assert "worker of" in world.run("logs", "tiny", "--process", "worker").stdout
    assert "finished" in world.run("events", "tiny").stdout


def test_the_agent_can_die_and_nothing_restarts(world):
    world.deploy(world.app())
    before = {i["id"]: i["pid"] for i in world.status()["instances"]}
    pid = world.agent_pid()
    import os
    import signal

    os.kill(pid, signal.SIGKILL)
    assert world.ask("/").status == 200
    after = {i["id"]: i["pid"] for i in world.status()["instances"]}
    assert after == before
    assert world.agent_pid() != pid


def test_everything_stopped_comes_back_with_the_next_agent(world):
    world.deploy(world.app())
    world.run("agent", "stop", "--all", "--yes")
    assert world.processes() == []
    world.run("agent", "start")
    wait_until(lambda: _answers(world), 10)
    assert world.ask("/").json()["version"] == "1"


def _answers(world):
    try:
        return world.ask("/health").status == 200
    except OSError:
        return False


def test_a_warm_release_is_retired_when_its_time_is_over(world):
    path = world.app()
    manifest = (path / "underway.toml").read_text() + 'keep_warm = "2s"\n'
    world.write(path, underway_dot_toml=manifest)
    first = world.deploy(path)
    second = world.deploy(world.app(VERSION="2"))
    wait_until(lambda: not world.status()["warm"], 60)
    at = {(e["event"], e.get("kind", "")): e["at"] for e in world.events()}
    assert at["act_started", "retire"] - at["traffic_switched", ""] >= 2.0
    assert {i["release"] for i in world.status()["instances"]} == {second["release"]}
    back = world.run("rollback", "tiny", "--json")
    events = [json.loads(line) for line in back.stdout.splitlines()]
    assert events[-1]["outcome"] == "live"
    assert "health" in {step["id"] for step in events[-1]["steps"]}
    assert world.ask("/").json()["release"] == first["release"]


def test_a_maintenance_page_stays_through_a_deploy_until_it_is_turned_off(world):
    world.deploy(world.app())
    assert world.run("maintenance", "tiny").returncode == 0
    page = world.ask("/")
    assert (page.status, page.headers["Retry-After"] is not None) == (503, True)
    assert world.deploy(world.app(VERSION="2"))["outcome"] == "live"
    assert world.ask("/").status == 503
    assert "maintenance" in world.run("status", "tiny").stdout
    world.run("maintenance", "tiny", "--off")
    assert world.ask("/").json()["version"] == "2"
