"""Old packages, which today's build tools refuse, built with the real uv and an index of our own."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from underway.drivers.builds import old_tools
from underway.manifest.build import BuildKeys, PythonBuild

BACKEND = """\
import os, sys, zipfile

VERSION = {version}
about = dict(line.split(": ", 1) for line in open("PKG-INFO").read().splitlines())

class __legacy__:
    @staticmethod
    def get_requires_for_build_wheel(config_settings=None):
        if VERSION >= {first_without}:
            sys.exit("error in %s setup command: {says}" % about["Name"])
        return []

    @staticmethod
    def build_wheel(folder, config_settings=None, metadata_directory=None):
        name, version = about["Name"], about["Version"]
        files = {{
            name + ".py": "tools = %r" % VERSION,
            "%s-%s.dist-info/METADATA" % (name, version): open("PKG-INFO").read() + "\\n",
            "%s-%s.dist-info/WHEEL" % (name, version):
                "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        }}
        files["%s-%s.dist-info/RECORD" % (name, version)] = "".join("%s,,\\n" % each for each in files)
        wheel = "%s-%s-py3-none-any.whl" % (name, version)
        with zipfile.ZipFile(os.path.join(folder, wheel), "w") as made:
            for path, text in files.items():
                made.writestr(path, text)
        return wheel
"""


def add_setuptools(index: Path, versions: tuple[int, ...], first_without: int, says: str) -> None:
    """Stand-ins for setuptools: from `first_without` on, they end every build with `says`, as setuptools does."""
    folder = index / "setuptools"
    folder.mkdir()
    for version in versions:
        with zipfile.ZipFile(index / f"setuptools-{version}.0-py3-none-any.whl", "w") as wheel:
            about = f"setuptools-{version}.0.dist-info"
            meta = BACKEND.format(version=version, first_without=first_without, says=says)
            wheel.writestr("setuptools/__init__.py", "")
            wheel.writestr("setuptools/build_meta.py", meta)
            wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: setuptools\nVersion: {version}.0\n")
            wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{about}/RECORD", "")
    links = [f'<a href="../{wheel.name}">{wheel.name}</a>' for wheel in index.glob("setuptools-*.whl")]
    (folder / "index.html").write_text("<!doctype html>" + "".join(links))


def add_sdist(index: Path, name: str) -> None:
    """A source distribution of the old kind: a setup.py, and no word on what builds it."""
    files = {"setup.py": "", "PKG-INFO": f"Metadata-Version: 1.1\nName: {name}\nVersion: 1.0"}
    with tarfile.open(index / f"{name}-1.0.tar.gz", "w:gz") as sdist:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}-1.0/{path}")
            member.size = len(text)
            sdist.addfile(member, io.BytesIO(text.encode()))
    (index / name).mkdir()
    (index / name / "index.html").write_text(f'<!doctype html><a href="../{name}-1.0.tar.gz">{name}-1.0.tar.gz</a>')


def test_an_old_package_is_built_with_the_tools_that_still_take_it(bench: Any, wheels: Path) -> None:
    add_setuptools(wheels, (57, 75, 83), 58, "use_2to3 is invalid.")
    add_sdist(wheels, "oldie")
    bench.write({"requirements.txt": "oldie==1.0\ntiny==1.0\n"})
    build = bench.make(BuildKeys(python=PythonBuild(manager="pip")))
    assert bench.python(build, "import oldie, tiny; print(oldie.tools, tiny.version)") == "57 1.0"
    told = "oldie==1.0 is built with setuptools<58: setuptools 58 no longer converts code of Python 2"
    assert told in bench.said
    bench.write({"another.txt": "the next commit"})
    (wheels / "oldie-1.0.tar.gz").unlink()
    build = bench.make(BuildKeys(python=PythonBuild(manager="pip")))
    assert bench.python(build, "import oldie; print(oldie.tools)") == "57", "the next build takes it from the cache"
    assert told not in bench.said


def test_where_older_tools_do_not_help_the_first_reason_is_told(bench: Any, wheels: Path) -> None:
    add_setuptools(wheels, (57, 83), 1, "use_2to3 is invalid.")
    add_sdist(wheels, "oldie")
    bench.write({"requirements.txt": "oldie==1.0\n"})
    failed = bench.fail(BuildKeys(python=PythonBuild(manager="pip")))
    assert "`oldie==1.0`: error in oldie setup command: use_2to3 is invalid." in failed.problem.why
    assert "build-constraints" not in failed.problem.where


@pytest.mark.parametrize(
    ("line", "needs"),
    [
        ("      error in anyjson setup command: use_2to3 is invalid.", ("setuptools<58",)),
        ("ImportError: cannot import name 'Feature' from 'setuptools' (/x/__init__.py)", ("setuptools<46",)),
        ("ModuleNotFoundError: No module named 'pkg_resources'", ("setuptools<82",)),
        ("AttributeError: 'build_ext' object has no attribute 'cython_sources'", ("Cython<3",)),
        ("ModuleNotFoundError: No module named 'distutils.msvccompiler'", ("setuptools<74",)),
        (
            "error in gym setup command: 'extras_require' must be a dictionary whose values are strings or lists of "
            "strings containing valid project/version requirement specifiers.",
            ("setuptools<66", "wheel<0.40"),
        ),
        ("ModuleNotFoundError: No module named 'numpy'", ()),
        ("fatal error: Python.h: No such file or directory", ()),
    ],
)
def test_what_a_build_says_names_the_tools_it_needs(line: str, needs: tuple[str, ...]) -> None:
    lines = ["Failed to build `some==1.0`", line]
    mend = old_tools.mend(lines, ())
    assert (mend.needs if mend else ()) == needs
    assert mend is None or old_tools.mend(lines, mend.needs) is None, "each is tried once"
