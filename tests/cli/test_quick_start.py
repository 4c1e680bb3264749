"""The command line imports little: what it costs before it does anything is what every command costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

COSTLY = {"asyncio", "http.client", "email", "ssl", "typing_extensions", "psutil", "rich", "uvicorn", "starlette"}


def imported_by(*words) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "underway", *words], capture_output=True, text=True, check=True
    )
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize("command", ["deploy", "rollback", "status", "releases", "events", "logs", "down"])
def test_a_command_imports_nothing_costly(command):
    found = imported_by(command, "--help")
    assert "underway.cli.client" in found
    assert found & COSTLY == set()


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_what_needs_no_agent_imports_no_client(option):
    found = imported_by(option)
    assert "click" in found
    assert found & (COSTLY | {"msgspec", "underway.cli.client"}) == set()
