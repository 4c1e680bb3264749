"""The packages of an earlier build, installed again when nothing that decides them changed.

`uv sync` needs 30 ms for a known lock, but the other managers' locks are resolved, which asks the index and takes
seconds. So a build remembers what it installed, and from what; the next one with the same inputs installs exactly
that list from the cache, without the network.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from underway.drivers.builds.interpreters import Interpreter
from underway.drivers.builds.locks import pip_files
from underway.drivers.whole_file import write_whole
from underway.manifest.build import PythonBuild

RECIPE = 2
"""Raised when the same inputs come to be installed in another way, so that no earlier build stands for them."""

_KEPT = "packages.json"
_INCLUDE = re.compile(r"(?:-r|--requirement|-c|--constraint)(?:\s+|=)(\S+)")
_LOCAL = re.compile(r"-e\b|--editable\b|\.{0,2}/|\.$|file:|\.\[|\S+\s*@\s*file:")
_MOST_FILES = 50


class Frozen(msgspec.Struct, frozen=True):
    """What was installed: requirements with exact versions, and whether the project itself was, as editable.

    `tools` are the constraints on what builds packages, where today's tools did not.
    """

    inputs: str
    packages: tuple[str, ...]
    is_package: bool
    tools: tuple[str, ...] = ()


def inputs_of(python: PythonBuild, interpreter: Interpreter, folder: Path, tree: Path) -> str:
    """A digest over all that decides what is installed, empty where that cannot be told from files.

    `folder` is the project's folder in `tree`. uv needs none of this, and a `setup.py` decides by running.
    """
    files = _inputs(python, folder, tree)
    only_extra = python.manager == "pip" and not pip_files(python, lambda name: (folder / name).is_file())
    if not files and not only_extra:
        return ""
    sha = hashlib.sha256(msgspec.json.encode([RECIPE, python, interpreter]))
    for file in files:
        try:
            content = file.read_bytes()
        except OSError:
            return ""
        sha.update(b"%d:" % len(content) + content)
    return sha.hexdigest()


def remember(build: Path, frozen: Frozen) -> None:
    """Keep `frozen` in the build's folder."""
    write_whole(build / _KEPT, msgspec.json.encode(frozen))


def recall(builds: Iterable[Path], inputs: str) -> Frozen | None:
    """What the first of `builds` that had the same inputs installed."""
    for build in builds:
        try:
            frozen = msgspec.json.decode((build / _KEPT).read_bytes(), type=Frozen)
        except (OSError, msgspec.MsgspecError):
            continue
        if inputs and frozen.inputs == inputs:
            return frozen
    return None


def _inputs(python: PythonBuild, folder: Path, tree: Path) -> list[Path]:
    if python.manager in ("poetry", "pdm"):
        lock = folder / f"{python.manager}.lock"
        return [folder / "pyproject.toml", *([lock] if lock.is_file() else [])]
    if python.manager == "pipenv":
        lock = folder / "Pipfile.lock"
        return [lock if lock.is_file() else folder / "Pipfile"]
    if python.manager == "pip":
        names = pip_files(python, lambda name: (folder / name).is_file())
        first = [folder / name if (folder / name).is_file() else tree / name for name in names]
        return _included(first, tree)
    if python.manager == "setuptools" and not (folder / "setup.py").exists() and not (folder / "setup.cfg").exists():
        project = folder / "pyproject.toml"
        try:
            return [] if re.search(r"^\s*dynamic\s*=", project.read_text("utf-8"), re.MULTILINE) else [project]
        except (OSError, ValueError):
            return []
    return []


def _included(files: list[Path], tree: Path) -> list[Path]:
    """`files` and those they include, empty when one names something local or lies outside `tree`."""
    found: list[Path] = []
    pending = list(files)
    while pending:
        file = pending.pop()
        if file in found:
            continue
        try:
            text = file.read_text("utf-8")
            file.resolve().relative_to(tree.resolve())
        except (OSError, ValueError):
            return []
        found.append(file)
        lines = [line.strip() for line in text.splitlines()]
        if any(_LOCAL.match(line) for line in lines) or len(found) > _MOST_FILES:
            return []
        pending += [file.parent / match[1] for line in lines if (match := _INCLUDE.match(line))]
    return found
