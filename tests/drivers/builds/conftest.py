from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import shutil
import socket
import subprocess
import zipfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from underway.drivers import proc
from underway.drivers.builds import LocalBuilds
from underway.drivers.commands.local import LocalCommands
from underway.drivers.sources import LocalSources
from underway.manifest.build import BuildKeys
from underway.manifest.model import Static
from underway.ports.builds import BuildAsk
from underway.terms.home import Home
from underway.terms.problem import Failure
from underway.terms.release import Build


class Bench:
    """A home, an application's folder, and builds of it. `said` is what the last build told."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.home = Home(root=folder / "home")
        self.tree = folder / "app"
        self.tree.mkdir()
        self.environ = dict(environ)
        self.said: list[str] = []
        self.builds = self.open()

    def open(self, **options: Any) -> LocalBuilds:
        """A new driver over the same home, as after a restart."""
        return LocalBuilds(self.home, LocalCommands(self.home), self.environ, **options)

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / name).write_text(text)

    def ask(
        self, build: BuildKeys, static: Static | None = None, collect: tuple[str, ...] = (), **more: Any
    ) -> BuildAsk:
        source = self.run(LocalSources(self.home).fingerprint(str(self.tree)))
        return BuildAsk(app="shop", source=source, build=build, static=static, collect=collect, **more)

    def make(self, what: BuildKeys | BuildAsk, *more: Any, **options: Any) -> Build:
        ask = what if isinstance(what, BuildAsk) else self.ask(what, *more, **options)
        self.said.clear()
        build: Build = self.run(self.builds.make(ask, self.said.append))
        return build

    def fail(self, build: BuildKeys | BuildAsk, *more: Any, **options: Any) -> Failure:
        with pytest.raises(Failure) as failed:
            self.make(build, *more, **options)
        return failed.value

    def left(self) -> list[str]:
        """What is in the folder of builds."""
        folder = self.home.builds("shop")
        return sorted(os.listdir(folder)) if folder.exists() else []

    def run(self, work: Awaitable[Any]) -> Any:
        async def awaited() -> Any:
            return await work

        return asyncio.run(awaited())

    def python(self, build: Build, program: str) -> str:
        """What `program` prints in the build's environment, run in its tree."""
        ended = subprocess.run(
            [f"{build.venv}/bin/python", "-c", program],
            cwd=build.dir,
            env=self.environ,
            capture_output=True,
            text=True,
            check=True,
        )
        return ended.stdout.strip()

    def uv(self, *args: str, cwd: Path | None = None) -> None:
        subprocess.run([find_uv_bin(), *args], cwd=cwd or self.tree, env=self.environ, check=True, capture_output=True)


@pytest.fixture
def add_wheel(wheels: Path) -> Callable[..., None]:
    """Adds a package to the index."""

    def add(name: str, version: str, needs: str = "", tag: str = "py3-none-any") -> None:
        write_wheel(wheels, name, version, needs, tag)

    return add


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A simple package index (PEP 503) in a folder: tiny-1.0, tiny-2.0, huge-3.0, and gadget-1.0 which needs tiny
    and has an extra `big` that needs huge."""
    folder = tmp_path / "wheels"
    for name, version, needs in (
        ("tiny", "1.0", ""),
        ("tiny", "2.0", ""),
        ("gadget", "1.0", "Requires-Dist: tiny\nProvides-Extra: big\nRequires-Dist: huge; extra == 'big'\n"),
        ("huge", "3.0", ""),
    ):
        write_wheel(folder, name, version, needs, "py3-none-any")
    return folder


def write_wheel(folder: Path, name: str, version: str, needs: str, tag: str) -> None:
    about = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f"version = {version!r}\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{about}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    lines = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(text)}")
    files[f"{about}/RECORD"] = "\n".join([*lines, f"{about}/RECORD,,", ""])
    (folder / name).mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
    links = [f'<a href="../{wheel.name}">{wheel.name}</a>' for wheel in folder.glob(f"{name}-*.whl")]
    (folder / name / "index.html").write_text("<!doctype html>" + "".join(links))


@pytest.fixture
def environ(wheels: Path) -> dict[str, str]:
    """An environment whose only index is the folder of wheels."""
    passed = {name: os.environ[name] for name in ("PATH", "HOME", "PYENV_ROOT") if name in os.environ}
    return {**passed, "UV_DEFAULT_INDEX": wheels.as_uri()}


@pytest.fixture
def bench(tmp_path: Path, environ: dict[str, str]) -> Iterator[Bench]:
    bench = Bench(tmp_path, environ)
    yield bench
    left = list(proc.marked(bench.home.id))
    left_in_run = sorted(bench.home.run.iterdir()) if bench.home.run.exists() else []
    shutil.rmtree(bench.home.run, ignore_errors=True)  # it is not below tmp_path when that is long
    assert not left, "a build left processes behind"
    assert not left_in_run, "a build left its temporary folder behind"


@pytest.fixture(scope="session")
def online() -> None:
    """Skips unless the Python package index can be reached."""
    ended = subprocess.run(
        [find_uv_bin(), "pip", "compile", "--quiet", "--no-cache", "--python", "3.11", "-"],
        input="itsdangerous\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if ended.returncode != 0:
        pytest.skip(f"the package index cannot be reached: {ended.stderr.strip()[-200:]}")


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
