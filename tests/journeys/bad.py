"""What every case of bad input has in common: a code, a place, a reason, a remedy, the exit code, and peace for what
runs."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import signal
import socket
import subprocess
import sys

from .world import APPS, wait_until

_numbers = itertools.count()

MANIFEST = (APPS / "plain" / "underway.toml").read_text()


def plain(world, extra="", *, top="", name="plain", folder="", **files):
    """A fresh folder with the app `plain`: `top` is added to the head of its manifest, `extra` to its end, `files`
    are named as in `World.app`."""
    path = world.root / "apps" / (folder or f"case-{next(_numbers)}")
    shutil.copytree(APPS / "plain", path)
    manifest = MANIFEST.replace('app = "plain"', f'app = "{name}"\n{top}') + extra
    world.write(path, **{"underway_dot_toml": manifest, "VERSION": path.name, **files})
    return path


def patient(path):
    """The app with more time to become healthy: for tests in which that is not the question."""
    manifest = path / "underway.toml"
    manifest.write_text(manifest.read_text().replace('timeout = "3s"', 'timeout = "30s"'))
    return path


def refused(done, *codes):
    """The problems of a deploy that was refused with exactly these codes, exit code 3."""
    assert (done["event"], done["outcome"], done["exit_code"]) == ("finished", "refused", 3), done
    return problems(done, *codes)


def failed(done, code):
    """The problem of a deploy that failed before traffic moved, exit code 4, and the log lines told with it."""
    assert (done["event"], done["outcome"], done["exit_code"]) == ("finished", "failed", 4), done
    assert done["live"], "the release that was live is live"
    tail = next(event["log_tail"] for event in done["events"] if event["event"] == "step_failed")
    return problems(done, code)[0], tail


def problems(done, *codes):
    found = done["problems"]
    assert [problem["code"] for problem in found] == list(codes), found
    for problem in found:
        assert problem["where"]
        assert problem["why"]
        assert problem["remedy"]
        assert problem["command"]
        assert not any(ord(c) < 32 for text in problem.values() for c in text), problem
    return found


def read(done: subprocess.CompletedProcess, code):
    """The problem that a command told a person on stderr: `[code]` and a line `→ remedy`; never a traceback."""
    assert f"[{code}]" in done.stderr, done.stderr
    assert "→" in done.stderr or "->" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    return done.stderr


def act_of(world, app="plain"):
    return world.status(app)["act"]


@contextlib.contextmanager
def command(world, *words, env=None):
    """A command that runs while the test goes on. Killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "underway", *map(str, words)],
        env={**world.env, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


@contextlib.contextmanager
def building(world, *words, env=None, seconds=60):
    """A deploy whose build waits until `go()` is called."""
    gate = world.root / f"gate-{next(_numbers)}"
    path = plain(world, f'\n[build]\ncommands = ["while [ ! -e {gate} ]; do sleep 0.05; done"]\n')
    with command(world, "deploy", path, *words, env=env) as process:
        process.gate = gate
        process.version = path.name
        wait_until(lambda: (act := act_of(world)) and act["step"] == "build", seconds)
        yield process


def last_json(text):
    return json.loads(text.splitlines()[-1])


@contextlib.contextmanager
def listening(port, address="127.0.0.1"):
    """A stranger that listens on a port, in a process of its own; yields its pid."""
    code = (
        "import socket,sys,time; s=socket.socket(); s.setsockopt(1,2,1); s.bind((sys.argv[1],int(sys.argv[2])));"
        "s.listen(); print('listens', flush=True); time.sleep(600)"
    )
    stranger = subprocess.Popen(
        [sys.executable, "-S", "-c", code, address, str(port)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert stranger.stdout.readline() == "listens\n"
        yield stranger.pid
    finally:
        stranger.kill()
        stranger.communicate()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def running(world):
    """The pids of the home's processes, without PostgreSQL, which a test may rightly start."""
    return {p.pid for p in world.processes() if p.name() not in ("postgres", "pg_ctl")}


def nothing_left(world, before):
    """Wait until exactly the processes of `before` run."""
    wait_until(lambda: running(world) == before or None, 10, default=lambda: _differ(world, before))


def _differ(world, before):
    now = {p.pid: " ".join(p.cmdline())[:150] for p in world.processes()}
    raise AssertionError(f"gone: {before - now.keys()}, left over: {[now[p] for p in now.keys() - before]}")
