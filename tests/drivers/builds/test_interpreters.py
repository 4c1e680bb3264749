"""Pythons are found by running them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from underway.drivers.builds import available_pythons, interpreters
from underway.drivers.builds.interpreters import Interpreter, fitting

RUNNING = ".".join(map(str, sys.version_info[:3]))


def fake(folder: Path, name: str, version: str, level: str = "final", gil: str = "0", impl: str = "cpython") -> Path:
    """A script that answers as an interpreter of that version would."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "\n".join([*version.split("."), level, gil, impl, str(folder / name)])
    (folder / name).write_text(f"#!/bin/sh\necho asked >> {folder}/asked\ncat <<'E'\n{lines}\nE\n")
    (folder / name).chmod(0o755)
    return folder / name


def test_the_running_interpreter_is_among_them(tmp_path: Path) -> None:
    found = available_pythons(tmp_path, {"PATH": "/nonexistent"})
    assert RUNNING in found
    assert list(found) == sorted(found, key=lambda version: [int(part) for part in version.split(".")], reverse=True)
    assert len(set(found)) == len(found)


def test_shims_that_do_not_run_and_pre_releases_are_passed_over(tmp_path: Path) -> None:
    fake(tmp_path / "bin", "python3.90", "3.90.1")
    fake(tmp_path / "bin", "python3.91", "3.91.0", level="candidate")
    fake(tmp_path / "bin", "python3.92", "3.92.0", gil="1")
    fake(tmp_path / "bin", "python3.93", "3.93.0", impl="pypy")
    fake(tmp_path / "bin", "python3.7", "3.7.9")
    fake(tmp_path / "shims", "python3.94", "3.94.0")
    broken = tmp_path / "bin/python3.95"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    (tmp_path / "bin/python3.96").symlink_to("nowhere")
    fake(tmp_path / "pyenv/versions/3.97.2/bin", "python3.97", "3.97.2")
    env = {"PATH": f"{tmp_path}/bin:{tmp_path}/shims", "PYENV_ROOT": str(tmp_path / "pyenv")}
    found = available_pythons(tmp_path / "cache", env)
    assert found[:2] == ("3.97.2", "3.90.1")
    assert not {"3.91.0", "3.92.0", "3.93.0", "3.94.0", "3.7.9"} & set(found)


def test_an_interpreter_is_asked_once_until_it_changes(tmp_path: Path) -> None:
    path = fake(tmp_path / "bin", "python3.90", "3.90.1")
    env = {"PATH": str(tmp_path / "bin")}
    for _ in range(3):
        assert "3.90.1" in available_pythons(tmp_path / "cache", env)
    assert (tmp_path / "bin/asked").read_text().count("asked") == 1
    fake(tmp_path / "bin", "python3.90", "3.90.22")
    os.utime(path, (2_000_000_000, 2_000_000_000))
    assert "3.90.22" in available_pythons(tmp_path / "cache", env)
    path.unlink()
    assert "3.90.22" not in available_pythons(tmp_path / "cache", env)


@pytest.mark.parametrize(
    ("constraint", "version", "expected"),
    [
        ("", "", ["3.13.0", "3.12.1", "3.11.7"]),
        ("<3.13", "", ["3.12.1", "3.11.7"]),
        (">=3.9", "3.11", ["3.11.7"]),
        (">=3.9", "3.11.2", ["3.11.7"]),
        (">=3.12", "3.11", []),
        ("==3.12.4", "", ["3.12.1"]),
    ],
)
def test_those_that_satisfy_come_newest_first(constraint: str, version: str, expected: list[str]) -> None:
    found = tuple(Interpreter(v, "/x") for v in ((3, 13, 0), (3, 12, 1), (3, 11, 7), (3, 11, 2)))
    assert [one.says for one in fitting(found, constraint, version)] == expected


def test_a_spoilt_memory_is_written_again(tmp_path: Path) -> None:
    (tmp_path / "interpreters.json").write_text('{"/x": 3}')
    assert RUNNING in available_pythons(tmp_path, {"PATH": ""})
    assert interpreters.interpreters(tmp_path, {"PATH": ""})
