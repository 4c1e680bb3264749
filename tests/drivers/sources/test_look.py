"""What a release would be made of, as detection sees it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from underway.drivers.sources import LocalSources, reading
from underway.terms.home import Home
from underway.terms.problem import Refusal

Git = Callable[..., str]


def code_of(sources: LocalSources, path: Path) -> str:
    with pytest.raises(Refusal) as refused:
        sources.look(str(path))
    return refused.value.problems[0].code


def test_git_names_tracked_and_untracked_files_but_no_ignored_ones(sources: LocalSources, tree: Path, git: Git) -> None:
    (tree / ".gitignore").write_text("secret.txt\n*.log\n")
    for name in ("app.py", "secret.txt", "debug.log", "new.py"):
        (tree / name).write_text(name)
    git("add", "app.py", ".gitignore")
    git("commit", "-qm", "1")
    assert sources.look(str(tree)).paths == (".gitignore", "app.py", "new.py")


def test_a_tracked_file_that_was_deleted_is_not_there(sources: LocalSources, tree: Path, git: Git) -> None:
    for name in ("kept.py", "gone.py"):
        (tree / name).write_text("x")
    git("add", "-A")
    (tree / "gone.py").unlink()
    assert sources.look(str(tree)).paths == ("kept.py",)


def test_a_folder_of_a_repository_is_seen_from_that_folder(sources: LocalSources, tree: Path, git: Git) -> None:
    (tree / "backend/app").mkdir(parents=True)
    (tree / "README.md").write_text("top")
    (tree / "backend/app/main.py").write_text("x")
    git("add", "-A")
    seen = sources.look(str(tree / "backend"))
    assert (seen.name, seen.paths) == ("backend", ("app/main.py",))


def test_outside_git_junk_is_left_out_and_built_files_stay(sources: LocalSources, tree: Path) -> None:
    for name in (
        "app.py", "dist/index.html", "build/x.js", "node_modules/a/index.js", ".venv/bin/python", "env/pyvenv.cfg",
        "env/bin/python", "__pycache__/a.pyc", "a.egg-info/PKG-INFO", "sub/.mypy_cache/x", ".env.example",
    ):  # fmt: skip
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("x")
    assert sources.look(str(tree)).paths == (".env.example", "app.py", "build/x.js", "dist/index.html")


def test_symlinks_that_lead_out_are_left_out(sources: LocalSources, tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (tree / "inner").mkdir()
    (tree / "inner/real.py").write_text("real")
    links = {
        "absolute": "/etc/passwd",
        "up": "../outside/secret.txt",
        "folder": "../outside",
        "out-and-back": f"../{tree.name}/inner/real.py",
        "chained": "up",
        "round": "round",
        "to-inner": "inner/real.py",
        "to-folder": "inner",
        "inner/back": "../inner/real.py",
    }
    for name, target in links.items():
        (tree / name).symlink_to(target)
    seen = sources.look(str(tree))
    assert seen.paths == ("inner/back", "inner/real.py", "to-inner")
    assert seen.text("to-inner") == "real"
    assert seen.text("up") == ""


def test_a_tracked_folder_replaced_by_a_symlink_out_is_not_entered(
    sources: LocalSources, tree: Path, git: Git, tmp_path: Path
) -> None:
    (tree / "config").mkdir()
    (tree / "config/passwords.txt").write_text("mine")
    (tree / "app.py").write_text("x")
    git("add", "-A")
    (tree / "config/passwords.txt").unlink()
    (tree / "config").rmdir()
    (tmp_path / "passwords.txt").write_text("somebody's")
    (tree / "config").symlink_to(tmp_path)
    assert "config/passwords.txt" not in sources.look(str(tree)).paths


def test_a_symlink_put_in_place_of_a_file_after_the_look_is_not_read(
    sources: LocalSources, tree: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    for folder in (tree, tmp_path / "other"):
        (folder / "sub").mkdir()
        (folder / "sub/a.txt").write_text(folder.name)
    seen = sources.look(str(tree))
    (tree / "sub").rename(tree / "moved")
    (tree / "sub").symlink_to(tmp_path / "other/sub")
    assert seen.text("sub/a.txt") == ""


def test_pipes_sockets_and_devices_are_skipped(sources: LocalSources, tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tree / "socket"))
        (tree / "app.py").write_text("x")
        assert sources.look(str(tree)).paths == ("app.py",)


def test_large_and_binary_files_have_no_text(sources: LocalSources, tree: Path) -> None:
    (tree / "big.txt").write_bytes(b"a" * (reading.LARGEST_TEXT + 1))
    (tree / "fits.txt").write_bytes(b"a" * reading.LARGEST_TEXT)
    (tree / "image.png").write_bytes(b"\x89PNG\0\0")
    (tree / "latin.txt").write_bytes(b"caf\xe9")
    (tree / "windows.txt").write_text("flask==3.0.0\r\n", encoding="utf-16")
    seen = sources.look(str(tree))
    assert seen.paths == ("big.txt", "fits.txt", "image.png", "latin.txt", "windows.txt")
    assert set(seen.texts) == {"fits.txt", "latin.txt", "windows.txt"}
    assert "caf" in seen.text("latin.txt")
    assert seen.text("windows.txt").split() == ["flask==3.0.0"]


def test_a_sparse_file_of_a_terabyte_costs_nothing(sources: LocalSources, tree: Path) -> None:
    with open(tree / "huge.bin", "wb") as file:
        file.truncate(1 << 40)
    (tree / "app.py").write_text("x")
    assert list(sources.look(str(tree)).texts) == ["app.py"]


@pytest.mark.parametrize("in_git", [True, False])
def test_names_that_would_garble_a_screen_are_not_shown(
    sources: LocalSources, tree: Path, in_git: bool, request: pytest.FixtureRequest
) -> None:
    if in_git:
        request.getfixturevalue("git")
    for name in (b"new\nline", b"\x1b[31mred", b"not-utf8-\xff", "grün.py".encode(), b"with space.py", b"a\"b'.py"):
        (tree / os.fsdecode(name)).write_text("x")
    assert sources.look(str(tree)).paths == ("a\"b'.py", "grün.py", "with space.py")


def test_executables_are_told(sources: LocalSources, tree: Path) -> None:
    for name in ("run.sh", "app.py"):
        (tree / name).write_text("x")
    (tree / "run.sh").chmod(0o755)
    assert sources.look(str(tree)).executables == {"run.sh"}


def test_a_submodule_comes_with_its_files(sources: LocalSources, tree: Path, git: Git, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    git("init", "-q", cwd=library)
    (library / "lib.py").write_text("x")
    (library / ".gitignore").write_text("*.tmp\n")
    git("add", "-A", cwd=library)
    git("commit", "-qm", "1", cwd=library)
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "vendor")
    (tree / "vendor/x.tmp").write_text("ignored there")
    assert sources.look(str(tree)).paths == (".gitmodules", "vendor/.gitignore", "vendor/lib.py")


def test_a_home_inside_the_tree_is_not_part_of_it(tree: Path) -> None:
    (tree / "app.py").write_text("x")
    (tree / "state/apps").mkdir(parents=True)
    (tree / "state/journal.db").write_text("x")
    assert LocalSources(Home(root=tree / "state")).look(str(tree)).paths == ("app.py",)


def test_nothing_the_repository_configures_is_run(sources: LocalSources, tree: Path, git: Git, tmp_path: Path) -> None:
    """Every key of git's configuration that names a program, in a repository whose files differ from its index."""
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung.$(date +%N)\ncat\n")
    trap.chmod(0o755)
    (tree / "app.py").write_text("x")
    (tree / ".gitattributes").write_text("*.py filter=evil diff=evil\n")
    git("add", "-A")
    git("commit", "-qm", "1")
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in ("post-index-change", "fsmonitor-watchman", "pre-commit", "reference-transaction"):
        (hooks / hook).symlink_to(trap)
        (tree / ".git/hooks" / hook).unlink(missing_ok=True)
        (tree / ".git/hooks" / hook).symlink_to(trap)
    for key in (
        "core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.gitProxy", "diff.external",
        "filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "diff.evil.textconv", "gpg.program",
        "credential.helper", "core.alternateRefsCommand", "uploadpack.packObjectsHook",
    ):  # fmt: skip
        git("config", key, str(trap))
    git("config", "core.hooksPath", str(hooks))
    git("config", "filter.evil.required", "true")
    (tree / "app.py").write_text("y")  # same length: git must compare contents

    assert sources.look(str(tree)).paths == (".gitattributes", "app.py")
    assert asyncio.run(sources.fingerprint(str(tree))).is_dirty
    assert not list(tmp_path.glob("sprung.*"))
    subprocess.run(["git", "status"], cwd=tree, capture_output=True, check=False)  # the trap does work
    assert list(tmp_path.glob("sprung.*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_repository_of_another_user_is_read_as_git_reads_it(sources: LocalSources, tree: Path, git: Git) -> None:
    (tree / ".gitignore").write_text("secret.txt\n")
    for name in ("app.py", "secret.txt"):
        (tree / name).write_text("x")
    git("add", "-A")
    for path in (tree, *tree.rglob("*")):
        os.chown(path, 65534, 65534)
    assert subprocess.run(["git", "status"], cwd=tree, capture_output=True, check=False).returncode != 0
    assert sources.look(str(tree)).paths == (".gitignore", "app.py")


def test_what_cannot_be_deployed_is_refused(sources: LocalSources, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("x")
    assert code_of(sources, tmp_path / "nowhere") == "source.not-found"
    assert code_of(sources, tmp_path / "file.txt") == "source.not-a-folder"
    assert code_of(sources, tmp_path / "file.txt/below") == "source.not-found"
    assert code_of(sources, tree) == "source.empty"
    with pytest.raises(Refusal):
        sources.look("a\0b")


def test_a_repository_with_only_ignored_files_is_empty(sources: LocalSources, tree: Path, git: Git) -> None:
    (tree / "a.log").write_text("x")
    (tree / ".git/info/exclude").write_text("*.log\n")
    assert code_of(sources, tree) == "source.empty"


def test_a_broken_repository_is_read_as_a_plain_folder(sources: LocalSources, tree: Path) -> None:
    (tree / ".git").write_text("gitdir: /nonexistent\n")
    (tree / "app.py").write_text("x")
    assert sources.look(str(tree)).paths == ("app.py",)


def test_many_files_are_listed_quickly(sources: LocalSources, tree: Path) -> None:
    for number in range(30):
        (tree / f"d{number}").mkdir()
        for file in range(100):
            (tree / f"d{number}/f{file}").touch()
    began = time.monotonic()
    assert len(sources.look(str(tree)).paths) == 3_000
    assert time.monotonic() - began < 30, "measured 0.4 s for 50,000: a bound, not a measure"
