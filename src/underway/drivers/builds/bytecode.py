"""Compiled modules for an environment, taken from the previous build where they are the same.

Without them the first import of a release compiles everything while its users wait for it to become healthy.
Compiling costs about as much as all the rest of a build, so it is done once per package version: uv links files
from its cache, so the same inode in two environments is the same source, and its compiled form can be linked too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from underway.drivers.builds.workshop import Workshop, in_thread

_WORTH_COMPILING = 25
"""Modules without compiled form from which on the compiler is started; below it, the first import is quick enough."""


async def prepare(shop: Workshop, before: Path | None) -> None:
    """Give `shop.venv` its compiled modules: links from the environment `before`, the rest compiled."""
    missing = await in_thread(carry_over, before, shop.venv)
    if missing < _WORTH_COMPILING:
        return
    python = str(shop.venv / "bin/python")
    folders = [str(folder) for folder in shop.venv.glob("lib/python3*/site-packages")]
    # a package may hold files that are no Python of this version: what cannot be compiled is simply not
    await shop.attempt([python, "-W", "ignore", "-m", "compileall", "-q", "-j", "0", *folders], shop.venv)


def carry_over(before: Path | None, venv: Path) -> int:
    """Link compiled modules of `before` whose sources are the very same files; return how many `venv` still lacks."""
    missing = 0
    for folder, names in _modules(venv):
        old = f"{before}/{folder}" if before else ""
        compiled = _compiled(old) if old else {}
        made = False
        for name in names:
            source, stem = f"{venv}/{folder}/{name}", name.removesuffix(".py")
            found = compiled.get(stem)
            if found is None or not _same(source, f"{old}/{name}"):
                missing += 1
                continue
            if not made:
                os.makedirs(f"{venv}/{folder}/__pycache__", exist_ok=True)
                made = True
            try:
                os.link(f"{old}/__pycache__/{found}", f"{venv}/{folder}/__pycache__/{found}")
            except OSError:
                missing += 1
    return missing


def _modules(venv: Path) -> Iterator[tuple[str, list[str]]]:
    """Each folder below site-packages, relative to `venv`, with its Python files."""
    for site in venv.glob("lib/python3*/site-packages"):
        for folder, inner, names in os.walk(site):
            if "__pycache__" in inner:
                inner.remove("__pycache__")
            modules = [name for name in names if name.endswith(".py")]
            if modules:
                yield os.path.relpath(folder, venv), modules


def _compiled(folder: str) -> dict[str, str]:
    try:
        names = os.listdir(f"{folder}/__pycache__")
    except OSError:
        return {}
    return {name.partition(".cpython-")[0]: name for name in names if ".cpython-" in name and name.count(".") == 2}


def _same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
