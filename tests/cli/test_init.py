"""`underway init`: what it writes, what it shows, and that a second run changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from underway.terms.outcome import Outcome


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "main.py").write_text(
        'import os\nfrom fastapi import FastAPI\napp = FastAPI()\nKEY = os.environ["STRIPE_KEY"]\n'
    )
    (folder / "requirements.txt").write_text("fastapi\nuvicorn\n")
    return folder


def init(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "UNDERWAY_HOME": str(folder.parent / "home"), "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "underway", "init", str(folder), *words],
        env=environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_evidence_is_shown_as_a_tree_and_nothing_is_written(shop: Path) -> None:
    done = init(shop, "--explain")
    assert "stack" in done.stdout
    assert "FastAPI: main:app  main.py:3" in done.stdout
    assert "requirements.txt" in done.stdout
    assert "STRIPE_KEY" in done.stdout, "what is missing is on the same screen"
    assert done.returncode == Outcome.REFUSED.exit_code
    assert not (shop / "underway.toml").exists()


def test_as_json(shop: Path) -> None:
    told = json.loads(init(shop, "--explain", "--json").stdout)
    assert {"about": "stack", "says": "FastAPI: main:app", "evidence": "main.py:3"} in told["claims"]
    assert told["problems"][0]["where"] == "main.py:4"
    assert "[processes.web]" in told["manifest"]


def test_a_second_run_changes_nothing(shop: Path) -> None:
    init(shop)
    first = (shop / "underway.toml").read_bytes()
    again = init(shop)
    assert again.returncode == 0
    assert (shop / "underway.toml").read_bytes() == first
