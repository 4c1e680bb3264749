"""Equal trees have equal digests, and a copy has the digest of its source."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from underway.drivers.sources import LocalSources, digest
from underway.drivers.sources.copying import copy_tree
from underway.terms.home import Home
from underway.terms.problem import Refusal
from underway.terms.release import Source

Git = Callable[..., str]


@pytest.fixture
def fingerprint(sources: LocalSources) -> Callable[[Path], Source]:
    return lambda path: asyncio.run(sources.fingerprint(str(path)))


Fingerprint = Callable[[Path], Source]


def test_commit_and_dirtiness(fingerprint: Fingerprint, tree: Path, git: Git) -> None:
    (tree / "app.py").write_text("x")
    (tree / ".gitignore").write_text("*.log\n")
    assert fingerprint(tree).commit == ""
    git("add", "-A")
    git("commit", "-qm", "1")
    clean = fingerprint(tree)
    assert (clean.commit, clean.is_dirty) == (git("rev-parse", "HEAD"), False)
    (tree / "x.log").write_text("ignored")
    assert fingerprint(tree) == clean
    (tree / "new.py").write_text("untracked")
    assert fingerprint(tree).is_dirty
    (tree / "new.py").unlink()
    (tree / "app.py").write_text("y")
    changed = fingerprint(tree)
    assert changed.is_dirty
    assert changed.digest != clean.digest
    git("add", "-A")
    assert fingerprint(tree).is_dirty
    assert fingerprint(tree).says() == clean.commit[:7] + "+dirty"


def test_the_digest_is_over_names_modes_and_contents(fingerprint: Fingerprint, tree: Path, tmp_path: Path) -> None:
    (tree / "a.txt").write_text("one")
    (tree / "b.txt").write_text("two")
    seen = {fingerprint(tree).digest}
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tree, elsewhere)
    assert fingerprint(elsewhere).digest in seen, "equal trees have equal digests"

    def differs() -> None:
        now = fingerprint(tree).digest
        assert now not in seen
        seen.add(now)

    (tree / "a.txt").chmod(0o755)
    differs()
    (tree / "a.txt").rename(tree / "c.txt")
    differs()
    (tree / "b.txt").write_text("twO")
    differs()
    (tree / "link").symlink_to("b.txt")
    differs()
    (tree / "link").unlink()
    (tree / "link").symlink_to("c.txt")
    differs()


def test_a_change_that_keeps_size_and_time_is_noticed(fingerprint: Fingerprint, tree: Path) -> None:
    file = tree / "a.txt"
    file.write_text("one")
    long_ago = (1_000_000_000, 1_000_000_000)
    os.utime(file, ns=long_ago)
    before = fingerprint(tree).digest
    fingerprint(tree)
    file.write_text("two")
    os.utime(file, ns=long_ago)
    assert fingerprint(tree).digest != before


def test_a_second_fingerprint_reads_no_file_again(
    fingerprint: Fingerprint, home: Home, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "a.txt").write_text("one")
    monkeypatch.setattr(digest, "_FRESH_NS", -(10**18))  # as if the file were old
    before = fingerprint(tree)
    assert oct((home.cache / "fingerprints").stat().st_mode & 0o777) == "0o700"
    monkeypatch.setattr(digest.FileDigests, "_hashed", lambda *_: pytest.fail("read again"))
    assert fingerprint(tree) == before


def test_a_spoilt_memory_changes_nothing(fingerprint: Fingerprint, home: Home, tree: Path) -> None:
    (tree / "a.txt").write_text("one")
    before = fingerprint(tree)
    (home.cache / "fingerprints").mkdir(parents=True, exist_ok=True)
    for kept in (home.cache / "fingerprints").iterdir():
        kept.write_bytes(b"\xff\x00spoilt")
    assert fingerprint(tree) == before


def test_a_home_that_cannot_be_written_does_not_stop_it(tmp_path: Path, tree: Path) -> None:
    (tree / "a.txt").write_text("one")
    (tmp_path / "file").write_text("")
    sources = LocalSources(Home(root=tmp_path / "file"))
    assert asyncio.run(sources.fingerprint(str(tree))).digest


def test_refusals_are_those_of_look(sources: LocalSources, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"source\.not-found"):
        asyncio.run(sources.fingerprint(str(tmp_path / "nowhere")))


def test_a_copy_holds_exactly_the_fingerprinted_files(
    fingerprint: Fingerprint, tree: Path, git: Git, tmp_path: Path
) -> None:
    (tree / ".gitignore").write_text("*.log\n")
    (tree / "deep/er").mkdir(parents=True)
    (tree / "deep/er/run.sh").write_text("#!/bin/sh\n")
    (tree / "deep/er/run.sh").chmod(0o777)
    (tree / "x.log").write_text("ignored")
    (tree / "link").symlink_to("deep/er")
    (tree / "out").symlink_to("/etc")
    (tree / os.fsdecode(b"odd\n\xff")).write_text("odd")
    git("add", "-A")
    copied = copy_tree(str(tree), tmp_path / "copy")
    assert copied.digest == fingerprint(tree).digest
    found = {os.path.relpath(path, tmp_path / "copy") for path in (tmp_path / "copy").rglob("*")}
    assert found == {".gitignore", "deep", "deep/er", "deep/er/run.sh", "link", os.fsdecode(b"odd\n\xff")}
    assert (tmp_path / "copy/link/run.sh").stat().st_mode & 0o777 == 0o755 & ~_umask()
    assert (tmp_path / "copy/link/run.sh").stat().st_mtime_ns == (tree / "deep/er/run.sh").stat().st_mtime_ns


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


_NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..", ".git") and len(name.encode()) < 200
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(_NAMES, st.tuples(st.binary(max_size=64), st.booleans()), min_size=1, max_size=6))
def test_any_tree_is_copied_to_its_own_digest(
    files: dict[str, tuple[bytes, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    source = folder / "source"
    source.mkdir()
    for name, (content, is_executable) in files.items():
        (source / name).write_bytes(content)
        (source / name).chmod(0o755 if is_executable else 0o644)
    sources = LocalSources(Home(root=folder / "home"))
    try:
        expected = asyncio.run(sources.fingerprint(str(source))).digest
    except Refusal:  # only junk names
        return
    assert copy_tree(str(source), folder / "copy").digest == expected
