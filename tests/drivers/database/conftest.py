from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from underway.drivers.database.installation import Installation, Kind, installations
from underway.drivers.database.postgres import PostgresDatabase
from underway.terms.home import Home

FOUND = installations()


def only(kind: Kind) -> Callable[[], list[Installation]]:
    return lambda: [one for one in FOUND if one.kind is kind]


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that other accounts may enter, unlike pytest's own: PostgreSQL does not run as root."""
    folder = Path(tempfile.mkdtemp(prefix="underway-test-", dir=_quick_folder()))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def _quick_folder() -> str | None:
    """Memory where there is plenty: these tests kill processes, not the machine, so the disk only makes them slow."""
    try:
        found = os.statvfs("/dev/shm")
    except OSError:
        return None
    is_large = found.f_bavail * found.f_frsize > 2_000_000_000
    return "/dev/shm" if is_large and not found.f_flag & os.ST_NOEXEC and os.access("/dev/shm", os.W_OK) else None


@pytest.fixture
def new_home(open_folder: Path) -> Iterator[Callable[[], Home]]:
    """Makes homes of this test; what runs in them is stopped at its end."""
    made: list[Home] = []

    def make() -> Home:
        made.append(Home(Path(tempfile.mkdtemp(prefix="home-", dir=open_folder))))
        return made[-1]

    yield make
    for home in made:
        asyncio.run(PostgresDatabase(home).stop())
        shutil.rmtree(home.root)


@pytest.fixture
def home(new_home: Callable[[], Home]) -> Home:
    return new_home()


@pytest.fixture(scope="session", params=list(Kind), ids=lambda kind: kind.value)
def each_served(request: pytest.FixtureRequest, open_folder: Path) -> Iterator[Callable[[], PostgresDatabase]]:
    """Makes drivers of one server of each kind that runs for the whole session; each test's driver adopts it."""
    yield from _served(only(request.param), open_folder / request.param.value)


@pytest.fixture(scope="session")
def served(open_folder: Path) -> Iterator[Callable[[], PostgresDatabase]]:
    """The same with the preferred kind alone."""
    yield from _served(lambda: FOUND, open_folder / "preferred")


def _served(find: Callable[[], list[Installation]], root: Path) -> Iterator[Callable[[], PostgresDatabase]]:
    if not find():
        pytest.skip(f"there is no {root.name} PostgreSQL on this machine")
    home = Home(root)
    yield lambda: PostgresDatabase(home, find=find)
    asyncio.run(PostgresDatabase(home, find=find).stop())


@pytest.fixture
def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root runs PostgreSQL under another account")
