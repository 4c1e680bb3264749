"""`env push`, `env pull` and `env sync` as a person runs them: a file, and a provider that can fail."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tests.drivers.places.contract import CONTRACTS
from tests.drivers.places.providers import Render
from tests.drivers.places.server import TOKEN, Fault, serving

from .conftest import make_world

SCHEMA = """
[env]
API_KEY = {secret = true}
MAIL_KEY = {secret = true}
GREETING = "hello"
"""
CANARY = "canary-sync-Zk3vQ9xW7mN5"
MAIL = "canary-mail-pR2tYb8LcD4f"


class Shop:
    """One app with two secrets and a plain value."""

    def __init__(self, world):
        self.world = world
        self.path = world.app("plain", like="plain")
        manifest = (self.path / "underway.toml").read_text()
        world.write(self.path, underway_dot_toml=manifest + SCHEMA)

    def run(self, *words, stdin="", **env):
        done = subprocess.run(
            [sys.executable, "-m", "underway", "env", *words, "--path", str(self.path)],
            input=stdin,
            env={**self.world.env, **env},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert CANARY not in done.stdout + done.stderr
        assert MAIL not in done.stdout + done.stderr
        assert TOKEN not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def run_in(self, script):
        """A shell line with the environment of the app."""
        words = [sys.executable, "-m", "underway", "env", "run", "--path", str(self.path), "--", "sh", "-c", script]
        return subprocess.run(words, env=self.world.env, capture_output=True, text=True, timeout=120, check=True)

    def told(self, *words, **env):
        done = self.run(*words, "--json", **env)
        return done.returncode, json.loads(done.stdout)

    def values(self):
        shown = json.loads(self.run("show", "--json").stdout)["variables"]
        return {each["name"]: each["from"] for each in shown if each["is_set"]}


@pytest.fixture(scope="module")
def shop():
    world = make_world()
    shop = Shop(world)
    assert shop.run("set", "API_KEY", stdin=CANARY).returncode == 0
    assert shop.run("set", "MAIL_KEY", stdin=MAIL).returncode == 0
    yield shop
    world.close()


def test_a_file_pushed_pulled_and_brought_together(shop):
    place, file = "file:deploy/.env", shop.path / "deploy/.env"
    file.parent.mkdir()
    file.write_text("# the keys of the shop\nAPI_KEY=old\n\nOTHER=stays\n")

    code, dry = shop.told("push", "--with", place, "--dry-run")
    assert (code, dry["done"]) == (0, None)
    assert dry["plan"]["set_there"] == ["API_KEY", "GREETING", "MAIL_KEY"]
    assert "API_KEY=old" in file.read_text()

    code, done = shop.told("push", "--with", place)
    assert (code, done["done"]["set_there"]) == (0, ["API_KEY", "GREETING", "MAIL_KEY"])
    text = file.read_text()
    assert text.startswith("# the keys of the shop\nAPI_KEY=")
    assert CANARY in text
    assert "OTHER=stays" in text
    assert file.stat().st_mode & 0o777 == 0o600
    assert "nothing to do" in shop.run("push", "--with", place).stdout

    refused = shop.run("push", "--with", place, "--prune")
    assert refused.returncode == 2
    assert "OTHER=stays" in file.read_text()
    assert shop.run("push", "--with", place, "--prune", "--yes").returncode == 0
    assert "OTHER" not in file.read_text()

    file.write_text(file.read_text().replace("GREETING=hello", "GREETING=changed-there"))
    code, done = shop.told("sync", "--with", place)
    assert (code, done["done"]["set_here"]) == (0, ["GREETING"])
    assert shop.values()["GREETING"] == "production (vault)"
    file.write_text(file.read_text().replace(CANARY, "there-1"))
    assert shop.run("set", "API_KEY", stdin=f"{CANARY}Q2").returncode == 0
    code, done = shop.told("sync", "--with", place)
    assert (code, done["plan"]["conflicts"]) == (3, ["API_KEY"])
    assert "there-1" in file.read_text()
    code, done = shop.told("pull", "--with", place)
    assert (code, done["done"]["set_here"]) == (0, ["API_KEY"])
    assert shop.run("set", "API_KEY", stdin=CANARY).returncode == 0


@pytest.mark.skipif(not CONTRACTS.is_dir(), reason="../shared/contracts is not here")
def test_a_provider_that_takes_some_limits_and_knows_no_token(shop):
    provider = Render()
    provider.bad_names = {"MAIL_KEY"}
    with serving(provider) as url:
        place = ("--with", "render:srv-abc123")
        no_token = shop.run("push", *place, RENDER_API_URL=url)
        assert no_token.returncode == 3
        assert "place.no-token" in no_token.stderr + no_token.stdout
        assert provider.seen == []

        given = {"RENDER_API_URL": url, "RENDER_API_KEY": TOKEN}
        code, done = shop.told("push", *place, **given)
        assert (code, done["done"]["set_there"]) == (4, ["API_KEY", "GREETING"])
        assert [each["name"] for each in done["done"]["failed"]] == ["MAIL_KEY"]
        again = shop.run("push", *place, **given)
        assert again.returncode == 4
        assert "not done: MAIL_KEY" in again.stdout

        provider.bad_names = set()
        provider.faults = [Fault(429, {"Retry-After": "1"}), Fault(503)]
        code, done = shop.told("push", *place, **given)
        assert (code, done["done"]["set_there"]) == (0, ["MAIL_KEY"])
        assert provider.state["API_KEY"] == CANARY
        assert "nothing to do" in shop.run("sync", *place, **given).stdout

        provider.state["LATER"] = "made there"
        code, done = shop.told("pull", *place, **given)
        assert (code, done["done"]["set_here"]) == (0, ["LATER"])
        assert shop.values()["LATER"] == "production (vault)"

        provider.token = "another"
        expired = shop.run("push", *place, **given)
        assert expired.returncode not in (0, 3, 4)
        assert "RENDER_API_KEY" in expired.stderr
    assert provider.violations == []


@pytest.mark.timeout(400)
def test_of_twenty_commands_that_set_at_once_none_is_lost(shop):
    command = [sys.executable, "-m", "underway", "env", "set", "--path", str(shop.path)]
    started = [
        subprocess.Popen(
            [*command, f"AT_ONCE_{number}"],
            env=shop.world.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(20)
    ]
    for number, each in enumerate(started):
        each.stdin.write(f"value {number}")
        each.stdin.close()
    for each in started:
        each.stdout.read()
        told = each.stderr.read()
        assert each.wait(timeout=300) == 0, told
    asked = 'for n in $(seq 0 19); do eval "echo \\$AT_ONCE_$n"; done'
    done = shop.run_in(asked)
    assert done.stdout.splitlines() == [f"value {number}" for number in range(20)]
