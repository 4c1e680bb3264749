"""How long an app takes to start by itself, so that it can be told from what Underway adds."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from statistics import median

from tests.journeys.world import World


def own_start_s(world: World, app: str, command: str, path: str, times: int = 3) -> float:
    """Median seconds from starting `command` until `path` answers well, without Underway.

    It runs beside the live instance of `app`, in the same folder and with the same environment but for its port.
    """
    live = next(i for i in world.status(app)["instances"] if i["process"] == "web")
    environ = Path(f"/proc/{live['pid']}/environ").read_bytes().decode().split("\0")
    env = dict(line.split("=", 1) for line in environ if "=" in line)
    folder = Path(f"/proc/{live['pid']}/cwd").resolve()
    return median(_once(command, folder, env, path) for _ in range(times))


def _once(command: str, folder: Path, env: dict[str, str], path: str) -> float:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {name: value for name, value in env.items() if not name.startswith("UNDERWAY_I")} | {"PORT": str(port)}
    began = time.perf_counter()
    process = subprocess.Popen(
        ["sh", "-c", command],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not _answers(port, path):
            assert process.poll() is None, f"{command} ended with {process.returncode}"
            assert time.perf_counter() - began < 60, f"{command} never answered"
            time.sleep(0.005)
        return time.perf_counter() - began
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": "localhost"})
        return connection.getresponse().status < 400
    except OSError:
        return False
    finally:
        connection.close()
