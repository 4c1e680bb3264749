"""What a script listens on, run as the detected command does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from underway.drivers.builds import listening
from underway.manifest.build import LISTEN_SCRIPT

LISTENS = """
import json, os, pickle, socket, sys
class Mine: pass
at = []
for family, host, port in json.loads(os.environ["WORDS"]):
    one = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == 6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    one.bind((host, port))
    one.listen()
    at.append([one.getsockname()[0], one.getsockname()[1] == int(os.environ["PORT"])])
near = socket.create_connection(("127.0.0.1", int(os.environ["NEAR"]))) if "NEAR" in os.environ else None
pickle.loads(pickle.dumps(Mine()))
print(json.dumps([at, sys.argv, __name__, os.path.basename(sys.path[0])]))
"""


@pytest.mark.parametrize(
    ("words", "at"),
    [
        ([[4, "0.0.0.0", 8888]], [["127.0.0.1", True]]),
        ([[4, "127.0.0.1", 0], [4, "", 8888]], [["127.0.0.1", False], ["127.0.0.1", True]]),
        ([[4, "", 8888], [6, "::", 8888]], [["127.0.0.1", True], ["::1", True]]),
        ([[4, "", "$"]], [["127.0.0.1", True]]),
    ],
)
def test_its_first_port_becomes_the_one_it_is_given(
    tmp_path: Path, free_port: int, words: list[Any], at: list[Any]
) -> None:
    if not socket.has_ipv6 and any(word[0] == 6 for word in words):
        pytest.skip("this machine has no IPv6")
    listening.add(tmp_path, LISTEN_SCRIPT)
    (tmp_path / "web").mkdir()
    (tmp_path / "web/serve.py").write_text(LISTENS)
    given = json.dumps(words).replace('"$"', str(free_port))
    done = subprocess.run(
        [sys.executable, LISTEN_SCRIPT, "web/serve.py", "--fast"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PORT": str(free_port), "WORDS": given},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert json.loads(done.stdout or "null") == [at, ["web/serve.py", "--fast"], "__main__", "web"], done.stderr


def test_a_server_that_looks_at_its_own_port_finds_itself(tmp_path: Path, free_port: int) -> None:
    listening.add(tmp_path, LISTEN_SCRIPT)
    (tmp_path / "serve.py").write_text(LISTENS)
    done = subprocess.run(
        [sys.executable, LISTEN_SCRIPT, "serve.py"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PORT": str(free_port), "WORDS": '[[4, "", 1]]', "NEAR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
