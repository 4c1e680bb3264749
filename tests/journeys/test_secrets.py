"""A canary value is planted; after deploys that succeed and fail, and a rollback, it is only where it belongs."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import psutil

CANARY = "canary-5f1e7c0a9b"
OWN_URL_PASSWORD = "canary-url-77aa01"


def plant(world, **changes):
    path = world.app(**changes)
    manifest = (path / "underway.toml").read_text()
    if CANARY not in manifest:
        keys = f'API_KEY = {{value = "{CANARY}", secret = true}}\nSESSION_KEY = {{generate = "hex", secret = true}}'
        env = f"\n[env]\n{keys}\n"
        world.write(path, underway_dot_toml=manifest + env)
    return path


def holders(root: Path, secret: bytes):
    """Files below `root` that hold `secret`, by their path in the home."""
    return {
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink() and secret in path.read_bytes()
    }


class Arguments(threading.Thread):
    """Looks at every process's arguments again and again."""

    def __init__(self, secrets):
        super().__init__(daemon=True)
        self.secrets, self.over, self.seen, self.looks = secrets, threading.Event(), set(), 0

    def run(self):
        wanted = [(secret, secret.encode()) for secret in self.secrets]
        while not self.over.wait(0.05):
            self.looks += 1
            for name in os.listdir("/proc"):
                if name.isdigit():
                    with contextlib.suppress(OSError):
                        words = Path(f"/proc/{name}/cmdline").read_bytes()
                        self.seen |= {secret for secret, content in wanted if content in words}


def test_a_secret_is_only_in_the_vault_the_process_and_the_file_it_was_written_in(world):
    watcher = Arguments([CANARY])
    watcher.start()
    said = []

    def run(*words):
        done = world.run(*words)
        said.append(done.stdout + done.stderr)
        return done

    path = plant(world)
    assert run("deploy", path).returncode == 0
    assert run("deploy", plant(world, VERSION="2", MODE="dies")).returncode == 4
    assert run("deploy", plant(world, VERSION="3", MODE="good"), "--json").returncode == 0
    run("deploy", path, "--dry-run", "--json")
    run("rollback", "tiny", "--json")
    for words in (["status"], ["status", "tiny", "--json"], ["releases", "tiny", "--json"], ["logs", "tiny"]):
        run(*words)
    run("events", "tiny", "--json", "-n", "1000")
    watcher.over.set()
    watcher.join()

    assert watcher.looks > 20
    assert watcher.seen == set()
    assert CANARY not in "".join(said)
    found = holders(world.home, CANARY.encode())
    belongs = {name for name in found if name.endswith("/underway.toml")}
    running = {name for name in found if name.startswith("instances/") and name.endswith("instance.json")}
    assert found - belongs - running == set()
    for name in running | {"apps/tiny/vault/own.age", "keys/vault.key"}:
        assert (world.home / name).stat().st_mode & 0o077 == 0
    web = next(i for i in world.status()["instances"] if i["process"] == "web")
    children = [psutil.Process(web["pid"]), *psutil.Process(web["pid"]).children(recursive=True)]
    assert any(CANARY in child.environ().get("API_KEY", "") for child in children)


def test_the_password_in_an_address_of_ones_own_is_not_journaled(world):
    path = world.app()
    manifest = (path / "underway.toml").read_text()
    own = f'postgres = "postgresql://me:{OWN_URL_PASSWORD}@127.0.0.1:1/shop"'
    world.write(path, underway_dot_toml=manifest.replace("postgres = true", own))
    done = world.deploy(path)
    assert done["exit_code"] == 4
    assert OWN_URL_PASSWORD not in str(done["events"])
    found = {name for name in holders(world.home, OWN_URL_PASSWORD.encode()) if not name.endswith("underway.toml")}
    assert found == set()
