"""The command line imports little: what it costs before it does anything is what every command costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

COSTLY = {"asyncio", "http.client", "email", "ssl", "typing_extensions", "psutil", "rich", "uvicorn", "starlette"}


CALL = """
import atexit, sys
from underway.cli.main import main
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
main(sys.argv[1:])
"""


def imported_by(*words) -> set[str]:
    done = subprocess.run([sys.executable, "-c", CALL, *words], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("command", ["deploy", "rollback", "status", "releases", "events", "logs", "down"])
def test_a_command_imports_nothing_costly(command):
    found = imported_by(command, "--help")
    assert f"underway.cli.{command}" in found
    assert found & COSTLY == set()


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_what_needs_no_agent_imports_no_client(option):
    found = imported_by(option)
    assert "click" in found
    assert found & (COSTLY | {"msgspec", "underway.cli.client"}) == set()
