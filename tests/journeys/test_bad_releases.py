"""Releases that cannot be built, migrated, started or trusted: traffic stays where it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from .bad import failed, free_port, nothing_left, plain, refused, running
from .world import wait_until

QUICK = ('timeout = "3s"', 'timeout = "800ms"')


def mode(world, name, *, quick=True):
    """The app with something wrong in it."""
    path = plain(world, MODE=name)
    if quick:
        manifest = (path / "underway.toml").read_text()
        world.write(path, underway_dot_toml=manifest.replace(*QUICK))
    return path


def test_a_build_that_fails_says_the_reason_first(steady):
    commands = 'commands = ["echo fine", "echo \'ERROR: no module named shop\' >&2; exit 3"]'
    told, tail = failed(steady.deploy(plain(steady, f"\n[build]\n{commands}\n")), "build.command")
    assert told["why"] == "ERROR: no module named shop (exit code 3)"
    assert any("no module named shop" in line for line in tail)
    assert "ERROR: no module named shop" in Path(told["command"].removeprefix("cat ")).read_text()


def test_a_build_that_hangs_is_ended_with_all_it_started(steady):
    commands = 'timeout = "1s"\ncommands = ["(trap \'\' TERM; sleep 301) & sleep 302"]'
    before = running(steady)
    told, _ = failed(steady.deploy(plain(steady, f"\n[build]\n{commands}\n")), "build.timeout")
    assert "within its 1 s" in told["why"]
    nothing_left(steady, before)


def test_a_migration_that_fails_names_its_backup(served):
    before = served.ask(app="plain").text
    extra = '\n[services]\npostgres = true\n[migrate]\ncommand = "echo step 1; exit {code}"\nrehearse = "{rehearse}"\n'
    assert served.deploy(plain(served, extra.format(code=0, rehearse="auto"), name="kept"))["outcome"] == "live"
    live = served.ask(app="kept").text
    told, tail = failed(
        served.deploy(plain(served, extra.format(code=9, rehearse="auto"), name="kept")), "rehearse.failed"
    )
    assert "exit code 9; the database itself was not touched" in told["why"]
    assert tail == ["step 1"]
    told, tail = failed(
        served.deploy(plain(served, extra.format(code=9, rehearse="never"), name="kept")), "migrate.failed"
    )
    assert "exit code 9" in told["why"]
    backup = told["why"].partition("; backup ")[2].split()[0]
    assert (served.home / "apps/kept/backups" / backup / "database.dump").stat().st_size > 0
    assert tail == ["step 1"]
    assert served.ask(app="kept").text == live
    assert served.ask(app="plain").text == before
    shown = served.run("logs", "kept", "--process", "migrate").stdout
    assert "step 1" in shown
    assert served.run("down", "kept", "--yes").returncode == 0


def test_a_migration_that_hangs(steady):
    path = plain(steady, '\n[migrate]\ncommand = "sleep 303"\ntimeout = "1s"\n')
    before = running(steady)
    told, _ = failed(steady.deploy(path), "migrate.timeout")
    assert "longer than 1 s" in told["why"]
    assert "migrate.timeout" in told["remedy"]
    nothing_left(steady, before)


def test_a_health_path_that_redirects(steady):
    told, _ = failed(steady.deploy(mode(steady, "redirects")), "health.redirects")
    assert "answered 302 and sends on to /health/" in told["why"]
    assert 'path = "/health/"' in told["remedy"]


def test_a_redirect_that_is_asked_for_is_fine(served):
    path = plain(served, MODE="redirects", name="elsewhere")
    manifest = (path / "underway.toml").read_text()
    served.write(path, underway_dot_toml=manifest.replace("[health]", '[health]\nstatus = "302"'))
    assert served.deploy(path)["outcome"] == "live"
    assert served.run("down", "elsewhere", "--yes").returncode == 0


@pytest.mark.parametrize(
    ("what", "code", "says"),
    [
        ("unhealthy", "health.failed", "answered 503"),
        ("silent", "health.failed", "gave no answer"),
        ("deaf", "health.failed", "it listens on no port"),
        ("dies", "health.died", "exit code 1"),
    ],
)
def test_a_release_that_does_not_become_healthy(steady, what, code, says):
    told, tail = failed(steady.deploy(mode(steady, what)), code)
    assert says in told["why"]
    assert "no traffic reached it" in told["why"]
    if what == "dies":
        assert "no setting KEY was found" in tail


def test_one_that_listens_on_another_port(steady):
    port = free_port()
    path = mode(steady, f"wrong-port {port}")
    told, _ = failed(steady.deploy(path), "health.wrong-port")
    assert f"listens on port {port} and not on port" in told["why"]
    assert "$PORT" in told["remedy"]


def test_one_that_listens_on_every_address_is_fine(served):
    assert served.deploy(plain(served, MODE="everywhere", name="open"))["outcome"] == "live"
    assert served.run("down", "open", "--yes").returncode == 0


def test_a_command_that_does_not_exist(steady):
    path = plain(steady)
    manifest = (path / "underway.toml").read_text().replace("exec python3 -S server.py", "gunicorn app:app")
    steady.write(path, underway_dot_toml=manifest)
    told, tail = failed(steady.deploy(path), "health.died")
    assert "127" in told["why"]
    assert any("gunicorn" in line for line in tail)


def test_hostile_output_is_cleaned(steady):
    path = mode(steady, "hostile")
    _, tail = failed(steady.deploy(path), "health.died")
    assert all(len(line) <= 10_000 for line in tail)
    assert "the last word" in tail[-1]
    done = steady.run("deploy", path)
    assert done.returncode == 4
    for bad in ("\x1b", "\x07", "\x9b", "\u202e", "\r"):
        assert bad not in done.stdout + done.stderr
        assert not any(bad in line for line in tail if bad not in "\u202e")
    shown = steady.run("logs", "plain", "--process", "web")
    assert "\x1b" not in shown.stdout


def test_the_first_release_of_an_app_that_fails_leaves_no_route(steady):
    done = steady.deploy(plain(steady, MODE="dies", name="newborn"))
    assert (done["outcome"], done["exit_code"], done["live"]) == ("failed", 4, "")
    assert steady.ask(app="newborn").status == 404
    assert steady.run("rollback", "newborn").returncode == 3
    assert refused_down(steady)


def refused_down(world):
    """Taking down what never was up is fine, and stays fine."""
    return all(world.run("down", "newborn", "--yes").returncode == 0 for _ in range(2))


def test_a_release_that_dies_after_the_switch_is_rolled_back(steady):
    path = plain(steady, MODE="dies-later")
    manifest = (path / "underway.toml").read_text().replace('watch = "200ms"', 'watch = "20s"')
    steady.write(path, underway_dot_toml=manifest)
    done = steady.deploy(path)
    assert (done["outcome"], done["exit_code"], done["live"]) == ("rolled_back", 5, steady.release)
    assert done["because"]
    judged = next(e for e in done["events"] if e["event"] == "judged")
    assert any("it was fun" in line for line in judged["log_tail"]), judged
    wait_until(lambda: not steady.status("plain")["act"])


def test_what_git_holds_is_what_is_deployed_or_refused(steady):
    path = plain(steady)
    (path / "server.py").unlink()
    failed(steady.deploy(path), "health.died")
    (path / "underway.toml").unlink()
    refused(steady.deploy(path, "--app", "plain"), "detect.no-app")
