"""Shared files and SQLite databases: copied while they are in use, put back whole."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import sqlite3
import tarfile
import threading
from pathlib import Path

import pytest
import zstandard

from underway.drivers.backups.keys import AgeSeals
from underway.drivers.backups.shared import SharedCopies
from underway.ports.copies import PartFile
from underway.terms.backup import Content, differences
from underway.terms.home import Home
from underway.terms.problem import Failure


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.shared("shop").mkdir(parents=True)
    return made


def database(home: Home, rows: int = 1000, *, journal: str = "wal") -> Path:
    path = home.shared("shop") / "app.db"
    with sqlite3.connect(path) as made:
        made.execute(f"PRAGMA journal_mode = {journal}")
        made.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, text)")
        made.execute('CREATE TABLE "a ""strange"" name" (x)')
        made.executemany("INSERT INTO t VALUES (?, ?)", ((n, f"row {n}" * 20) for n in range(rows)))
    made.close()
    return path


def taken(home: Home, source: str, folder: Path, *recipients: str) -> PartFile:
    folder.mkdir(exist_ok=True)
    part = asyncio.run(SharedCopies(home).take("shop", source, str(folder), recipients))
    assert part is not None
    return PartFile(str(folder / part.file), part)


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_an_sqlite_database_is_copied_whole_while_it_is_written(home: Home, tmp_path: Path, journal: str) -> None:
    path = database(home, 20_000, journal=journal)
    is_over, written = threading.Event(), 0

    def write() -> None:
        nonlocal written
        with sqlite3.connect(path, timeout=30) as session:
            while not is_over.is_set():
                # Two rows or none: a copy that is no snapshot could have an odd count.
                session.execute("INSERT INTO t (text) VALUES ('a'), ('b')")
                session.commit()
                written += 1
        session.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        file = taken(home, "app.db", tmp_path / "backup")
    finally:
        is_over.set()
        writer.join()
    assert written
    assert file.part.content is Content.SQLITE
    assert file.part.tables["t"] % 2 == 0
    assert file.part.tables['a "strange" name'] == 0
    found = asyncio.run(SharedCopies(home).read_through(file))
    assert differences(file.part, found) == ()
    assert os.listdir(tmp_path / "backup") == [Path(file.path).name]
    assert Path(file.path).stat().st_mode & 0o777 == 0o600


def test_a_database_in_a_folder_is_whole_though_it_is_written_meanwhile(home: Home, tmp_path: Path) -> None:
    (home.shared("shop") / "uploads").mkdir()
    path = database(home, 20_000).rename(home.shared("shop") / "uploads" / "app.db")
    (home.shared("shop") / "uploads" / "notes-wal").write_text("no database is called notes")
    is_over, written = threading.Event(), 0

    def write() -> None:
        nonlocal written
        with sqlite3.connect(path, timeout=30) as session:
            while not is_over.is_set():
                session.execute("INSERT INTO t (text) VALUES ('a'), ('b')")  # two rows or none
                session.commit()
                written += 1
            file_names.extend(os.listdir(path.parent))
        session.close()

    file_names: list[str] = []
    writer = threading.Thread(target=write)
    writer.start()
    try:
        file = taken(home, "uploads", tmp_path / "backup")
    finally:
        is_over.set()
        writer.join()
    assert written
    assert "app.db-wal" in file_names
    copies = SharedCopies(home)
    assert differences(file.part, asyncio.run(copies.restore_beside("shop", file))) == ()
    restored = home.shared("shop") / ".uploads.restoring"
    assert sorted(os.listdir(restored)) == ["app.db", "notes-wal"]
    with contextlib.closing(sqlite3.connect(restored / "app.db")) as session:
        assert session.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        count = session.execute("SELECT count(*) FROM t").fetchone()[0]
    assert count >= 20_000
    assert count % 2 == 0
    assert os.listdir(tmp_path / "backup") == [Path(file.path).name]


def test_a_folder_comes_back_with_names_links_modes_and_bytes(home: Home, tmp_path: Path) -> None:
    folder = home.shared("shop") / "uploads"
    (folder / "ü b").mkdir(parents=True)
    (folder / "ü b" / "pic.bin").write_bytes(os.urandom(300_000))
    (folder / "empty").touch()
    (folder / "script").write_text("#!/bin/sh\n")
    (folder / "script").chmod(0o755)
    (folder / "link").symlink_to("empty")
    os.mkfifo(folder / "pipe")
    copies = SharedCopies(home)
    file = taken(home, "uploads", tmp_path / "backup")
    assert file.part.files == 3
    before = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    (folder / "script").write_text("changed")
    (folder / "later").touch()

    async def story() -> None:
        found = await copies.restore_beside("shop", file)
        assert differences(file.part, found) == ()
        assert (folder / "later").exists()
        for _ in range(2):
            await copies.swap("shop", "uploads", "former-1")
        assert {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
        assert (folder / "script").stat().st_mode & 0o777 == 0o755
        assert (folder / "link").readlink() == Path("empty")
        for _ in range(2):
            await copies.swap_back("shop", "uploads", "former-1")
        assert (folder / "script").read_text() == "changed"
        assert (folder / "later").exists()
        assert [p.name for p in home.shared("shop").iterdir()] == ["uploads"]

    asyncio.run(story())


def test_a_database_is_swapped_with_its_log(home: Home, tmp_path: Path) -> None:
    path = database(home, 10)
    copies = SharedCopies(home)
    file = taken(home, "app.db", tmp_path / "backup")
    late = sqlite3.connect(path)  # stays open, so that its log stays beside it
    late.execute("INSERT INTO t (text) VALUES ('after the backup')")
    late.commit()
    assert path.with_name("app.db-wal").stat().st_size

    async def story() -> None:
        await copies.restore_beside("shop", file)
        await copies.swap("shop", "app.db", "former-1")
        assert _count(path) == 10
        await copies.swap_back("shop", "app.db", "former-1")
        assert _count(path) == 11

    asyncio.run(story())
    late.close()


def _count(path: Path) -> int:
    session = sqlite3.connect(path)
    try:
        return session.execute("SELECT count(*) FROM t").fetchone()[0]
    finally:
        session.close()


@pytest.mark.parametrize("source", ["app.db", "uploads"])
@pytest.mark.parametrize("harm", ["empty", "cut", "flipped", "noise"])
def test_what_is_damaged_is_told(home: Home, tmp_path: Path, source: str, harm: str) -> None:
    database(home)
    (home.shared("shop") / "uploads").mkdir()
    (home.shared("shop") / "uploads" / "a").write_bytes(os.urandom(100_000))
    file = taken(home, source, tmp_path / "backup")
    path = Path(file.path)
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    path.write_bytes({"empty": b"", "cut": whole[:middle], "flipped": flipped, "noise": os.urandom(999)}[harm])
    with pytest.raises(Failure) as failed:
        asyncio.run(SharedCopies(home).read_through(file))
    assert failed.value.problem.code == "backup.damaged"
    assert not list((home.root / "scratch").iterdir())


def test_an_encrypted_copy_opens_with_its_key(home: Home, tmp_path: Path) -> None:
    database(home)
    seals = AgeSeals()
    ours = seals.new_identity()
    file = taken(home, "app.db", tmp_path / "backup", seals.recipient_of(ours))
    found = asyncio.run(SharedCopies(home).read_through(PartFile(file.path, file.part, ours)))
    assert differences(file.part, found) == ()
    with pytest.raises(Failure) as failed:
        asyncio.run(SharedCopies(home).read_through(PartFile(file.path, file.part, seals.new_identity())))
    assert failed.value.problem.code == "backup.key"


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "link/outside"])
def test_nothing_is_unpacked_outside(home: Home, tmp_path: Path, name: str) -> None:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        tar.addfile(link)
        entry = tarfile.TarInfo(name)
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"evil"))
    (home.shared("shop") / "uploads").mkdir()
    (home.shared("shop") / "uploads" / "a").touch()
    file = taken(home, "uploads", tmp_path / "backup")
    Path(file.path).write_bytes(zstandard.compress(held.getvalue()))
    with contextlib.suppress(Failure):  # an absolute name is unpacked inside, the others are refused
        asyncio.run(SharedCopies(home).read_through(file))
    assert not (tmp_path / "outside").exists()
    assert not Path("/etc/outside").exists()


def test_what_is_not_there_yet_is_no_part(home: Home, tmp_path: Path) -> None:
    (home.shared("shop") / "uploads").mkdir()
    copies = SharedCopies(home)
    assert asyncio.run(copies.take("shop", "never-made", str(tmp_path))) is None
    assert asyncio.run(copies.take("shop", "uploads", str(tmp_path))) is None
    (home.shared("shop") / "uploads" / "a").touch()
    assert asyncio.run(copies.take("shop", "uploads", str(tmp_path), only_databases=True)) is None
