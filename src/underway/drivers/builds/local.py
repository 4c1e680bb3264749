"""`Builds` on this machine: a copy of the source, its environment, and what the proxy serves."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import msgspec
from uv import find_uv_bin

from underway.drivers.builds import bytecode, frozen, listening, static_files
from underway.drivers.builds.builder import choose_builder, own, take_back
from underway.drivers.builds.environment import build_environment, credentials, index_settings
from underway.drivers.builds.interpreters import Interpreter, available_pythons, fitting, interpreters, tool_version
from underway.drivers.builds.lacks import lacks
from underway.drivers.builds.node_env import TOOLS, NodeEnvironment
from underway.drivers.builds.problems import no_page, no_python, static_missing
from underway.drivers.builds.python_env import PythonEnvironment, wanted_version
from underway.drivers.builds.store import Store, remove, size_of
from underway.drivers.builds.version import accepts
from underway.drivers.builds.wheels import by_fit, lock_text
from underway.drivers.builds.workshop import Workshop, disk_full, in_thread, is_no_space
from underway.drivers.sources import git
from underway.drivers.sources.copying import copy_tree, free_bytes
from underway.drivers.sources.reading import open_inside
from underway.drivers.whole_file import write_whole
from underway.manifest.build import PythonBuild
from underway.ports.builds import BuildAsk
from underway.ports.commands import Commands
from underway.terms.home import Home
from underway.terms.problem import Failure, Problem
from underway.terms.release import Build
from underway.terms.tree import Tree, decoded

_LARGEST_LOCK = 16 << 20

FORMAT = 2
"""Raised whenever the same ask gives another build than before: old builds are then not reused."""

MOST_INTERPRETERS = 3
"""How many interpreters are tried when packages cannot be built for the first."""

_NOT_FOR_THIS_PYTHON = re.compile(r"Failed to (download and )?build|matching Python|no wheels|Python requirement")

_TOO_OLD = re.compile(r"(?:current Python version \([\d.]+\) does not satisfy Python|requires Python )>=([\d.]+)")
"""uv's words for a requirement that no version of fits this interpreter."""

LEAST_FREE = 200_000_000
"""Bytes that must be free before a build begins."""


class LocalBuilds:
    """Makes builds below `home`, running every command through `commands`.

    `environ` is the environment of the agent, of which builds see what `build_environment` lets through. One
    process at a time may build in a home. `least_free_bytes` must be free on its disk before a build begins.
    """

    def __init__(
        self, home: Home, commands: Commands, environ: Mapping[str, str], least_free_bytes: int = LEAST_FREE
    ) -> None:
        self._home = home
        self._commands = commands
        self._environ = environ
        self._env = build_environment(environ)
        self._index_settings = index_settings(environ)
        self._store = Store(home)
        self._least_free = least_free_bytes
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}
        self._clearing: set[asyncio.Task[None]] = set()
        self._one_clears = asyncio.Lock()

    def key(self, ask: BuildAsk) -> str:
        """Sixteen hex digits over the source, the keys that shape the build, and the tools' versions."""
        shape: list[object] = [FORMAT, listening.digest(), ask.app, ask.source.digest, dict(ask.env)]
        build = dataclasses.asdict(ask.build)
        del build["timeout_s"]
        shape += [build, dataclasses.asdict(ask.static) if ask.static else None, list(ask.collect)]
        if ask.build.python:
            fits = self._fitting(ask.build.python, Path(ask.source.path))
            shape += [frozen.RECIPE, tool_version(find_uv_bin()), [[one.says, one.path] for one in fits[:1]]]
        if ask.build.node or ask.build.front_end:
            node = shutil.which("node", path=self._env["PATH"])
            shape.append(tool_version(node) if node else None)
        return hashlib.sha256(msgspec.json.encode(shape, order="deterministic")).hexdigest()[:16]

    def lacks(self, ask: BuildAsk, tree: Tree) -> tuple[Problem, ...]:
        """See the port."""
        found = interpreters(self._home.cache, self._environ) if ask.build.python else ()
        return tuple(lacks(ask, tree, found, self._env["PATH"]))

    def find(self, app: str, key: str) -> Build | None:
        """See the port."""
        return self._store.find(app, key)

    async def make(self, ask: BuildAsk, say: Callable[[str], None]) -> Build:
        """See the port. Also raises `Failure` with `build.folder-missing`, `build.static-missing`, `build.node`."""
        key = await in_thread(self.key, ask)
        lock = self._locks.setdefault((ask.app, key), asyncio.Lock())
        async with lock:
            found = self._store.find(ask.app, key)
            if found is not None:
                say(f"reusing build {key}")
                return msgspec.structs.replace(found, was_reused=True)
            return await self._made(ask, key, say)

    async def discard(self, app: str, key: str) -> None:
        """See the port."""
        async with self._locks.setdefault((app, key), asyncio.Lock()):
            await in_thread(self._store.discard, app, key)

    async def prune(self, app: str, keep: Collection[str]) -> int:
        """See the port. Also clears the pool of assets, half-made builds and old logs of failed ones.

        The thousands of files of a build are removed after the return: nobody waits for them.
        """
        under_way = [key for (of, key), lock in self._locks.items() if of == app and lock.locked()]
        freed = await in_thread(self._store.prune, app, keep, under_way)
        clearing = asyncio.create_task(self._clear(app))
        self._clearing.add(clearing)
        clearing.add_done_callback(self._clearing.discard)
        return freed

    async def _clear(self, app: str) -> None:
        async with self._one_clears:
            with contextlib.suppress(OSError):  # what is left is out of sight, and the next prune tries again
                await in_thread(self._store.clear, app)

    async def _made(self, ask: BuildAsk, key: str, say: Callable[[str], None]) -> Build:
        began = time.monotonic()
        folder = self._store.folder(ask.app, key)
        log = self._store.kept_log(ask.app, key)
        shop: Workshop | None = None
        try:
            await in_thread(self._store.fresh, ask.app, key)
            shop = Workshop(
                app=ask.app,
                key=key,
                folder=folder,
                kept_log=log,
                cache=self._home.cache,
                env=self._settings(folder, await in_thread(self._store.temporary, key)),
                secrets=credentials(self._env, self._index_settings),
                commands=self._commands,
                say=say,
                timeout_s=ask.build.timeout_s,
                deadline=began + ask.build.timeout_s,
                least_free_bytes=self._least_free // 2,
            )
            static_dir = await self._built(ask, shop)
            await in_thread(remove, shop.scratch)
            await in_thread(self._store.forget_temporary, key)
            build = Build(
                key=key,
                dir=str(shop.tree),
                venv=str(shop.venv) if ask.build.python else "",
                static_dir=static_dir,
                size_bytes=await in_thread(size_of, folder),
                took_s=round(time.monotonic() - began, 3),
            )
            await in_thread(self._store.finish, folder, build)
        except BaseException as error:
            apart = shop.apart if shop is not None else None
            await asyncio.shield(asyncio.ensure_future(asyncio.to_thread(self._cleared, ask.app, key, folder, apart)))
            if isinstance(error, OSError):
                raise _of_disk(error, folder) from error
            raise
        return build

    def _cleared(self, app: str, key: str, folder: Path, apart: Path | None) -> None:
        self._store.keep_log(app, key, folder / "build.log")
        with contextlib.suppress(OSError):  # what cannot be removed has no marker, and the next prune tries again
            if apart is not None:
                remove(apart)
            remove(folder)
            self._store.forget_temporary(key)

    async def _built(self, ask: BuildAsk, shop: Workshop) -> str:
        """Every phase of the build; returns the folder that the proxy serves."""
        await self._copy(ask, shop)
        for name, text in self._index_settings.items():
            kept = shop.scratch / "home" / name
            kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(kept, text.encode())
        (shop.scratch / "home").mkdir(mode=0o700, parents=True, exist_ok=True)
        await in_thread(listening.add_all, ask.build, shop)
        await in_thread(self._give_to_builder, ask, shop)
        env = {name: value for name, value in ask.env.items() if name not in shop.env}
        path = [shop.env["PATH"]]
        if ask.build.python:
            earlier = [Path(build.dir).parent for build in self._store.newest(ask.app) if build.venv]
            try:
                day = await in_thread(git.day, ask.source.path)
                await self._install_python(ask.build.python, shop, earlier, day)
            except Failure as failure:
                raise await in_thread(_with_the_day, failure, ask.build.python, ask.source.path, shop.tree) from None
            await bytecode.prepare(shop, earlier[0] / ".venv" if earlier else None)
            path.insert(0, str(shop.venv / "bin"))
            env |= {"VIRTUAL_ENV": str(shop.venv), "UV_NO_SYNC": "1"}
        installed: set[Path] = set()
        for part, node in (("node", ask.build.node), ("front_end", ask.build.front_end)):
            if node is None:
                continue
            shop.note(f"installing and building with {node.manager}" + (f" in {node.dir}" if node.dir != "." else ""))
            wants_dev = bool(node.script or node.development or ask.build.commands or ask.build.front_end)
            runs = part == "node" and (ask.static is None or bool(ask.build.front_end or ask.build.commands))
            await NodeEnvironment(shop, node, f"build.{part}", wants_dev, env, runs).make(installed)
            path.insert(len(path) - 1, str(shop.tree / node.dir / "node_modules/.bin"))
        env["PATH"] = ":".join([*([str(shop.scratch / TOOLS)] if (shop.scratch / TOOLS).is_dir() else []), *path])
        for line in (*ask.build.commands, *ask.collect):
            shop.note(f"running {line}")
            remedy = "run it in a checkout, mend what it says, and deploy again"
            await shop.run(["/bin/sh", "-c", line], shop.tree, code="build.command", remedy=remedy, env=env, shown=line)
        if shop.account is not None:
            await in_thread(take_back, shop.tree, shop.venv)
        if shop.apart is not None:
            await in_thread(remove, shop.apart)
        return await self._lay_out_static(ask, shop) if ask.static else ""

    def _give_to_builder(self, ask: BuildAsk, shop: Workshop) -> None:
        """Choose who runs the commands, and give them what they write to."""
        programs = [find_uv_bin()] if ask.build.python else []
        if ask.build.python and (fits := self._fitting(ask.build.python, shop.tree)):
            programs.append(fits[0].path)
        if (ask.build.node or ask.build.front_end) and (node := shutil.which("node", path=self._env["PATH"])):
            programs.append(os.path.realpath(node))
        builder = choose_builder(self._home, shop.folder, programs)
        if builder.account is None:
            if builder.why:
                shop.note(f"commands of this build run as root: {builder.why}")
            return
        shop.note(f"commands of this build run as {builder.account.name}")
        cache = self._home.cache / f"as-{builder.account.name}"
        cache.mkdir(mode=0o700, exist_ok=True)
        os.chown(cache, *builder.account.owner, follow_symlinks=False)
        # the home's folder of sockets is nobody else's, so the account has a TMPDIR of its own, by a short path too
        shop.apart = Path(tempfile.mkdtemp(prefix="uw-build-"))
        own(builder.account, shop.tree, shop.scratch, shop.apart)
        shop.account, shop.cache = builder.account, cache
        shop.env = {
            **shop.env, "UV_CACHE_DIR": str(cache / "uv"), "TMPDIR": str(shop.apart), "USER": builder.account.name,
        }  # fmt: skip

    async def _copy(self, ask: BuildAsk, shop: Workshop) -> None:
        free = free_bytes(shop.folder)
        if free < self._least_free:
            raise shop.disk_full(f"{free // 1_000_000} MB are free and a build wants {self._least_free // 1_000_000}")
        copied = await in_thread(copy_tree, ask.source.path, shop.tree, [self._home.root])
        shop.note(f"copied {copied.files} files, {copied.size_bytes / 1e6:.1f} MB")
        if copied.digest != ask.source.digest:
            raise Failure(
                Problem(
                    code="build.source-changed",
                    where=ask.source.path,
                    why="the files changed between the moment the release was planned and their copy",
                    remedy="deploy again once nothing writes to the folder",
                    command="underway deploy",
                )
            )

    async def _lay_out_static(self, ask: BuildAsk, shop: Workshop) -> str:
        assert ask.static is not None
        served = ask.static.dir.strip("/") or "."
        if not (shop.tree / served).is_dir():
            raise Failure(static_missing(served, "after the build there is no folder", f"cat {shop.kept_log}"))
        inner = os.path.relpath(shop.inside(served, "static.dir"), shop.tree)
        to = shop.folder / "static"
        paths = await in_thread(static_files.lay_out, shop.tree, inner, to)
        is_site = ask.build.node is not None or any(path.endswith(".html") for path in paths)
        if not ask.has_web and is_site and not {"index.html", "200.html"} & set(paths):
            raise Failure(no_page(served, paths, f"cat {shop.kept_log}"))
        count = await in_thread(static_files.compress, to, paths)
        shop.note(f"{len(paths)} static files, {count} compressed")
        await in_thread(static_files.pool, to, paths, self._store.assets(ask.app))
        return str(to)

    async def _install_python(self, python: PythonBuild, shop: Workshop, earlier: list[Path], day: str) -> None:
        """Install with the interpreter that fits best; where its packages cannot be built, with an older one."""
        candidates = await in_thread(self._fitting, python, shop.tree)
        if not candidates:
            raise await in_thread(self._no_python, python, shop.tree)
        folder = shop.inside(python.dir, "build.python.dir")
        # one that an earlier build had to fall back to comes first: the others would fail again
        candidates.sort(
            key=lambda one: frozen.recall(earlier, frozen.inputs_of(python, one, folder, shop.tree)) is None
        )
        candidates = candidates[:MOST_INTERPRETERS]
        first: Failure | None = None
        for interpreter in candidates:
            shop.note(f"installing Python packages with {python.manager} for Python {interpreter.says}")
            try:
                await PythonEnvironment(shop, find_uv_bin(), python, interpreter, earlier, day).make()
            except Failure as failure:
                first = first or failure
                if newer := await in_thread(self._newer, python, shop.tree, failure, candidates):
                    shop.note(f"what it requires does not install for Python {interpreter.says}: trying {newer.says}")
                    candidates.append(newer)  # the loop goes on to it
                    first = None  # what is told is why the newer one failed
                    continue
                if failure.problem.code != "build.install" or not _NOT_FOR_THIS_PYTHON.search(failure.problem.why):
                    raise first from None
            else:
                return
        assert first is not None
        raise first

    def _newer(
        self, python: PythonBuild, tree: Path, failure: Failure, tried: Collection[Interpreter]
    ) -> Interpreter | None:
        """The oldest interpreter that what is pinned can be installed for, where that is a newer one than was asked."""
        least = _TOO_OLD.search(failure.problem.why)
        if least is None:
            return None
        constraint = wanted_version(python, lambda path: _text(tree, path))
        enough = [
            one
            for one in fitting(interpreters(self._home.cache, self._environ), constraint, "")
            if accepts(f">={least[1]}", one.version) and one not in tried
        ]
        return enough[-1] if enough else None

    def _fitting(self, python: PythonBuild, tree: Path) -> list[Interpreter]:
        """Interpreters that the project accepts, the best first."""
        constraint = wanted_version(python, lambda path: _text(tree, path))
        found = fitting(interpreters(self._home.cache, self._environ), constraint, python.version)
        return by_fit(found, lock_text(python, lambda path: _text(tree, path))) if len(found) > 1 else found

    def _no_python(self, python: PythonBuild, tree: Path) -> Failure:
        constraint = wanted_version(python, lambda path: _text(tree, path))
        return Failure(no_python(python, constraint, available_pythons(self._home.cache, self._environ)))

    def _settings(self, folder: Path, temporary: Path) -> dict[str, str]:
        return {
            **self._env,
            "HOME": str(folder / "scratch/home"),
            "TMPDIR": str(temporary),
            "NO_COLOR": "1",
            "UV_CACHE_DIR": str(self._home.cache / "uv"),
            "UV_LINK_MODE": "hardlink",
            "UV_NO_PROGRESS": "1",
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_PROJECT_ENVIRONMENT": str(folder / ".venv"),
        }


def _with_the_day(failure: Failure, python: PythonBuild, source: str, tree: Path) -> Failure:
    """The failure of an installation that no lock fixes, with the day to go back to as its remedy; none where what is
    written excludes itself, as uv says it."""
    pins = dict.fromkeys(re.findall(r"you require ([\w.-]+==[\w.+!-]+)", failure.problem.why))
    if failure.problem.code == "build.install" and len(pins) > 1:
        remedy = f"{' and '.join(pins)} exclude each other, on whatever day: change one of them where they are written"
        return Failure(msgspec.structs.replace(failure.problem, remedy=remedy), failure.log_tail)
    lock = {"poetry": "poetry.lock", "pipenv": "Pipfile.lock"}.get(python.manager, "")
    is_locked = python.manager in ("uv", "pdm") or bool(lock and (tree / python.dir / lock).is_file())
    day = "" if is_locked or python.as_of or failure.problem.code != "build.install" else git.day(source)
    if not day:
        return failure
    remedy = f'where a package has broken since, take those of the day of the commit: [build.python] as_of = "{day}"'
    return Failure(msgspec.structs.replace(failure.problem, remedy=remedy), failure.log_tail)


def _of_disk(error: OSError, folder: Path) -> Failure:
    """What an error of the file system means for the build."""
    if is_no_space(error):
        return disk_full(folder, "it filled up during the build")
    return Failure(
        Problem(
            code="home.unwritable",
            where=str(error.filename or folder),
            why=f"the home's files cannot be written: {error.strerror or error}",
            remedy="give the user that runs Underway a home it may write to, or name another one in UNDERWAY_HOME",
            command=f"ls -ld {folder.parent}",
        )
    )


def _text(tree: Path, path: str) -> str:
    root = os.path.realpath(tree)
    try:
        with os.fdopen(open_inside(root, os.path.normpath(path)), "rb") as file:
            return decoded(file.read(_LARGEST_LOCK)) or ""
    except (OSError, ValueError):
        return ""
