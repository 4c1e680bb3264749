"""An S3-compatible server on loopback: rclone's own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from underway.drivers.backups.remotes import program

KEY, WORD = "AKUNDERWAYTEST", "canary-Zq7pXw2Lk9"


def closed_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def settings(port: int, word: str = WORD) -> dict[str, str]:
    """What rclone must know to find the server as `offsite:`."""
    prefix = "RCLONE_CONFIG_OFFSITE_"
    return {
        f"{prefix}TYPE": "s3",
        f"{prefix}PROVIDER": "Rclone",
        f"{prefix}ENDPOINT": f"http://127.0.0.1:{port}",
        f"{prefix}ACCESS_KEY_ID": KEY,
        f"{prefix}SECRET_ACCESS_KEY": word,
    }


@contextmanager
def s3(folder: Path, port: int) -> Iterator[None]:
    """Serve the folders in `folder` as buckets until the end of the block."""
    found = program()
    assert found, "there is no rclone"
    server = subprocess.Popen(
        [found, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--config", "/dev/null", str(folder)],
        env={**os.environ, "RCLONE_AUTH_KEY": f'"{KEY},{WORD}"'},
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < deadline, "the S3 server did not start"
            time.sleep(0.05)
        yield
    finally:
        server.kill()
        server.wait()
