"""Environments from every kind of lock, with the real uv."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from underway.drivers.builds import locks, python_env
from underway.drivers.builds.interpreters import available_pythons
from underway.manifest.build import BuildKeys, PythonBuild

VERSIONS = "import importlib.metadata as m; print(*sorted(f'{d.name}={d.version}' for d in m.distributions()))"
BACKEND = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
LOCAL_BACKEND = """\
import base64, hashlib, os, zipfile

def get_requires_for_build_editable(config_settings=None):
    return []

def build_editable(folder, config_settings=None, metadata_directory=None):
    files = {
        "own.pth": os.getcwd() + "\\n",
        "own-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: own\\nVersion: 1\\n",
        "own-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    files["own-1.dist-info/RECORD"] = "".join(f"{name},,\\n" for name in files)
    with zipfile.ZipFile(os.path.join(folder, "own-1-py3-none-any.whl"), "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return "own-1-py3-none-any.whl"
"""


def project(*needs: str, requires: str = ">=3.9", more: str = "") -> str:
    listed = ", ".join(f'"{need}"' for need in needs)
    return f'[project]\nname = "own"\nversion = "1"\nrequires-python = "{requires}"\ndependencies = [{listed}]\n{more}'


def python(manager: str, **keys: Any) -> BuildKeys:
    return BuildKeys(python=PythonBuild(manager=manager, **keys))


def installed(bench: Any, build: Any) -> set[str]:
    return set(bench.python(build, VERSIONS).split())


def test_uv_installs_the_lock_without_dev_and_the_project_itself(bench: Any) -> None:
    groups = '[dependency-groups]\ndev = ["huge"]\nserver = ["gadget"]\n'
    bench.write({"pyproject.toml": project("tiny<2", more=groups + BACKEND), "backend.py": LOCAL_BACKEND, "own.py": ""})
    bench.uv("lock")
    assert installed(bench, bench.make(python("uv"))) == {"own=1", "tiny=1.0"}
    build = bench.make(python("uv", groups=("server",)))
    assert installed(bench, build) == {"own=1", "tiny=1.0", "gadget=1.0"}
    origin = bench.python(build, "import own; print(own.__file__)")
    assert origin == f"{build.dir}/own.py", "the package runs from the copied tree"
    assert "huge=3.0" in installed(bench, bench.make(python("uv", groups=("dev",))))


def test_uv_finds_the_lock_of_a_workspace_above(bench: Any) -> None:
    bench.write(
        {
            "pyproject.toml": '[tool.uv.workspace]\nmembers = ["backend"]\n',
            "backend/pyproject.toml": project("tiny==1.0"),
        }
    )
    bench.uv("lock")
    assert "tiny=1.0" in installed(bench, bench.make(python("uv", dir="backend")))
    assert "tiny=1.0" in installed(bench, bench.make(python("uv")))


def test_uv_installs_although_another_patch_is_asked_for(bench: Any) -> None:
    bench.write({"pyproject.toml": project("tiny==1.0", requires=">=3.9")})
    bench.uv("lock")
    for name in ("pyproject.toml", "uv.lock"):
        text = (bench.tree / name).read_text()
        (bench.tree / name).write_text(text.replace('">=3.9"', '"==3.11.250"'))
    build = bench.make(python("uv"))
    assert installed(bench, build) == {"tiny=1.0"}
    assert any("another patch" in line for line in bench.said)
    assert bench.python(build, "import sys; print(sys.version_info[:2])") == "(3, 11)"


def test_extra_packages_are_added(bench: Any) -> None:
    bench.write({"pyproject.toml": project("tiny==1.0")})
    bench.uv("lock")
    build = bench.make(python("uv", extra=("gadget[big]",)))
    assert installed(bench, build) == {"tiny=1.0", "gadget=1.0", "huge=3.0"}


def test_pip_with_several_files_and_unpinned_lines(bench: Any) -> None:
    bench.write({"requirements/base.txt": "tiny==1.0\n", "requirements/prod.txt": "-r base.txt\ngadget  # soon\n"})
    build = bench.make(python("pip", requirements=("requirements/prod.txt",)))
    assert installed(bench, build) == {"tiny=1.0", "gadget=1.0"}
    assert any("1 of 1 requirements name no exact version (gadget)" in line for line in bench.said)


def test_pips_former_index_is_not_asked(bench: Any) -> None:
    bench.write({"requirements.txt": "-i https://pypi.python.org/simple\ntiny==1.0\n"})
    assert installed(bench, bench.make(python("pip"))) == {"tiny=1.0"}
    assert any("PyPI's former name" in line for line in bench.said)


def test_pip_with_hashes_requires_them(bench: Any, wheels: Path) -> None:
    digest = hashlib.sha256((wheels / "tiny-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    bench.write({"requirements.txt": f"tiny==1.0 \\\n  --hash=sha256:{digest}\n"})
    assert installed(bench, bench.make(python("pip"))) == {"tiny=1.0"}
    bench.write({"requirements.txt": f"tiny==1.0 --hash=sha256:{'0' * 64}\n"})
    assert "ash mismatch" in bench.fail(python("pip")).problem.why


def test_poetry_from_its_lock(bench: Any, wheels: Path) -> None:
    digest = hashlib.sha256((wheels / "tiny-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    bench.write(
        {
            "pyproject.toml": (
                '[tool.poetry]\nname = "own"\nversion = "1"\npackage-mode = false\n'
                '[tool.poetry.dependencies]\npython = "^3.9"\ntiny = "^1.0"\n'
                'gadget = {version = "*", extras = ["big"], optional = true}\n'
                '[tool.poetry.group.dev.dependencies]\nnothing = "*"\n'
                '[tool.poetry.extras]\nall = ["gadget"]\n'
            ),
            "poetry.lock": (
                f'[[package]]\nname = "tiny"\nversion = "1.0"\nfiles = [{{file = "t", hash = "sha256:{digest}"}}]\n'
                '[package.extras]\nall = ["x"]\n'
                '[[package]]\nname = "gadget"\nversion = "1.0"\nfiles = []\n'
                '[metadata]\nlock-version = "2.0"\n'
            ),
        }
    )
    assert installed(bench, bench.make(python("poetry"))) == {"tiny=1.0"}
    assert installed(bench, bench.make(python("poetry", groups=("all",)))) == {"tiny=1.0", "gadget=1.0", "huge=3.0"}
    lock = (bench.tree / "poetry.lock").read_text().replace(digest, "0" * 64)
    bench.write({"poetry.lock": lock})
    failure = bench.fail(python("poetry"))
    assert failure.problem.code == "build.install"
    assert "ash mismatch" in failure.problem.why


def test_pdm_from_its_lock(bench: Any) -> None:
    bench.write(
        {
            "pyproject.toml": project("tiny>=1"),
            "pdm.lock": '[[package]]\nname = "tiny"\nversion = "1.0"\nfiles = []\n'
            '[[package]]\nname = "tiny"\nversion = "1.0"\nextras = ["all"]\nfiles = []\n',
        }
    )
    assert installed(bench, bench.make(python("pdm"))) == {"tiny=1.0"}


def test_pipenv_from_its_lock(bench: Any, wheels: Path) -> None:
    digest = hashlib.sha256((wheels / "tiny-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    bench.write(
        {
            "Pipfile.lock": (
                '{"_meta": {"requires": {"python_version": "3.11"}, "sources": [{"url": "https://pypi.org/simple"}]},'
                f'"default": {{"tiny": {{"version": "==1.0", "hashes": ["sha256:{digest}"]}},'
                '"gadget": {"version": "==1.0", "markers": "python_version < \'3\'"}},'
                '"develop": {"huge": {"version": "==3.0"}}}'
            )
        }
    )
    build = bench.make(python("pipenv"))
    assert installed(bench, build) == {"tiny=1.0"}
    assert bench.python(build, "import sys; print(sys.version_info[:2])") == "(3, 11)"


def test_a_project_without_lock(bench: Any) -> None:
    bench.write({"pyproject.toml": project("tiny==1.0")})
    assert installed(bench, bench.make(python("setuptools"))) == {"tiny=1.0"}
    bench.write({"pyproject.toml": project("tiny==1.0", more=BACKEND), "backend.py": LOCAL_BACKEND})
    assert installed(bench, bench.make(python("setuptools"))) == {"tiny=1.0", "own=1"}


@pytest.mark.parametrize(
    ("manager", "name", "command"),
    [
        ("uv", "uv.lock", "uv lock"),
        ("pdm", "pdm.lock", "pdm lock"),
        ("pipenv", "Pipfile.lock", "pipenv lock"),
        ("pip", "requirements.txt", "uv pip compile pyproject.toml -o requirements.txt"),
    ],
)
def test_a_missing_lock_is_told_with_the_command_that_writes_it(
    bench: Any, manager: str, name: str, command: str
) -> None:
    bench.write({"api/pyproject.toml": project("tiny==1.0")})
    problem = bench.fail(python(manager, dir="api")).problem
    assert (problem.code, problem.where, problem.command) == ("build.lock-missing", f"api/{name}", command)
    assert bench.left() == []


@pytest.mark.parametrize("lock", ["[[[", "[metadata]\n", ""])
def test_a_spoilt_lock_is_a_problem_and_no_crash(bench: Any, lock: str) -> None:
    bench.write({"pyproject.toml": project("tiny", "nonesuch"), "poetry.lock": lock, "pdm.lock": lock, "uv.lock": lock})
    for manager in ("poetry", "pdm", "uv"):
        assert bench.fail(python(manager)).problem.code == "build.install"


def test_a_failed_install_says_why_first(bench: Any) -> None:
    bench.write({"requirements.txt": "tiny==1.0\nnonesuch==4.2\n"})
    failure = bench.fail(python("pip"))
    assert failure.problem.code == "build.install"
    assert "nonesuch" in failure.problem.why
    assert "uv pip install" in failure.problem.where
    assert any("nonesuch" in line for line in failure.log_tail)
    assert bench.left() == []


def test_an_interpreter_that_is_not_there_names_those_that_are(bench: Any) -> None:
    bench.write({"pyproject.toml": project("tiny", requires=">=3.98")})
    bench.write({"uv.lock": "version = 1\n"})
    problem = bench.fail(python("uv")).problem
    assert problem.code == "build.python"
    assert ">=3.98" in problem.why
    assert "3." in problem.why.partition("found here:")[2]
    bench.write({"pyproject.toml": project("tiny", requires=">=3.9")})
    assert bench.fail(python("uv", version="3.97")).problem.code == "build.python"


def test_unpinned_packages_stay_as_first_installed_until_the_file_changes(
    bench: Any, add_wheel: Callable[..., None]
) -> None:
    bench.write({"requirements.txt": "-r more.txt\n", "more.txt": "gadget\n", "app.py": "x = 1\n"})
    assert installed(bench, bench.make(python("pip"))) == {"gadget=1.0", "tiny=2.0"}
    add_wheel("tiny", "3.0")
    bench.write({"app.py": "x = 2\n"})
    again = bench.make(python("pip"))
    assert installed(bench, again) == {"gadget=1.0", "tiny=2.0"}
    assert "--offline" in Path(again.dir, "../build.log").read_text(), "and without asking the index"
    bench.write({"more.txt": "gadget\ntiny\n"})
    assert installed(bench, bench.make(python("pip"))) == {"gadget=1.0", "tiny=3.0"}


def test_packages_that_the_cache_lost_are_fetched_again(bench: Any) -> None:
    bench.write({"requirements.txt": "gadget\n", "app.py": "x = 1\n"})
    bench.make(python("pip"))
    shutil.rmtree(bench.home.cache / "uv")
    bench.write({"app.py": "x = 2\n"})
    assert installed(bench, bench.make(python("pip"))) == {"gadget=1.0", "tiny=2.0"}


def test_the_project_itself_runs_from_the_new_copy_when_its_packages_are_reused(bench: Any) -> None:
    bench.write({"pyproject.toml": project("tiny==1.0", more=BACKEND), "backend.py": LOCAL_BACKEND, "own.py": "x = 1"})
    bench.make(python("setuptools"))
    bench.write({"own.py": "x = 2"})
    build = bench.make(python("setuptools"))
    assert installed(bench, build) == {"tiny=1.0", "own=1"}
    assert (
        bench.python(build, "import os; os.chdir('/'); import own; print(own.__file__, own.x)")
        == f"{build.dir}/own.py 2"
    )


def test_requirements_with_local_packages_are_never_reused(bench: Any) -> None:
    bench.write({"requirements.txt": "./inner\n", "inner/pyproject.toml": project(more=BACKEND)})
    backend = LOCAL_BACKEND.replace("build_editable", "build_wheel")
    bench.write({"inner/backend.py": backend, "app.py": "x = 1\n"})
    assert installed(bench, bench.make(python("pip"))) == {"own=1"}
    bench.write({"inner/backend.py": backend.replace("own-1", "own-2").replace("\\nVersion: 1", "\\nVersion: 2")})
    assert installed(bench, bench.make(python("pip"))) == {"own=2"}


def test_compiled_modules_are_taken_from_the_build_before(bench: Any) -> None:
    bench.write({"requirements.txt": "tiny==1.0\n", "app.py": "x = 1\n"})
    first = bench.make(python("pip"))
    bench.python(first, "import tiny")  # compiles it, as a running release does
    bench.write({"app.py": "x = 2\n"})
    second = bench.make(python("pip"))
    compiled = [next(Path(build.venv).glob("lib/*/site-packages/tiny/__pycache__/*.pyc")) for build in (first, second)]
    assert os.path.samefile(*compiled)
    bench.write({"requirements.txt": "tiny==2.0\n"})
    third = bench.make(python("pip"))
    assert bench.python(third, "import tiny; print(tiny.version)") == "2.0"


@pytest.mark.usefixtures("online")
def test_a_package_from_the_index(bench: Any) -> None:
    del bench.environ["UV_DEFAULT_INDEX"]
    bench.environ |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
    bench.builds = bench.open()
    bench.write({"pyproject.toml": project("itsdangerous==2.2.0")})
    bench.uv("lock")
    assert "itsdangerous=2.2.0" in installed(bench, bench.make(python("uv")))


@pytest.mark.parametrize(("minor", "seeded"), [("3.11", {"setuptools=80.9.0"}), ("3.12", set())])
def test_an_older_python_has_the_setuptools_that_venv_gave_it(
    bench: Any, add_wheel: Callable[..., None], minor: str, seeded: set[str]
) -> None:
    if not any(version.startswith(minor) for version in available_pythons(bench.home.cache, bench.environ)):
        pytest.skip(f"this machine has no Python {minor}")
    add_wheel("setuptools", "80.9.0")
    add_wheel("setuptools", "81.0.0")
    bench.write({"requirements.txt": "tiny==1.0\n"})
    assert installed(bench, bench.make(python("pip", version=minor))) == {"tiny=1.0"} | seeded
    bench.write({"requirements.txt": "tiny==1.0\nsetuptools==81.0.0\n"})
    assert installed(bench, bench.make(python("pip", version=minor))) == {"tiny=1.0", "setuptools=81.0.0"}


def test_what_is_no_use_here_is_left_out_of_what_pip_installs(bench: Any) -> None:
    bench.write({"requirements.txt": "tiny==1.0\nonly-elsewhere==3.0\n"})
    build = bench.make(python("pip", version="3.12", without=("only-elsewhere",)))
    assert installed(bench, build) == {"tiny=1.0"}


@pytest.mark.usefixtures("online")
def test_what_no_lock_pins_is_taken_as_of_a_day(bench: Any) -> None:
    del bench.environ["UV_DEFAULT_INDEX"]
    bench.environ |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
    bench.builds = bench.open()
    bench.write({"requirements.txt": "itsdangerous\n"})
    build = bench.make(python("pip", version="3.12", as_of="2021-06-01", extra=("click",)))
    assert installed(bench, build) == {"itsdangerous=2.0.1", "click=8.0.1"}


@pytest.mark.parametrize(
    ("stated", "means"),
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0", ">=0,<1"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1", ">=1,<2"),
        ("1.2.3", "==1.2.3"),
        ("1.2.*", "==1.2.*"),
        ("*", ""),
        (">=1.2, <2", ">=1.2,<2"),
        ("~=1.4", "~=1.4"),
        ("^1.2 || ^2", ""),
    ],
)
def test_without_a_lock_poetrys_constraints_are_read(stated: str, means: str) -> None:
    project = f'[tool.poetry.dependencies]\npython = "^3.11"\ntiny = "{stated}"\n'
    assert locks.poetry(project, "", ()).requirements == (f"tiny{means}",)


def test_without_a_lock_a_pipfile_is_read() -> None:
    text = '[packages]\ntiny = "*"\nother = {version = "==1.0", extras = ["x"]}\n[dev-packages]\npytest = "*"\n'
    assert locks.pipfile(text, ()).requirements == ("tiny", "other[x]==1.0")


def test_what_is_pinned_for_a_newer_python_than_the_one_named_is_installed_for_that(
    bench: Any, add_wheel: Callable[..., None]
) -> None:
    """A Dockerfile that was forgotten names an interpreter that the requirements have left behind."""
    minors = sorted({tuple(map(int, v.split(".")[:2])) for v in available_pythons(bench.home.cache, bench.environ)})
    if len(minors) < 2:
        pytest.skip(f"this machine has one Python: {minors}")
    (_, old), (_, new) = minors[-2:]
    add_wheel("modern", "1.0", f"Requires-Python: >=3.{new}\n")
    bench.write({"requirements.txt": "modern==1.0\n"})
    build = bench.make(python("pip", version=f"3.{old}"))
    assert bench.python(build, "import sys; print(sys.version_info[1])") == str(new)
    assert f"does not install for Python 3.{old}" in Path(build.dir).parent.joinpath("build.log").read_text()


@pytest.mark.parametrize(
    ("address", "is_mirror"),
    [
        ("https://mirrors.tuna.tsinghua.edu.cn/pypi/web/simple/", True),
        ("https://mirrors.aliyun.com/pypi/simple/", True),
        ("https://packages.example.com/aliyun.com/simple/", False),
        ("https://notaliyun.com/simple/", False),
    ],
)
def test_a_public_mirror_of_pypi_is_told_from_an_index_of_somebodys_own(address: str, is_mirror: bool) -> None:
    assert bool(python_env.PYPI_MIRROR.match(address)) is is_mirror


def test_what_is_installed_besides_fits_what_is_there(bench: Any, add_wheel: Callable[..., None]) -> None:
    for version, needs in (("1.0", "tiny<2"), ("2.0", "tiny>=2")):
        add_wheel("plug", version, f"Requires-Dist: {needs}\n")
    bench.write({"requirements.txt": "tiny==1.0\n"})
    build = bench.make(python("pip", extra=("plug",)))
    assert bench.python(build, "import plug, tiny; print(plug.version, tiny.version)") == "1.0 1.0"
    bench.write({"requirements.txt": "tiny==1.0\n"})
    build = bench.make(python("pip", extra=("plug>=2",)))  # no version of it fits: what was asked for by name wins
    assert bench.python(build, "import plug, tiny; print(plug.version, tiny.version)") == "2.0 2.0"


def test_pins_that_exclude_each_other_are_named(bench: Any, add_wheel: Callable[..., None]) -> None:
    add_wheel("plug", "1.0", "Requires-Dist: tiny<2\n")
    bench.write({"requirements.txt": "plug==1.0\ntiny==2.0\n"})
    problem = bench.fail(python("pip")).problem
    assert (problem.code, "unsatisfiable" in problem.why) == ("build.install", True)
    told = problem.remedy.partition(" exclude each other")[0]
    assert set(told.split(" and ")) == {"plug==1.0", "tiny==2.0"}
