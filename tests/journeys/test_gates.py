"""A release that smoke requests, people and the hour let go on, or do not."""

from __future__ import annotations

import threading

import pytest

from . import bad
from .conftest import make_world, wait_until

SMOKE = """
[[smoke]]
name = "the front page"
path = "/"
expect = {text = ["%s"]}
"""


@pytest.fixture(scope="module")
def world():
    world = make_world()
    done = world.deploy(bad.patient(bad.plain(world, VERSION="1")))
    assert done["outcome"] == "live", done
    yield world
    world.close()


def plain(world, more="", release="", **changes):
    """The app with keys of `[release]`, and tables after them."""
    path = bad.plain(world, **changes)
    manifest = path / "underway.toml"
    text = (bad.APPS / "plain" / "underway.toml").read_text()
    manifest.write_text(text.replace('strategy = "blue-green"', release or 'strategy = "blue-green"') + more)
    return bad.patient(path)


class Deploying:
    """A deploy that goes on in the background."""

    def __init__(self, world, path):
        self.result = {}
        self._thread = threading.Thread(target=lambda: self.result.update(world.deploy(path)))
        self._thread.start()

    def end(self):
        self._thread.join(60)
        return self.result


def paused(world):
    act = world.status("plain")["act"]
    return (act or {}).get("rollout") and act["rollout"]["paused"]


def answers(world, **headers):
    return world.ask(app="plain", headers=headers).text.split()[0]


def test_a_smoke_that_fails_refuses_the_switch_and_says_what_came(world):
    before = answers(world)
    done = world.deploy(plain(world, SMOKE % "welcome", VERSION="wrong"))
    assert (done["outcome"], done["exit_code"]) == ("failed", 4)
    assert 'the front page: the text "welcome" is not in the body' in done["problems"][0]["why"]
    assert any("body: wrong" in line for e in done["events"] for line in e.get("log_tail", ()))
    assert answers(world) == before
    good = world.deploy(plain(world, SMOKE % "right", VERSION="right"))
    assert good["outcome"] == "live", good
    made = next(e for e in good["events"] if e["event"] == "probes_made")
    assert (made["release"], made["passed"]) == (good["release"], 1)


def test_a_dark_release_is_seen_by_who_asks_for_it_until_somebody_lets_it_go_on(world):
    before = answers(world)
    keys = 'strategy = "canary"\nsteps = [0]\nstep_time = "0s"'
    deploying = Deploying(world, plain(world, release=keys, VERSION="dark"))
    waits_for = wait_until(lambda: paused(world), 30)
    assert "a person who has looked at it: underway release advance plain" in waits_for
    assert answers(world, **{"X-Underway-Release": "candidate"}) == "dark"
    link = world.ask("/?underway_release=candidate", app="plain")
    cookie = link.headers["Set-Cookie"].partition(";")[0]
    assert answers(world, Cookie=cookie) == "dark"
    assert {answers(world) for _ in range(20)} == {before}
    assert world.run("release", "advance", "plain").returncode == 0
    assert deploying.end()["outcome"] == "live"
    assert answers(world) == "dark"


def test_smokes_let_a_dark_release_go_on(world):
    keys = 'strategy = "canary"\nsteps = [0]\nstep_time = "0s"'
    done = world.deploy(plain(world, SMOKE % "lit", release=keys, VERSION="lit"))
    assert done["outcome"] == "live", done
    assert answers(world) == "lit"


def test_only_who_was_named_approves(world):
    before = answers(world)
    keys = 'strategy = "blue-green"\napprove = {by = ["ana"]}'
    deploying = Deploying(world, plain(world, release=keys, VERSION="approved"))
    wait_until(lambda: world.status("plain")["act"] and world.status("plain")["act"]["rollout"], 30)
    for words in (("advance", "plain", "--as", "ben"), ("promote", "plain")):
        refused = world.run("release", *words)
        assert refused.returncode == 3
        assert "release.not-yours" in refused.stderr
        assert "the approval of ana" in refused.stderr
    assert answers(world) == before
    assert world.run("release", "advance", "plain", "--as", "ana").returncode == 0
    done = deploying.end()
    assert done["outcome"] == "live"
    assert "ana let it go live" in done["because"] or any("ana" in str(e) for e in done["events"])


def test_a_release_waits_for_its_window_and_can_be_taken_back_meanwhile(world):
    from datetime import UTC, datetime, timedelta

    before = answers(world)
    closed = (datetime.now(UTC) + timedelta(days=3)).strftime("%a")
    keys = f'strategy = "canary"\nsteps = [50]\nwindows = {{allow = ["{closed}"]}}'
    deploying = Deploying(world, plain(world, release=keys, VERSION="early"))
    waits_for = wait_until(lambda: paused(world), 30)
    assert waits_for.startswith(f"{closed} 00:00 (UTC), when the release may go on, in ")
    assert {answers(world) for _ in range(20)} == {before}
    assert world.run("release", "abort", "plain").returncode == 0
    done = deploying.end()
    assert done["outcome"] in ("rolled_back", "failed")
    assert "ordered it back" in done["because"]
    assert answers(world) == before
