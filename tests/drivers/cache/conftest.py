from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from underway.drivers.cache.valkey import ValkeyCache
from underway.terms.home import Home


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that other accounts may enter, unlike pytest's own: the servers do not run as root."""
    folder = Path(tempfile.mkdtemp(prefix="underway-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def new_home(open_folder: Path) -> Iterator[Callable[[], Home]]:
    """Makes homes of this test; what runs in them is stopped at its end."""
    made: list[Home] = []

    def make() -> Home:
        made.append(Home(Path(tempfile.mkdtemp(prefix="home-", dir=open_folder))))
        return made[-1]

    yield make
    for home in made:
        folder = home.services / "redis"
        for app in [each.name for each in folder.iterdir() if each.is_dir()] if folder.is_dir() else []:
            asyncio.run(ValkeyCache(home).stop(app))


@pytest.fixture
def home(new_home: Callable[[], Home]) -> Home:
    return new_home()


@pytest.fixture
def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root runs the servers under another account")
