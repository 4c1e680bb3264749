"""Whether the release before runs on a new schema is seen before the database is touched, and a rollback does what
was said."""

from __future__ import annotations

import json

import pytest

from .test_learning import lay_out

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PASSWORD = "four-green-frogs-sing"
JOURNEY = """
[[journey]]
name = "a family signs up"
[[journey.steps]]
path = "/api/register"
method = "POST"
json = {email = "probe-${unique}@example.com", password = "four-green-frogs-sing"}
keep = {csrf = "json:csrf"}
expect = "201"
[[journey.steps]]
path = "/api/children"
method = "POST"
headers = {X-CSRF-Token = "${csrf}"}
json = {name = "Ada", avatar = "fox"}
expect = "201"
"""
HASTE = '\n[release]\nwatch = "500ms"\nstrategy = "blue-green"\n'


@pytest.fixture(scope="module")
def first(shared_world):
    """A home in which 1.0.0 of Letter Meadow is live, with a journey; its release."""
    done = shared_world.deploy(source(shared_world), timeout=170)
    assert done["outcome"] == "live", done
    return done["release"]


def source(world, patch=None):
    path = lay_out(world, patch)
    assert world.run("init", path).returncode == 0
    manifest = path / "underway.toml"
    text = manifest.read_text()
    manifest.write_text(text + JOURNEY + ("" if "[release]" in text else HASTE))
    return path


def rehearsed(done):
    (event,) = [event for event in done["events"] if event["event"] == "rehearsed"]
    return event["rehearsal"]


def register(world, name):
    body = json.dumps({"email": f"{name}@example.com", "password": PASSWORD})
    return world.ask(
        "/api/register", app="learning", method="POST", body=body, headers={"Content-Type": "application/json"}
    ).status


def test_a_migration_that_adds_leaves_a_way_back_by_code_alone(shared_world, first):
    done = shared_world.deploy(source(shared_world, "0002-nickname.patch"), timeout=170)
    assert done["outcome"] == "live", done
    old_code = rehearsed(done)["old_code"]
    assert (old_code["release"], old_code["runs"]) == (first, "yes")
    assert "a family signs up" in old_code["because"]

    back = shared_world.run("rollback", "learning", "--json")

    assert back.returncode == 0, back.stdout + back.stderr
    planned = [json.loads(line) for line in back.stdout.splitlines() if '"planned"' in line]
    assert f"{first} runs on its schema" in planned[0]["notes"][0]
    assert shared_world.ask("/api/version", app="learning").json()["version"] == "1.0.0"
    assert register(shared_world, "after-the-way-back") == 201


def test_a_migration_that_renames_is_stopped_then_marked_and_the_way_back_needs_the_data(shared_world, first):
    path = source(shared_world, "0002-portrait.patch")
    # the database of this home carries 0002n by now: the renaming follows it
    version = path / "migrations/versions/0002_portrait.py"
    version.write_text(version.read_text().replace('"0001"', '"0002n"'))
    nickname = shared_world.root / "nickname.py"
    nickname.write_text(
        'from alembic import op\nrevision, down_revision = "0002n", "0001"\ndef upgrade():\n'
        "    op.execute(\"alter table children add column nickname text not null default ''\")\n"
    )
    (path / "migrations/versions/0002_nickname.py").write_text(nickname.read_text())

    stopped = shared_world.deploy(path, timeout=170)
    assert (stopped["outcome"], stopped["exit_code"]) == ("failed", 4)
    assert [problem["code"] for problem in stopped["problems"]] == ["migrate.hazard"]
    assert register(shared_world, "still-well") == 201

    done = shared_world.deploy(path, "--allow", "contract", timeout=170)
    assert done["outcome"] == "live", done
    old_code = rehearsed(done)["old_code"]
    assert (old_code["release"], old_code["runs"]) == (first, "no")
    assert "/api/children" in old_code["because"]
    assert register(shared_world, "lost-on-the-way-back") == 201

    refused = shared_world.run("rollback", "learning", "--to", first, "--json")
    assert refused.returncode == 3
    (problem,) = json.loads(refused.stdout.splitlines()[-1])["problems"]
    assert problem["code"] == "rollback.schema"
    assert f"{first} does not run on the database as it is now" in problem["why"]
    assert f"backup {done['release']}" in problem["why"]
    assert "parents 2" in problem["why"], "a family and the probe of the release signed up since"
    assert shared_world.ask("/api/version", app="learning").json()["version"] == "2.0.0"
    listed = json.loads(shared_world.run("releases", "learning", "--json").stdout)
    assert {it["id"]: it["runs_now"]["runs"] for it in listed if it["id"] in (first, done["release"])} == {
        first: "no",
        done["release"]: "yes",
    }

    words = ("--to", first, "--restore", done["release"], "--json")
    back = shared_world.run("rollback", "learning", *words, timeout=170)

    assert back.returncode == 0, back.stdout[-3000:] + back.stderr
    assert shared_world.ask("/api/version", app="learning").json()["version"] == "1.0.0"
    assert register(shared_world, "still-well") == 409, "what was there before the migration is there again"
    assert register(shared_world, "lost-on-the-way-back") == 201, "what came after it is not"
