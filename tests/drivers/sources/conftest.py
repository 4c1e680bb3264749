from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from underway.drivers.sources import LocalSources
from underway.terms.home import Home

Git = Callable[..., str]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path / "home")


@pytest.fixture
def sources(home: Home) -> LocalSources:
    return LocalSources(home)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An empty folder to put an application in."""
    folder = tmp_path / "app"
    folder.mkdir()
    return folder


@pytest.fixture
def git(tree: Path) -> Git:
    """Runs git in the tree, which becomes a repository."""

    def run(*args: str, cwd: Path = tree) -> str:
        author = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        for who in ("AUTHOR", "COMMITTER"):
            author |= {f"GIT_{who}_NAME": "t", f"GIT_{who}_EMAIL": "t@example.org"}
        ended = subprocess.run(
            ["git", *args], cwd=cwd, env={**os.environ, **author}, capture_output=True, text=True, check=True
        )
        return ended.stdout.strip()

    run("init", "-q", "-b", "main")
    return run
