"""An old lock is installed with a Python it has packages for."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from underway.drivers.builds.interpreters import Interpreter, interpreters
from underway.drivers.builds.wheels import by_fit, lock_text
from underway.manifest.build import BuildKeys, PythonBuild

HERE = f"manylinux_2_17_{platform.machine()}.manylinux2014_{platform.machine()}"
FOUND = [Interpreter((3, minor, 0), "/x") for minor in (14, 13, 12, 11)]


def order(*wheels: str) -> list[int]:
    return [one.version[1] for one in by_fit(FOUND, "\n".join(f'    {{file = "{wheel}"}},' for wheel in wheels))]


def test_pure_and_stable_abi_wheels_fit_every_python() -> None:
    assert order("a-1.0-py3-none-any.whl", "b_c-2.0-py2.py3-none-any.whl", f"d-3-cp39-abi3-{HERE}.whl") == [
        14,
        13,
        12,
        11,
    ]


def test_the_python_with_most_wheels_comes_first() -> None:
    old = [f"fast-1.0-cp3{minor}-cp3{minor}-{HERE}.whl" for minor in (10, 11, 12)]
    assert order(*old) == [12, 11, 14, 13]
    assert order(*old, f"other-1.0-cp311-cp311-{HERE}.whl") == [11, 12, 14, 13]


def test_wheels_for_other_systems_and_builds_without_gil_do_not_count() -> None:
    assert order("win-1.0-cp311-cp311-win_amd64.whl", "mac-1-cp311-cp311-macosx_11_0_arm64.whl") == [14, 13, 12, 11]
    assert order(f"fast-1.0-cp314-cp314t-{HERE}.whl", f"fast-1.0-cp313-cp313-{HERE}.whl") == [13, 14, 12, 11]


def test_a_lock_without_files_changes_nothing() -> None:
    assert by_fit(FOUND, "") == FOUND


def test_the_lock_is_looked_for_upwards() -> None:
    files = {"uv.lock": "top", "api/poetry.lock": "inner"}
    read = lambda path: files.get(path, "")  # noqa: E731 - a name for a one-line double of the reader
    assert lock_text(PythonBuild(manager="uv", dir="api"), read) == "top"
    assert lock_text(PythonBuild(manager="poetry", dir="api"), read) == "inner"
    assert lock_text(PythonBuild(manager="pip"), read) == ""


@pytest.fixture
def older(bench: Any, tmp_path: Path, add_wheel: Callable[..., None]) -> str:
    """The second newest Python of this machine, the only one for which the index has `picky`; uv locks with it."""
    found = {one.version[:2]: one for one in reversed(interpreters(tmp_path, bench.environ))}
    if len(found) < 2:
        pytest.skip("there is only one Python on this machine")
    minor = sorted(found)[-2]
    bench.environ["UV_PYTHON"] = found[minor].path
    tag = f"cp{minor[0]}{minor[1]}"
    add_wheel("picky", "1.0", tag=f"{tag}-{tag}-{HERE}")
    return f"{minor[0]}.{minor[1]}"


VERSION = "import picky, sys; print('%d.%d' % sys.version_info[:2])"


def test_packages_that_do_not_exist_for_the_newest_python_are_installed_for_an_older_one(
    bench: Any, older: str
) -> None:
    bench.write({"requirements.txt": "picky==1.0\n"})
    build = bench.make(BuildKeys(python=PythonBuild(manager="pip")))
    assert bench.python(build, VERSION) == older
    assert len([line for line in bench.said if "installing" in line]) == 2
    newest = bench.fail(BuildKeys(python=PythonBuild(manager="pip", version="3." + str(int(older.split(".")[1]) + 1))))
    assert newest.problem.code in ("build.install", "build.python"), "a version that was asked for is kept to"


def test_a_lock_says_it_beforehand(bench: Any, older: str) -> None:
    project = f'[project]\nname = "own"\nversion = "1"\nrequires-python = ">={older}"\ndependencies = ["picky"]\n'
    bench.write({"pyproject.toml": project})
    bench.uv("lock")
    build = bench.make(BuildKeys(python=PythonBuild(manager="uv")))
    assert bench.python(build, VERSION) == older
    assert len([line for line in bench.said if "installing" in line]) == 1
