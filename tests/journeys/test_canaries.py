"""A secret in every layer, then everything that can happen to a release: it is in the vault, in the app's processes,
at the place it was pushed to, and nowhere else."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import pty
import re
import select
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from tests.drivers.places.contract import CONTRACTS
from tests.drivers.places.providers import Render
from tests.drivers.places.server import TOKEN, serving

from .conftest import make_world, wait_until
from .test_secrets import Arguments

CANARIES = {
    "OF_MANIFEST": "canary-manifest-Zk3vQ9xW7mN5",
    "OF_BASE": "canary-base-pR2tYb8LcD4f",
    "OF_PRODUCTION": "canary-production/+&Gh6jK8m",
    "OF_FILE": "canary-file-Qw8eRt5yUi2o",
    "OF_STAGING": "canary-staging-Pa7sDf3gHj9k",
    "TYPED": "canary-typed-Xc4vBn6mLk1j",
}
SCHEMA = """
[env]
OF_MANIFEST = {value = "%s", secret = true}
OF_BASE = {secret = true, required = true}
OF_PRODUCTION = {secret = true, required = true, doc = "what the app is for"}
OF_FILE = {secret = true, required = true}
OF_STAGING = {secret = true, required_in = ["staging"]}
TYPED = {secret = true}
GENERATED = {generate = "urlsafe"}
[environments.staging]
"""
LEAKY = """
import base64, faulthandler, os, sys, urllib.parse
faulthandler.enable()
for name in os.environ:
    value = os.environ[name]
    print("start", name, value, urllib.parse.quote(value, safe=""), flush=True)
    print(base64.b64encode(value.encode()).decode(), flush=True)
MODE = open("MODE").read().strip()
if MODE == "dies":
    raise RuntimeError(f"cannot start with {dict(os.environ)}")
if MODE == "crashes":
    import threading
    def crash():
        sys.stderr.write(repr(dict(os.environ)) + "\\n")
        sys.stderr.flush()
        os.abort()
    threading.Timer(1.0, crash).start()
"""
BUILD = '\n[build]\ncommands = ["env | tee built-with.txt"]\n'


def forms(value):
    """The ways in which a value may stand somewhere."""
    plain = value.encode()
    return {
        plain,
        quote(value, safe="").encode(),
        base64.b64encode(plain),
        plain.hex().encode(),
        repr(value).encode()[1:-1],
    }


def holders(root, values):
    """Files below `root` that hold one of the values in any form, links not followed."""
    wanted = [form for value in values for form in forms(value)]
    found = set()
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with contextlib.suppress(OSError):
                content = path.read_bytes()
                found |= {str(path.relative_to(root))} if any(form in content for form in wanted) else set()
    return found


class Everything:
    """A world, and all that was ever said in it."""

    def __init__(self, world):
        self.world, self.said, self.path = world, [], world.app("plain", like="plain", MODE="good", VERSION="1")
        manifest = (self.path / "underway.toml").read_text()
        server = (self.path / "server.py").read_text()
        first, _, rest = server.partition("import itertools")
        self.world.write(
            self.path,
            underway_dot_toml=manifest + BUILD + SCHEMA % CANARIES["OF_MANIFEST"],
            server_dot_py=f"{first}{LEAKY}\nimport itertools{rest}",
        )

    def run(self, *words, stdin="", env=None):
        words = [*words, "--path", str(self.path)] if words[0] == "env" and words[1] not in ("audit", "scan") else words
        if words[0] == "env" and "--" in words:
            at = words.index("--")
            words = [*words[:at], *words[-2:], *words[at:-2]]
        done = subprocess.run(
            [sys.executable, "-m", "underway", *map(str, words)],
            input=stdin,
            env={**self.world.env, **(env or {})},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        self.said.append(done.stdout + done.stderr)
        return done

    def type(self, *words, answer):
        """Run in a terminal of its own and type `answer` when something is asked; what the terminal showed."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(sys.executable, [sys.executable, "-m", "underway", *words], {**self.world.env, "TERM": "xterm"})
        shown, is_typed, until = b"", False, time.monotonic() + 120
        while time.monotonic() < until:
            if terminal in select.select([terminal], [], [], 0.2)[0]:
                try:
                    part = os.read(terminal, 65536)
                except OSError:
                    break
                if not part:
                    break
                shown += part
            if b"Value of" in shown and not is_typed:
                os.write(terminal, answer.encode() + b"\n")
                is_typed = True
        os.close(terminal)
        os.waitpid(pid, 0)
        self.said.append(shown.decode(errors="replace"))
        return shown


def api_answers(world):
    """The body of every endpoint that only reads, with the app's name where one is asked for."""

    class Unix(http.client.HTTPConnection):
        def connect(self):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(30)
            self.sock.connect(str(world.home / "run/agent.sock"))

    def ask(method, path, body=None):
        connection = Unix("underway")
        connection.request(method, path, body)
        try:
            return connection.getresponse().read().decode(errors="replace")
        finally:
            connection.close()

    paths = json.loads(ask("GET", "/v1/openapi.json"))["paths"]
    asked = [path for path, acts in paths.items() if "get" in acts and "work" not in path]
    assert len(asked) > 8
    out = [ask("GET", path.replace("{app}", "plain")) for path in asked]
    release = json.loads(ask("GET", "/v1/apps/plain"))["live"]
    out.append(ask("GET", f"/v1/apps/plain/evidence?release={release}"))
    return "".join(out)


@pytest.mark.skipif(not CONTRACTS.is_dir(), reason="../shared/contracts is not here")
@pytest.mark.timeout(900)
def test_a_secret_of_every_layer_is_nowhere_but_where_it_belongs():
    world = make_world()
    watcher = Arguments(CANARIES.values())
    watcher.start()
    try:
        _through_everything(world, watcher)
    finally:
        watcher.over.set()
        world.close()


def _through_everything(world, watcher):
    every = Everything(world)
    run, path = every.run, every.path

    # planted in each layer, once through a terminal
    for name, layer in {"OF_BASE": "base", "OF_PRODUCTION": "production", "OF_STAGING": "staging"}.items():
        assert run("env", "set", name, "--env", layer, stdin=CANARIES[name]).returncode == 0
    assert run("env", "set", "OF_FILE", "--env", "base", stdin=CANARIES["OF_FILE"]).returncode == 0
    assert run("env", "share", "--env", "base").returncode == 0
    assert (path / "env/base.age").exists()
    shown = every.type("env", "set", "TYPED", "--path", str(path), answer=CANARIES["TYPED"])
    assert b"TYPED" in shown
    assert run("env", "set", "RENDER_API_KEY", stdin=TOKEN).returncode == 0

    # deployed, failed, crashed, rolled back
    first = run("deploy", path, "--json")
    assert first.returncode == 0, first.stdout[-2000:]
    known = {**CANARIES, "token": TOKEN}
    known["GENERATED"] = run("env", "run", "--", "sh", "-c", 'printf %s "$GENERATED"').stdout
    assert len(known["GENERATED"]) > 30
    every.said.pop()  # this one was asked to print it
    world.write(path, MODE="dies", VERSION="2")
    assert run("deploy", path, "--json").returncode == 4
    world.write(path, MODE="crashes", VERSION="3")
    run("deploy", path, "--json")
    ended = wait_until(lambda: [e for e in world.events("plain") if e["event"] == "instance_lost"] or None, 60)
    assert ended
    run("rollback", "plain", "--json", "--yes")
    world.write(path, MODE="good", VERSION="4")
    assert run("deploy", path, "--json").returncode == 0

    # pushed, pulled, exported, looked at
    with serving(Render()) as url:
        pushed = run("env", "push", "--with", "render:srv-abc123", "--json", env={"RENDER_API_URL": url})
        assert pushed.returncode == 0, pushed.stdout
        assert json.loads(pushed.stdout)["done"]["set_there"]
        assert run("env", "pull", "--with", "render:srv-abc123", env={"RENDER_API_URL": url}).returncode == 0
    with serving(refusing := Render()) as url:
        refusing.bad_names = set(CANARIES)
        told = run("env", "sync", "--with", "render:srv-other99", env={"RENDER_API_URL": url})
        assert told.returncode in (3, 4)
    for words in ("example --print", "template --print", "docs --print", "settings --print"):
        run("env", *words.split())
    for words in ("show --json", "show", "check", "diff", "diff staging --json"):
        run("env", *words.split())
    run("env", "audit", "--json")
    run("logs", "plain", "-n", "5000")
    run("events", "plain", "--json", "-n", "2000")
    run("explain", "plain")
    run("env", "rotate", "GENERATED")
    answers = api_answers(world)

    # and searched for
    watcher.over.set()
    watcher.join()
    values = list(known.values())
    assert watcher.looks > 30
    assert watcher.seen == set()
    terminal = "".join(every.said)
    for name, value in known.items():
        for form in forms(value):
            assert form.decode() not in terminal, name
            assert form.decode() not in answers, name
    assert "•••" in terminal
    written = {name for name in holders(world.home, values) if not name.endswith("/underway.toml")}
    assert written == set()
    assert holders(path, values) == {"underway.toml"}
    _journal_holds_none(world, values)
    builds = list((world.home / "apps/plain/builds").glob("*/**/built-with.txt"))
    assert builds
    assert not any(value in file.read_text() for file in builds for value in values)
    _only_the_app_has_it(world, known["OF_PRODUCTION"])
    left = [each for root in (path, world.home) for each in root.rglob("core*") if each.is_file()]
    assert not [each for each in left if re.fullmatch(r"core(\.\d+)?", each.name)]
    assert not list((world.home / "run").glob("handed-*"))


def _journal_holds_none(world, values):
    """Every cell of every SQLite file, read from a copy."""
    for file in [*world.home.rglob("*.db"), *world.home.rglob("*.sqlite*")]:
        copy = world.root / "copied.db"
        shutil.copy(file, copy)
        with contextlib.suppress(sqlite3.DatabaseError), contextlib.closing(sqlite3.connect(copy)) as db:
            text = "\n".join(db.iterdump())
            assert not [value for value in values if value in text], file


def _only_the_app_has_it(world, value):
    """Of all processes only instances of the app have it in their environment, and none of them may leave a core."""
    having = set()
    for process in world.processes():
        with contextlib.suppress(OSError):
            environ = Path(f"/proc/{process.pid}/environ").read_bytes()
            if value.encode() in environ:
                assert b"UNDERWAY_INSTANCE=" in environ, process
                having.add(process.pid)
    mine = next(i for i in world.status("plain")["instances"] if i["process"] == "web")["pid"]
    assert having & {mine, *(child.pid for child in psutil.Process(mine).children(recursive=True))}
    for pid in having:
        with contextlib.suppress(FileNotFoundError):
            limits = Path(f"/proc/{pid}/limits").read_text()
            assert next(line for line in limits.splitlines() if "core file" in line).split()[4:6] == ["0", "0"]
