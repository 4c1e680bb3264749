"""Records what `underway deploy --json` prints, for docs/events.md: a deploy beside a live release, on the real parts.

`python -m tools.record_deploy`
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from tools.reference.events import EXAMPLE
from tools.reference.source import ROOT

APP = ROOT / "tests" / "journeys" / "apps" / "tiny"


def main() -> int:
    home = Path(tempfile.mkdtemp(prefix="underway-", dir="/tmp"))
    home.chmod(0o755)  # the account that PostgreSQL runs as must get in
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {**os.environ, "UNDERWAY_HOME": str(home), "UNDERWAY_HTTP_PORT": str(port)}
    app = home / "src" / "tiny"
    underway = [sys.executable, "-m", "underway"]
    try:
        shutil.copytree(APP, app)
        subprocess.run([*underway, "deploy", str(app), "--yes"], env=env, check=True, stdout=subprocess.DEVNULL)
        (app / "VERSION").write_text("2")
        with traffic(port):
            done = subprocess.run(
                [*underway, "deploy", str(app), "--yes", "--json"], env=env, check=True, capture_output=True, text=True
            )
        said = done.stdout.replace(f"{home}/src", "/srv").replace(str(home), "/var/lib/underway")
        EXAMPLE.parent.mkdir(parents=True, exist_ok=True)
        EXAMPLE.write_text(said.replace(f":{port}", ":8080"), encoding="utf-8")
    finally:
        subprocess.run([*underway, "agent", "stop", "--all", "--yes"], env=env, check=False)
        shutil.rmtree(home, ignore_errors=True)
    return 0


@contextlib.contextmanager
def traffic(port: int) -> Iterator[None]:
    """One client that asks again as soon as it has its answer."""
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.wait(0.01):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/", headers={"Host": "tiny.localhost"})
            connection.getresponse().read()
            connection.close()

    client = threading.Thread(target=ask)
    client.start()
    try:
        yield
    finally:
        is_over.set()
        client.join()


if __name__ == "__main__":
    sys.exit(main())
