"""Which interpreters a lock has ready-made packages for.

A lock that is some years old names no wheels for this year's Python: its packages would be compiled, which takes
minutes where it works at all. The file names in the lock say so beforehand.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Callable

from underway.drivers.builds.interpreters import Interpreter
from underway.manifest.build import PythonBuild

_LONGEST_NAME = 250
_LOCKS = {"uv": "uv.lock", "poetry": "poetry.lock", "pdm": "pdm.lock"}

Tags = tuple[str, str, str]


def by_fit(candidates: list[Interpreter], lock: str) -> list[Interpreter]:
    """`candidates` with those first for which the lock has most wheels; among equals the order stays.

    A lock that names no files (or none at all) changes nothing.
    """
    packages: dict[tuple[str, str], list[Tags]] = {}
    for before in lock.split(".whl")[:-1]:
        # name-version(-build)?-python-abi-platform, see "Binary distribution format" of packaging.python.org
        parts = re.split(r"[/\"'\s]", before[-_LONGEST_NAME:])[-1].split("-")
        if len(parts) in (5, 6):
            packages.setdefault((parts[0].lower(), parts[1]), []).append((parts[-3], parts[-2], parts[-1]))
    here = [usable for tags in packages.values() if (usable := [tag for tag in tags if _is_for_here(tag)])]
    return sorted(candidates, key=lambda one: sum(not _fits(tags, one.version[1]) for tags in here))


def lock_text(python: PythonBuild, read: Callable[[str], str]) -> str:
    """The text of the manager's lock, in its folder or (a workspace) above it; empty when it has none."""
    name = _LOCKS.get(python.manager)
    if name is None:
        return ""
    steps = [step for step in python.dir.split("/") if step not in ("", ".")]
    for depth in range(len(steps), -1, -1):
        text = read("/".join([*steps[:depth], name]))
        if text:
            return text
    return ""


def _is_for_here(tags: Tags) -> bool:
    """True for a wheel for any system, or for Linux on this processor."""
    system = tags[2]
    return system == "any" or ("linux" in system and system.endswith(platform.machine()))


def _fits(wheels: list[Tags], minor: int) -> bool:
    """True when one of the wheels can be installed for Python 3.`minor`."""
    for python, abi, _ in wheels:
        tags = python.split(".")
        if "py3" in tags or f"py3{minor}" in tags or (f"cp3{minor}" in tags and not abi.endswith("t")):
            return True
        lowest = min((int(tag[3:]) for tag in tags if re.fullmatch(r"cp3\d+", tag)), default=None)
        if abi == "abi3" and lowest is not None and lowest <= minor:
            return True
    return False
