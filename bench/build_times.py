"""How long a build takes: cold, with a warm package cache, after a change of code only, and unchanged.

    python bench/build_times.py

Makes a FastAPI + SQLAlchemy project with a lock in a temporary home and prints one line per case.
Needs the package index once.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from uv import find_uv_bin

from underway.drivers.builds import LocalBuilds
from underway.drivers.commands.local import LocalCommands
from underway.drivers.sources import LocalSources
from underway.manifest.build import BuildKeys, PythonBuild
from underway.ports.builds import BuildAsk
from underway.terms.home import Home
from underway.terms.release import Build

PROJECT = """\
[project]
name = "measured"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["fastapi", "uvicorn", "sqlalchemy", "alembic", "asyncpg", "argon2-cffi"]
"""
FILES = 300


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="underway-bench-") as folder:
        root, source = Path(folder), Path(folder) / "source"
        source.mkdir()
        (source / "pyproject.toml").write_text(PROJECT)
        for number in range(FILES):
            (source / f"m{number}.py").write_text(f"x = {number}\n" * 60)
        environ = {**os.environ, "HOME": folder}
        subprocess.run([find_uv_bin(), "lock", "--quiet"], cwd=source, check=True)
        for argv in (
            ["init", "-q"],
            ["add", "-A"],
            ["-c", "user.name=b", "-c", "user.email=b@b", "commit", "-qm", "1"],
        ):
            subprocess.run(["git", *argv], cwd=source, check=True)
        home = Home(root=root / "home")
        asyncio.run(measure_all(home, source, environ))


async def measure_all(home: Home, source: Path, environ: dict[str, str]) -> None:
    print(f"{FILES} files, {PROJECT.splitlines()[4]}")
    print(f"{'case':<34}{'look at source':>15}{'key + find':>12}{'make':>9}{'own MB':>8}")
    await measure("cold (empty cache)", home, source, environ)
    shutil.rmtree(home.root / "apps")
    await measure("warm cache, no build yet", home, source, environ)
    for number in (1, 2, 3):
        (source / "m1.py").write_text(f"x = -{number}\n")
        await measure(f"code changed ({number})", home, source, environ)
    await measure("unchanged", home, source, environ)


async def measure(case: str, home: Home, source: Path, environ: dict[str, str]) -> Build:
    builds = LocalBuilds(home, LocalCommands(home), environ)
    began = time.perf_counter()
    fingerprint = await LocalSources(home).fingerprint(str(source))
    looked = time.perf_counter()
    ask = BuildAsk(app="measured", source=fingerprint, build=BuildKeys(python=PythonBuild(manager="uv")))
    builds.find(ask.app, builds.key(ask))
    found = time.perf_counter()
    build = await builds.make(ask, lambda line: None)
    made = time.perf_counter()
    print(
        f"{case:<34}{(looked - began) * 1000:>12.0f} ms{(found - looked) * 1000:>9.0f} ms"
        f"{made - found:>7.2f} s{build.size_bytes / 1e6:>8.1f}"
    )
    return build


if __name__ == "__main__":
    main()
