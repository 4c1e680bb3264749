"""Homes that cannot be used, disks that fill up, journals of the future, and two homes side by side."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest

from .bad import MANIFEST, act_of, command, failed, last_json, plain, read, refused
from .world import make_world, wait_until

MEGABYTE = 1_000_000
is_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk and becoming another user need root")


@contextlib.contextmanager
def small_disk(megabytes):
    """A world whose home is a disk of its own."""
    world = make_world()
    world.home.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(world.home)], capture_output=True
    )
    if done.returncode:
        shutil.rmtree(world.root)
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.decode().strip()}")
    try:
        yield world
    finally:
        try:
            world.run("agent", "stop", "--all", "--yes")
        finally:
            subprocess.run(["umount", "--lazy", str(world.home)], check=True)
            world.close()


def fill(world, leaving):
    """Fill the home's disk up to `leaving` free bytes."""
    free = os.statvfs(world.home)
    size = free.f_bavail * free.f_frsize - leaving
    with open(world.home / "ballast", "wb") as ballast:
        os.posix_fallocate(ballast.fileno(), 0, max(size, 1))


def overfill(world):
    """Not one byte is left."""
    with open(world.home / "last-bytes", "wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(b"x" * 4096)


@is_root
def test_a_full_disk_before_during_and_after_a_build():
    with small_disk(240) as world:
        first = world.deploy(plain(world))
        assert first["outcome"] == "live", first
        answer = world.ask(app="plain").text

        eats = '\n[build]\ncommands = ["head -c 400000000 /dev/zero > big"]\n'
        told, _ = failed(world.deploy(plain(world, eats)), "build.disk-full")
        assert told["command"].startswith("df -h ")
        assert world.ask(app="plain").text == answer

        fill(world, 100 * MEGABYTE)
        told = refused(world.deploy(plain(world)), "machine.disk-full")[0]
        assert "MB are free" in told["why"]

        (world.home / "ballast").unlink()
        gate = world.root / "gate"
        waits = f'\n[build]\ncommands = ["while [ ! -e {gate} ]; do sleep 0.05; done"]\n'
        with command(world, "deploy", plain(world, waits), "--json") as deploy:
            wait_until(lambda: (act := act_of(world)) and act["step"] == "build", 30)
            fill(world, 0)
            overfill(world)
            gate.touch()
            done = last_json(deploy.communicate(timeout=60)[0])
        assert done["event"] == "finished"
        assert done["outcome"] in ("failed", "rolled_back", "live")
        assert world.ask(app="plain").status == 200
        assert act_of(world) is None

        refused(world.deploy(plain(world)), "machine.disk-full")
        (world.home / "ballast").unlink()
        (world.home / "last-bytes").unlink()
        assert world.deploy(plain(world))["outcome"] == "live"


@is_root
def test_a_disk_without_room_for_a_journal():
    with small_disk(2) as world:
        overfill(world)
        done = world.run("deploy", plain(world), "--json")
        ended = last_json(done.stdout)
        assert (done.returncode, ended["outcome"]) == (3, "refused")
        assert ended["problems"][0]["code"] in ("journal.unwritable", "home.unwritable", "agent.log")
        assert "Traceback" not in done.stderr


def test_a_home_that_is_a_file_or_cannot_be_made(world):
    world.home.write_text("a file")
    for words in (["deploy", plain(world), "--json"], ["status", "--json"]):
        done = world.run(*words)
        ended = last_json(done.stdout)
        assert done.returncode == 3
        assert ended["problems"][0]["code"] == "home.unwritable"
    assert str(world.home) in read(world.run("status"), "home.unwritable")
    world.home.unlink()
    done = world.run("status", env={"UNDERWAY_HOME": "/proc/nowhere"})
    assert done.returncode == 3
    assert read(done, "home.unwritable")


@is_root
def test_a_home_of_another_user(world):
    world.home.mkdir(mode=0o700)
    path = plain(world)
    for folder in (world.root, world.root / "apps"):
        folder.chmod(0o755)
    stranger = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    import sys

    python = shutil.which("python3", path="/usr/bin") or sys.executable
    source = Path(__file__).parents[2] / "src"
    packages = next(p for p in sys.path if p.endswith("site-packages"))
    readable = os.access(packages, os.R_OK) and not packages.startswith("/root")
    if not readable or python == sys.executable:
        pytest.skip("another user cannot run this environment's Python")
    env = {**world.env, "PYTHONPATH": f"{source}:{packages}", "HOME": "/nonexistent"}
    done = subprocess.run(
        [*stranger, python, "-m", "underway", "deploy", path], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 3, done.stderr
    assert read(done, "home.unwritable")


def test_a_run_folder_of_another_user_is_not_trusted(world):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    (world.home / "run").mkdir(parents=True)
    os.chown(world.home / "run", 65_534, 65_534)
    done = world.run("status")
    assert done.returncode == 3
    assert "belongs to another user" in read(done, "home.unwritable")
    os.chown(world.home / "run", 0, 0)


def test_a_journal_of_the_future_or_none_at_all(world):
    assert world.deploy(plain(world))["outcome"] == "live"
    answer = world.ask(app="plain").text
    world.run("agent", "stop")
    journal = world.home / "journal.db"
    kept = journal.read_bytes()
    with contextlib.closing(sqlite3.connect(journal)) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute(f"PRAGMA user_version={version + 1}")
    done = world.run("deploy", plain(world), "--json")
    ended = last_json(done.stdout)
    assert (done.returncode, ended["outcome"]) == (3, "refused")
    assert [problem["code"] for problem in ended["problems"]] == ["journal.newer"]
    assert read(world.run("status"), "journal.newer")
    assert world.ask(app="plain").text == answer

    for name in ("journal.db-wal", "journal.db-shm"):
        (world.home / name).unlink(missing_ok=True)
    journal.write_bytes(b"this is no database" * 100)
    done = world.run("status", "--json")
    assert (done.returncode, last_json(done.stdout)["problems"][0]["code"]) == (3, "journal.damaged")
    assert world.ask(app="plain").text == answer

    journal.write_bytes(kept)
    assert world.status("plain")["live"]
    assert world.deploy(plain(world))["outcome"] == "live"


def test_an_agent_that_cannot_start_shows_the_end_of_its_log(world):
    breaks = world.root / "broken"
    code = "import os, sys\nif 'run' in sys.argv:\n    print('no luck today', flush=True)\n    os._exit(9)\n"
    world.write(breaks, sitecustomize_dot_py=code)
    done = world.run("status", env={"PYTHONPATH": str(breaks)})
    assert done.returncode == 1
    told = read(done, "agent.start")
    assert "no luck today" in told
    assert str(world.home / "agent.log") in told
    done = world.run("deploy", plain(world), "--json", env={"PYTHONPATH": str(breaks)})
    ended = last_json(done.stdout)
    assert (done.returncode, ended["event"], ended["outcome"]) == (1, "finished", "failed")
    assert ended["problems"][0]["code"] == "agent.start"


def test_two_homes_do_not_disturb_each_other(world):
    other = make_world()
    try:
        one = world.deploy(plain(world, VERSION="one"))
        two = other.deploy(plain(other, VERSION="two"))
        assert (one["outcome"], two["outcome"]) == ("live", "live")
        assert world.ask(app="plain").text == f"one {one['release']}"
        assert other.ask(app="plain").text == f"two {two['release']}"
        pids = {i["pid"] for i in other.status("plain")["instances"]}
        assert failed(world.deploy(plain(world, MODE="dies")), "health.died")
        os.kill(world.agent_pid(), signal.SIGKILL)
        assert world.status("plain")["live"] == one["release"]
        assert world.run("agent", "stop", "--all", "--yes").returncode == 0
        assert world.processes() == []
        assert other.ask(app="plain").text == f"two {two['release']}"
        assert {i["pid"] for i in other.status("plain")["instances"]} == pids
    finally:
        other.close()


def test_secrets_and_sockets_are_private(world):
    path = plain(world)
    world.write(path, underway_dot_toml=MANIFEST + '\n[env]\nKEY = {generate = "hex"}\n')
    assert world.deploy(path)["outcome"] == "live"
    open_to_others = [
        str(found)
        for found in world.home.rglob("*")
        if (found.is_socket() or found.name.startswith(("vault", "journal", "agent"))) and found.stat().st_mode & 0o077
    ]
    assert open_to_others == []
    assert (world.home / "apps/plain/vault/own.age").read_bytes().startswith(b"age-encryption.org/v1\n")
