"""Files that everybody may read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from underway.drivers.public_files.folder import PublicFolder
from underway.terms.problem import Failure


def test_everybody_can_read_them_and_what_else_is_there_stays(tmp_path: Path) -> None:
    folder = tmp_path / "srv" / "status"
    folder.mkdir(parents=True)
    (folder / "robots.txt").write_text("somebody else's")
    before = os.umask(0o077)
    try:
        PublicFolder().put(folder, {"index.html": b"one", "feed.xml": b"<rss/>"})
        PublicFolder().put(folder, {"index.html": b"two"})
    finally:
        os.umask(before)
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert found == {"index.html": b"two", "feed.xml": b"<rss/>", "robots.txt": b"somebody else's"}
    assert (folder / "index.html").stat().st_mode & 0o777 == 0o644


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure) as told:
        PublicFolder().put(tmp_path / "file" / "status", {"index.html": b"one"})
    assert told.value.problem.code == "statuspage.folder"
