"""Commands typed wrong, terminals of every kind, and asking for what is not there."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from underway.cli.main import main

from .bad import act_of, last_json, plain, read
from .world import wait_until


@pytest.mark.parametrize(
    "words",
    [
        ["deploy", "--nope"], ["nope"], ["deploy", ".", "."], ["--nope"], ["logs"], ["down"], ["rollback"], [""],
        ["agent", "start", "x"], ["logs", "plain", "-n", "x"], ["logs", "plain", "-n", "-5"], ["deploy", ""],
        ["events", "plain", "-n", "0"], ["down", "plain"],
    ],
)  # fmt: skip
def test_wrong_usage_is_2_and_says_how(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert "Usage" in told or "--yes" in told


def test_an_unknown_app(steady):
    for words in (["status"], ["releases"], ["events"], ["logs", "-f"]):
        done = steady.run(words[0], "ghost", *words[1:])
        assert done.returncode == 3
        assert read(done, "app.unknown")
    told = steady.run("status", "ghost", "--json")
    assert (told.returncode, last_json(told.stdout)["problems"][0]["code"]) == (3, "app.unknown")
    for words in (["rollback"], ["down", "--yes"]):
        done = steady.run(words[0], "ghost", *words[1:], "--json")
        ended = last_json(done.stdout)
        assert (done.returncode, ended["event"], ended["outcome"]) == (3, "finished", "refused")
        assert ended["problems"][0]["code"] == "app.unknown"


@pytest.mark.parametrize("app", ["../../etc/passwd", "a b/c?x=1#y", "", "\x1b[31mred", "x" * 500])
def test_what_can_be_no_apps_name(steady, app):
    done = steady.run("logs", app)
    assert done.returncode == 3
    assert "\x1b" not in read(done, "app.unknown")
    ended = last_json(steady.run("rollback", app, "--json").stdout)
    assert (ended["outcome"], ended["problems"][0]["code"]) == ("refused", "app.name")


def test_a_rollback_to_what_is_not_there(steady):
    for to, says in (
        ("", "no earlier release"),
        ("nope", "no release 'nope'"),
        (steady.release, "is the release that is live"),
        ("../../x", "no release"),
    ):
        done = steady.run("rollback", "plain", *(["--to", to] if to else []), "--json")
        ended = last_json(done.stdout)
        assert (done.returncode, ended["outcome"]) == (3, "refused")
        assert [problem["code"] for problem in ended["problems"]] == ["release.not-found"]
        assert says in ended["problems"][0]["why"]


@pytest.mark.parametrize("name", ["Bad_Name", "x" * 41, "../ü"])
def test_a_name_that_is_none(steady, name):
    done = steady.deploy(plain(steady), "--app", name)
    assert (done["outcome"], done["exit_code"]) == ("refused", 3)
    assert [problem["code"] for problem in done["problems"]] == ["app.name"]


def test_logs_of_a_process_that_is_not_there(steady):
    for process in ("nope", "../../../../etc/passwd"):
        done = steady.run("logs", "plain", "--process", process)
        assert done.returncode == 3
        assert "web" in read(done, "process.unknown")
    assert steady.run("logs", "plain", "--process", "web").returncode == 0
    assert steady.run("logs", "plain", "--process", "build").returncode == 0


@pytest.mark.parametrize("port", ["0", "99999", "８０８０"])
def test_a_port_that_is_none(steady, port):
    done = steady.run("status", env={"UNDERWAY_HTTP_PORT": port})
    assert done.returncode == 3
    assert "UNDERWAY_HTTP_PORT" in read(done, "home.port")


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {"TERM": "dumb", "FORCE_COLOR": "1"},
    ],
)
def test_terminals_and_locales(steady, env):
    missing = steady.root / "nö → x"
    for words in (["status"], ["events", "plain"]):
        done = steady.run(*words, env=env)
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout
    shown = steady.run("events", "--json", env=env).stdout
    assert shown.isascii()
    assert [json.loads(line) for line in shown.splitlines()]
    done = steady.run("deploy", missing, env=env)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_output_that_nobody_reads(served):
    def piped(words, into):
        line = f"{sys.executable} -m underway {words} | {into}; echo ${{PIPESTATUS[0]}}"
        return subprocess.run(["bash", "-c", line], env=served.env, capture_output=True, text=True, timeout=60)

    for words in ("status", "events plain", "--help"):
        done = piped(words, "true")
        assert done.stderr == ""
        assert done.stdout.split()[-1] in ("0", "141")
    path = plain(served)
    done = piped(f"deploy {path} --json", "head -1")
    assert done.stderr == ""
    assert json.loads(done.stdout.splitlines()[0])["event"] == "act_started"
    wait_until(lambda: not act_of(served) and served.ask(app="plain").text.startswith(path.name), 20)
