"""What an app wrote inside its tree is carried into the shared storage once, and every release sees it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from underway.drivers.machine.shared import share


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path, Path]:
    kept, tree, source = (tmp_path / name for name in ("shared", "tree", "source"))
    tree.mkdir()
    source.mkdir()
    return kept, tree, source


def test_a_database_that_git_ignores_comes_with_what_is_in_its_log(places: tuple[Path, Path, Path]) -> None:
    kept, tree, source = places
    database = sqlite3.connect(source / "db.sqlite3")
    database.execute("PRAGMA journal_mode = wal")
    database.execute("CREATE TABLE t (x)")
    database.execute("INSERT INTO t VALUES (7)")
    database.commit()
    assert share(kept / "db.sqlite3", tree, source, "db.sqlite3")
    assert sqlite3.connect(tree / "db.sqlite3").execute("SELECT x FROM t").fetchall() == [(7,)]
    database.close()


def test_the_first_release_carries_and_later_ones_see_what_was_written(places: tuple[Path, Path, Path]) -> None:
    kept, tree, source = places
    for at in (tree, source):
        (at / "uploads").mkdir()
        (at / "uploads/.gitkeep").touch()
    (source / "uploads/ignored.jpg").write_text("first")
    assert share(kept / "uploads", tree, source, "uploads")
    assert (tree / "uploads/ignored.jpg").read_text() == "first"
    (tree / "uploads/new.jpg").write_text("second")
    later = tree.with_name("later")
    (later / "uploads").mkdir(parents=True)
    assert not share(kept / "uploads", later, source, "uploads")
    assert sorted(os.listdir(later / "uploads")) == [".gitkeep", "ignored.jpg", "new.jpg"]
    assert not share(kept / "uploads", later, source, "uploads"), "again changes nothing"


def test_what_is_not_there_yet_is_an_empty_folder_or_a_file_to_come(places: tuple[Path, Path, Path]) -> None:
    kept, tree, source = places
    assert not share(kept / "a/media", tree, source, "a/media")
    assert (tree / "a/media").is_dir()
    assert not share(kept / "shop.db", tree, source, "shop.db")
    (tree / "shop.db").write_text("made by the app")
    assert (kept / "shop.db").read_text() == "made by the app"


def test_nothing_from_outside_is_carried(places: tuple[Path, Path, Path], tmp_path: Path) -> None:
    kept, tree, source = places
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("canary")
    (source / "uploads").symlink_to(secret)
    (tree / "uploads").symlink_to(secret)
    (source / "media").mkdir()
    (source / "media/link").symlink_to(secret / "key")
    os.mkfifo(source / "media/pipe")
    assert not share(kept / "uploads", tree, source, "uploads")
    assert os.listdir(kept / "uploads") == []
    assert share(kept / "media", tree, source, "media")
    assert os.listdir(kept / "media") == ["link"]
    assert (kept / "media/link").is_symlink(), "a link stays one: its target is not copied"
