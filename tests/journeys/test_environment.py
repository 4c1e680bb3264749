"""The environment as a user has it: refused before a build, encrypted, masked in every log, renewed, handed over."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from .test_secrets import Arguments, holders

CANARY = "canary-Zk3vQ9xW7mN5pR2tYb8L"
RENEWED = "canary-renewed-Qw8eRt5yUi2oP"
SCHEMA = """
[env]
API_KEY = {secret = true, required = true, min_entropy = 40, doc = "Key of the mail provider"}
SIGNING = {generate = "urlsafe", previous = "SIGNING_OLD"}
WORKERS = {type = "int", value = "%s"}
"""
LOUD = """
import base64, os, urllib.parse
secret = os.environ["API_KEY"]
print("plain", secret, flush=True)
print("url", urllib.parse.quote(secret, safe=""), base64.b64encode(b"me:" + secret.encode()).decode(), flush=True)
os.write(1, secret[:9].encode()); os.write(1, secret[9:].encode() + b" in two writes\\n")
print("old keys:", len([it for it in os.environ["SIGNING_OLD"].split(",") if it]), flush=True)
"""


def loud(world, workers="2", **changes):
    path = world.app(**changes)
    server = path / "server.py"
    if "in two writes" not in server.read_text():
        first, _, rest = server.read_text().partition("import ")
        server.write_text(f"{first}{LOUD}\nimport {rest}")
    manifest = (path / "underway.toml").read_text().partition("\n[env]")[0]
    world.write(path, underway_dot_toml=manifest + SCHEMA % workers)
    return path


def given(world, path, *words, stdin=""):
    """Run with something on stdin."""
    first, second, *rest = map(str, words)
    return subprocess.run(
        [sys.executable, "-m", "underway", first, second, "--path", str(path), *rest],
        input=stdin,
        env=world.env,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_a_secret_goes_through_everything_and_is_nowhere(world):
    watcher = Arguments([CANARY, RENEWED])
    watcher.start()
    said = []

    def run(*words, **extra):
        done = given(world, path, *words, **extra) if words[0] == "env" else world.run(*words)
        said.append(done.stdout + done.stderr)
        return done

    path = loud(world, workers="two")
    refused = run("deploy", path, "--json")
    assert refused.returncode == 3
    codes = {problem["code"] for problem in json.loads(refused.stdout.splitlines()[-1])["problems"]}
    assert {"env.missing", "env.malformed"} <= codes
    assert not (world.home / "apps/tiny/builds").exists()
    assert run("env", "set", "API_KEY", stdin="changeme").returncode == 3
    assert run("env", "set", "API_KEY", stdin=CANARY).returncode == 0

    path = loud(world)
    assert run("deploy", path, "--json").returncode == 0
    assert run("env", "check", "--json").returncode == 0
    logged = "".join(file.read_text() for file in (world.home / "apps/tiny/logs").glob("web*.log"))
    assert "plain •••\n" in logged
    assert "••• in two writes\n" in logged
    assert "old keys: 0" in logged

    assert run("env", "rotate", "API_KEY", stdin=RENEWED).returncode == 0
    assert run("env", "rotate", "SIGNING").returncode == 0
    findings = json.loads(run("env", "check", "--json").stdout)["findings"]
    assert "env.staged" in {each["problem"]["code"] for each in findings}
    loud(world, VERSION="2")
    assert run("deploy", path, "--json").returncode == 0
    newest = max((world.home / "apps/tiny/logs").glob("web*.log"), key=lambda file: file.stat().st_mtime)
    assert "old keys: 1" in newest.read_text()
    loud(world, VERSION="3", MODE="dies")
    assert run("deploy", path, "--json").returncode == 4
    assert run("rollback", "tiny", "--json").returncode == 0
    for words in (["status", "--json"], ["logs", "tiny"], ["events", "tiny", "--json", "-n", "1000"]):
        run(*words)
    for words in (["show"], ["show", "--json"], ["docs", "--print"], ["example", "--print"], ["template", "--print"]):
        run("env", *words)
    audit = world.run("env", "audit", "API_KEY", "--json")
    said.append(audit.stdout)
    assert [json.loads(line)["how"] for line in audit.stdout.splitlines()] == ["set", "rotate"]
    length = given(world, path, "env", "run", "--", "sh", "-c", 'printf %s "$API_KEY" | wc -c')
    watcher.over.set()
    watcher.join()

    assert int(length.stdout) == len(RENEWED)
    for secret in (CANARY, RENEWED):
        assert secret not in "".join(said)
        assert holders(world.home, secret.encode()) == set()
        assert holders(path, secret.encode()) == set()
    assert watcher.seen == set()
    assert watcher.looks > 20


def test_another_environment_runs_beside_production_with_values_of_its_own(world):
    path = world.app()
    manifest = (path / "underway.toml").read_text()
    layers = '\n[env]\nGREETING = "base"\nPLACE = "base"\n[environments.staging]\nenv = {GREETING = "from staging"}\n'
    world.write(path, underway_dot_toml=manifest + layers)
    assert given(world, path, "env", "set", "PLACE", "--env", "staging", stdin="vault of staging").returncode == 0
    assert given(world, path, "env", "set", "RCLONE_CONFIG_X_TYPE=s3", "MODE=dev", "--env", "base").returncode == 0
    refused = given(world, path, "env", "set", "MAP_TOKEN=s3")
    assert refused.returncode == 3
    assert "`MAP_TOKEN = {}`" in refused.stderr, "how to say that it is no secret"
    shown = json.loads(given(world, path, "env", "show", "--env", "staging", "--json").stdout)
    by_name = {each["name"]: each for each in shown["variables"]}
    assert by_name["GREETING"]["value"] == "from staging"
    assert by_name["PLACE"]["from"] == "staging (vault)"
    assert by_name["PLACE"]["over"] == ["base (underway.toml)"]
    assert shown["app"] == "tiny-staging"
    asked = 'echo "$GREETING/$PLACE"'
    run = given(world, path, "env", "run", "--env", "staging", "--", "sh", "-c", asked)
    assert run.stdout == "from staging/vault of staging\n"
    run = given(world, path, "env", "run", "--", "sh", "-c", asked)
    assert run.stdout == "base/base\n"
    assert world.run("env", "diff", "staging", "--path", path, "--json").stdout.count("PLACE") == 1
    assert not list((world.home / "run").glob("handed-*"))
    assert os.stat(world.home / "keys/vault.key").st_mode & 0o077 == 0


def test_values_in_a_committed_file_are_encrypted_and_used(world):
    path = world.app()
    manifest = (path / "underway.toml").read_text()
    world.write(path, underway_dot_toml=manifest + "\n[env]\nAPI_KEY = {secret = true, required = true}\n")
    assert given(world, path, "env", "set", "API_KEY", stdin=CANARY).returncode == 0
    assert given(world, path, "env", "share").returncode == 0
    assert (path / "env/production.age").read_text().startswith("-----BEGIN AGE ENCRYPTED FILE-----")
    assert given(world, path, "env", "set", "API_KEY", stdin=RENEWED).returncode == 0
    shown = json.loads(given(world, path, "env", "show", "--json").stdout)
    assert next(it for it in shown["variables"] if it["name"] == "API_KEY")["from"] == "production (env/production.age)"
    run = given(world, path, "env", "run", "--", "sh", "-c", 'echo "${API_KEY}" | wc -c')
    assert int(run.stdout) == len(RENEWED) + 1
    assert holders(path, CANARY.encode()) == holders(path, RENEWED.encode()) == set()


def test_a_value_that_was_ever_committed_is_refused_without_being_named(world):
    path = world.app()
    manifest = (path / "underway.toml").read_text()
    world.write(path, underway_dot_toml=manifest + "\n[env]\nAPI_KEY = {secret = true, required = true}\n")

    def git(*words):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=path, check=True)

    git("init", "-q")
    (path / "old.py").write_text(f'KEY = "{CANARY}"\n')
    git("add", ".")
    git("commit", "-qm", "one")
    git("rm", "-q", "old.py")
    git("commit", "-qm", "two")
    assert given(world, path, "env", "set", "API_KEY", stdin=CANARY).returncode == 0
    done = given(world, path, "env", "check", "--json")
    assert done.returncode == 3
    assert [f["problem"]["code"] for f in json.loads(done.stdout)["findings"] if f["stops"]] == ["env.in-history"]
    assert CANARY not in done.stdout
    assert given(world, path, "env", "set", "API_KEY", stdin=RENEWED).returncode == 0
    assert given(world, path, "env", "check").returncode == 0
