"""A home of its own for each journey: the real command line, agent, Caddy and PostgreSQL."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

APPS = Path(__file__).with_name("apps")


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.text = response.status, response.headers, response.read().decode()

    def json(self):
        return json.loads(self.text)


class World:
    """One home. `run` is what a user types; what it started is gone after `close`."""

    def __init__(self, root: Path):
        self.root = root
        self.home = root / "home"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.env = {
            **os.environ,
            "UNDERWAY_HOME": str(self.home),
            "UNDERWAY_HTTP_PORT": str(self.port),
            "UV_CACHE_DIR": "",
            "NO_COLOR": "1",
        }
        self.env.pop("UV_CACHE_DIR")

    def run(self, *words, timeout=120, env=None) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "underway", *map(str, words)],
            env={**self.env, **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )

    def deploy(self, path, *words, timeout=120) -> dict:
        """Deploy and return the last event; its exit code is under `exit_code`, all events under `events`."""
        done = self.run("deploy", path, "--json", *words, timeout=timeout)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert events, done.stderr
        return {**events[-1], "exit_code": done.returncode, "events": events}

    def app(self, name="tiny", *, like="tiny", **changes) -> Path:
        """A copy of the test app `like`, with a name of its own.

        `changes` name files (`VERSION="2"`) with `__` for a slash and `_dot_` for a dot.
        """
        path = self.root / "apps" / name
        if not path.exists():
            shutil.copytree(APPS / like, path)
            self.write(path, underway_dot_toml=(path / "underway.toml").read_text().replace(f'"{like}"', f'"{name}"'))
        self.write(path, **changes)
        return path

    @staticmethod
    def write(path: Path, **changes) -> None:
        for name, text in changes.items():
            target = path / name.replace("__", "/").replace("_dot_", ".")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)

    def ask(self, path="/", *, app="tiny", method="GET", body=None, headers=None, timeout=15) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, {"Host": f"{app}.localhost", **(headers or {})})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def status(self, app="tiny") -> dict:
        return json.loads(self.run("status", app, "--json").stdout)

    def agent_pid(self) -> int:
        return json.loads(self.run("agent", "status", "--json").stdout)["pid"]

    def events(self, app="tiny") -> list[dict]:
        return [json.loads(line) for line in self.run("events", app, "--json", "-n", "2000").stdout.splitlines()]

    def processes(self) -> list[psutil.Process]:
        """Every process of this home, found by its mark, whoever started it."""
        marks = {f"UNDERWAY_HOME={self.home}", f"UNDERWAY_HOME_ID={home_id(self.home)}"}
        found = []
        for process in psutil.process_iter():
            try:
                words = set(Path(f"/proc/{process.pid}/environ").read_bytes().decode(errors="replace").split("\0"))
            except OSError:
                continue
            if words & marks and process.pid != os.getpid():
                found.append(process)
        return found

    def close(self) -> None:
        log = self.home / "agent.log"
        faults = log.read_text(errors="replace") if log.exists() else ""
        self.run("agent", "stop", "--all", "--yes")
        left = wait_until(lambda: [] if not self.processes() else None, 10, default=self.processes)
        names = []
        for process in left:
            try:
                names.append(f"{process.pid} {' '.join(process.cmdline())[:150]}")
                process.kill()
            except psutil.Error:
                continue
        shutil.rmtree(self.root, ignore_errors=True)
        assert not names, f"left running: {names}"
        assert "Traceback" not in faults, faults[faults.index("Traceback") - 200 :]


def home_id(home: Path) -> str:
    from underway.terms.home import Home

    return Home(root=home).id


def wait_until(condition, seconds=10.0, default=None):
    """The first result of `condition` that is not None or False; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found is not None and found is not False:
            return found
        time.sleep(0.02)
    if default is not None:
        return default()
    raise AssertionError(f"not within {seconds} s: {condition}")


def make_world() -> World:
    root = Path(tempfile.mkdtemp(prefix="uw-", dir="/tmp"))
    root.chmod(0o755)
    return World(root)
