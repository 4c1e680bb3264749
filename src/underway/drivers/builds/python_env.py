"""The virtual environment of a build, whichever tool wrote the lock."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from underway.drivers.builds import frozen, locks, old_tools
from underway.drivers.builds.interpreters import Interpreter
from underway.drivers.builds.problems import lock_missing
from underway.drivers.builds.workshop import Ended, Workshop, in_thread
from underway.manifest.build import PythonBuild
from underway.terms.problem import Failure, Problem

_MEND = "install it in a checkout with the command shown, mend what it says, and deploy again"

_OLD_INDEX = re.compile(r"^\s*(?:-i|--index-url)[\s=]+https?://pypi\.python\.org/", re.MULTILINE)

_OF_THE_TOOLS = re.compile(
    r"(?:Import|ModuleNotFound|Attribute)Error:.*(?:setuptools|pkg_resources|distutils|cython_sources|Cython)|use_2to3"
    r"|Cython\.Compiler\.Errors|No module named '(?:pkg_resources|distutils|imp)'"
)
"""What building an old package says when setuptools or Cython has since dropped what it used."""

Read = Callable[[str], str]
"""The text of a file of the tree, empty when there is none."""


PYPI_MIRROR = re.compile(
    r"https?://(?:[\w-]+\.)*(?:tuna\.tsinghua\.edu\.cn|ustc\.edu\.cn|aliyun\.com|douban\.com|doubanio\.com|tencent\.com"
    r"|huaweicloud\.com|bfsu\.edu\.cn|sjtu\.edu\.cn|163\.com|volces\.com)/"
)
"""Public mirrors of PyPI that lock files name: what they hold is PyPI's, so the machine's own index serves as well. An
index of somebody's own is never left out: its names could mean other packages elsewhere."""


def wanted_version(python: PythonBuild, read: Read) -> str:
    """The constraint on the interpreter that the project states, as written, empty when it states none."""
    at = "" if python.dir in (".", "") else python.dir.rstrip("/") + "/"
    try:
        project = tomllib.loads(read(f"{at}pyproject.toml"))
    except tomllib.TOMLDecodeError:
        project = {}
    stated = locks.table(project, "project").get("requires-python")
    if not isinstance(stated, str):
        stated = locks.table(project, "tool", "poetry", "dependencies").get("python")
    if not isinstance(stated, str) and python.manager == "pipenv":
        match = re.search(r'"python_(?:full_)?version":\s*"([\d.]+)"', read(f"{at}Pipfile.lock"))
        stated = f"=={match[1]}" if match else ""
    if not isinstance(stated, str) and python.manager == "setuptools":
        match = re.search(r"python_requires\s*=\s*[\"']?([^\"'\n]+)", read(f"{at}setup.cfg") or read(f"{at}setup.py"))
        stated = match[1].strip() if match else ""
    return stated if isinstance(stated, str) else ""


@dataclass(frozen=True)
class PythonEnvironment:
    """Makes the environment of one build with `uv`, a binary, for `interpreter`.

    `earlier` are folders of finished builds whose packages may be installed again, `day` is that of the commit.
    """

    shop: Workshop
    uv: str
    python: PythonBuild
    interpreter: Interpreter
    earlier: Sequence[Path] = ()
    day: str = ""
    _tools: list[str] = field(default_factory=list, init=False)
    """Constraints on what builds packages, found on the way."""

    async def make(self) -> None:
        """Create the environment and install into it. Raises `Failure` (`build.install`, `build.lock-missing`)."""
        folder = self.shop.inside(self.python.dir, "build.python.dir")
        await self._create(folder)
        inputs = frozen.inputs_of(self.python, self.interpreter, folder, self.shop.tree)
        before = frozen.recall(self.earlier, inputs)
        if before is not None:
            if await self._again(before, folder):
                frozen.remember(self.shop.folder, before)
                return
            await self._create(folder)
        await self._seed(folder)
        is_package = await self._install(folder)
        if self.python.extra:
            await self._besides(folder)
        if inputs:
            ended = await self.shop.attempt([self.uv, "pip", "freeze", "--exclude-editable", *self._into()], folder)
            if ended.exit_code == 0:
                packages = tuple(line for line in ended.lines if re.match(r"[A-Za-z0-9][\w.-]*( @ |==)", line))
                frozen.remember(self.shop.folder, frozen.Frozen(inputs, packages, is_package, tuple(self._tools)))

    async def _besides(self, folder: Path) -> None:
        """Install what is wanted besides, in a version that fits what is there: nothing of that is replaced while one
        does."""
        argv = ["pip", "install", *self._into(), *self._as_of()]
        ended = await self.shop.attempt([self.uv, "pip", "freeze", "--exclude-editable", *self._into()], folder)
        there = [line for line in ended.lines if re.match(r"[A-Za-z0-9][\w.-]*==", line)]
        held = ["--constraints", str(self.shop.listing("there.txt", there))]
        if (await self.shop.attempt([self.uv, *argv, *held, "--", *self.python.extra], folder)).exit_code != 0:
            await self._run([*argv, "--", *self.python.extra], folder)

    async def _install(self, folder: Path) -> bool:
        """Install what the manager's files say; true when the project itself was installed as a package."""
        install = {
            "uv": self._uv,
            "pip": self._pip,
            "poetry": self._poetry,
            "pdm": self._pdm,
            "pipenv": self._pipenv,
            "setuptools": self._setuptools,
        }[self.python.manager]
        return await install(folder)

    async def _again(self, before: frozen.Frozen, folder: Path) -> bool:
        """Install the packages of an earlier build from the cache; false when the cache lacks one."""
        listed = self.shop.listing("frozen.txt", before.packages)
        argv = ["pip", "install", *self._into(), "--offline", "--no-deps", "-r", str(listed)]
        if before.tools:  # uv keeps what it built by what built it
            argv += self._built_with(before.tools)
        if before.packages and (await self.shop.attempt([self.uv, *argv], folder)).exit_code != 0:
            return False
        return not before.is_package or await self._project_itself(folder)

    async def _create(self, folder: Path) -> None:
        how = "--clear"
        if self.shop.account is not None:  # it may write into the folder, not make one beside the tree
            await in_thread(self.shop.empty_venv)
            how = "--allow-existing"
        await self._run(
            ["venv", "--quiet", "--no-project", how, "--python", self.interpreter.path, str(self.shop.venv)], folder
        )
        # so that scripts that say .venv/bin/… and `uv run` find it
        link = folder / ".venv"
        if not os.path.lexists(link):
            link.symlink_to(os.path.relpath(self.shop.venv, folder))

    async def _seed(self, folder: Path) -> None:
        """Give an older Python the setuptools that every environment made by venv had until 3.12.

        Many packages of that time import pkg_resources (in setuptools before 81) and depend on nothing that has it.
        What the lock says comes after and wins.
        """
        if self.python.manager == "uv" or self.interpreter.version >= (3, 12):
            return
        argv = [self.uv, "pip", "install", "--quiet", *self._into(), "setuptools<81"]
        if (await self.shop.attempt(argv, folder)).exit_code != 0:
            self.shop.note("setuptools could not be had; packages that expect it as part of Python will miss it")

    async def _uv(self, folder: Path) -> bool:
        lock = next((at / "uv.lock" for at in _upwards(folder, self.shop.tree) if (at / "uv.lock").is_file()), None)
        if lock is None:
            raise self._no_lock("uv.lock", "uv lock", folder)
        project = _toml(folder / "pyproject.toml")
        argv = ["sync", "--frozen", "--python", self.interpreter.path]
        if "dev" not in self.python.groups:
            argv.append("--no-dev")
        optional = locks.table(project, "project", "optional-dependencies")
        for group in self.python.groups:
            argv += ["--extra" if group in optional else "--group", group]
        if "workspace" in locks.table(project, "tool", "uv"):
            argv.append("--all-packages")
        ended = await self.shop.attempt([self.uv, *argv], folder)
        if ended.exit_code == 0:
            return True
        if not any("incompatible with the project" in line for line in ended.lines):
            raise self.shop.failed([self.uv, *argv], folder, ended, code="build.install", remedy=_MEND)
        await self._uv_past_the_patch(folder, argv[2:])
        return False

    async def _uv_past_the_patch(self, folder: Path, options: Sequence[str]) -> None:
        """Install the lock although the project asks for another patch of this minor (`==3.11.4`), which uv refuses."""
        self.shop.note(f"the project asks for another patch of Python; using {self.interpreter.says}")
        listed = self.shop.scratch / "exported.txt"
        export = ["export", "--quiet", "--frozen", "--no-emit-local", "--output-file", str(listed), *options]
        await self._run(export, folder)
        await self._run(["pip", "install", *self._into(), "--no-deps", "-r", str(listed)], folder)

    async def _pip(self, folder: Path) -> bool:
        names = locks.pip_files(self.python, lambda name: (folder / name).is_file())
        if not names:
            return False
        files = [self._requirement_file(folder, name) for name in names]
        texts = [file.read_text("utf-8", "replace") for file in files]
        lines = [line for text in texts for line in _requirement_lines(text)]
        unpinned = [line for line in lines if "==" not in line and "@" not in line and not line.startswith("-")]
        if unpinned:
            self.shop.note(
                f"{len(unpinned)} of {len(lines)} requirements name no exact version "
                f"({', '.join(line.split(';')[0].strip()[:40] for line in unpinned[:3])}): "
                "they stay as first installed until the file changes"
            )
        argv = ["pip", "install", *self._into(), *self._as_of()]
        if any("--hash=" in text for text in texts):
            argv.append("--require-hashes")
        elif self.python.without:
            never = [f"{name} ; python_version < '3'" for name in self.python.without]
            argv += ["--override", str(self.shop.listing("without.txt", never))]
        for file in files:
            argv += ["-r", os.path.relpath(file, folder)]
        if any(_OLD_INDEX.search(text) for text in texts):
            self.shop.note("https://pypi.python.org is PyPI's former name: packages are taken from https://pypi.org")
            argv += ["--default-index", self.shop.env.get("UV_DEFAULT_INDEX") or "https://pypi.org/simple"]
        await self._run(argv, folder)
        return False

    def _requirement_file(self, folder: Path, name: str) -> Path:
        for base in (folder, self.shop.tree):
            if (base / name).is_file() and (base / name).resolve().is_relative_to(self.shop.tree.resolve()):
                return base / name
        raise self._no_lock(name, f"uv pip compile pyproject.toml -o {name}", folder)

    async def _poetry(self, folder: Path) -> bool:
        project, lock = folder / "pyproject.toml", folder / "poetry.lock"
        if not project.is_file():
            raise self._no_lock("poetry.lock", "poetry lock", folder)
        if not lock.is_file():
            self.shop.note("there is no poetry.lock: the versions are those that pyproject.toml accepts today")
        await self._locked(folder, lambda: locks.poetry(_text(project), _text(lock), self.python.groups))
        is_package = locks.table(_toml(project), "tool", "poetry").get("package-mode") is not False
        return is_package and await self._project_itself(folder)

    async def _pdm(self, folder: Path) -> bool:
        project, lock = folder / "pyproject.toml", folder / "pdm.lock"
        if not lock.is_file():
            raise self._no_lock("pdm.lock", "pdm lock", folder)
        await self._locked(folder, lambda: locks.pdm(_text(project), _text(lock), self.python.groups))
        is_package = locks.table(_toml(project), "tool", "pdm").get("distribution") is not False
        return is_package and await self._project_itself(folder)

    async def _pipenv(self, folder: Path) -> bool:
        lock, project = folder / "Pipfile.lock", folder / "Pipfile"
        if lock.is_file():
            await self._locked(folder, lambda: locks.pipenv(_text(lock), self.python.groups))
            return False
        if not project.is_file():
            raise self._no_lock("Pipfile.lock", "pipenv lock", folder)
        self.shop.note("there is no Pipfile.lock: the versions are those that Pipfile accepts today")
        await self._locked(folder, lambda: locks.pipfile(_text(project), self.python.groups))
        return False

    async def _locked(self, folder: Path, read: Callable[[], locks.Locked]) -> None:
        try:
            locked = read()
        except locks.Unreadable as error:
            raise Failure(
                Problem(
                    code="build.install",
                    where=self.python.dir,
                    why=str(error),
                    remedy="write the lock again with the tool that owns it, and commit it",
                    command=f"{self.python.manager} lock",
                )
            ) from None
        requirements = self.shop.listing("requirements.txt", locked.requirements)
        argv = ["pip", "install", *self._into(), "-r", str(requirements)]
        if not locked.is_closed and not locked.constraints:
            argv += self._as_of()
        if locked.is_closed:
            argv.append("--no-deps")
        else:
            constraints = self.shop.listing("constraints.txt", locked.constraints)
            argv += ["-c", str(constraints)]
        if locked.indexes:
            # as poetry and PDM do; the lock's hashes say which file is meant
            argv += ["--index-strategy", "unsafe-best-match"]
            argv += [
                part for url in locked.indexes if not PYPI_MIRROR.match(url) for part in ("--extra-index-url", url)
            ]
        await self._run(argv, folder)

    async def _project_itself(self, folder: Path) -> bool:
        """Install the project when it can be; many applications name a build backend and are no package."""
        if "build-system" not in _toml(folder / "pyproject.toml"):
            return False
        argv = [self.uv, "pip", "install", *self._into(), "--no-deps", "--editable", "."]
        if (await self.shop.attempt(argv, folder)).exit_code == 0:
            return True
        self.shop.note("the project itself cannot be installed as a package; it runs from its folder")
        return False

    async def _setuptools(self, folder: Path) -> bool:
        project = _toml(folder / "pyproject.toml")
        stated = locks.table(project, "project")
        if not stated and not (folder / "setup.py").is_file() and not (folder / "setup.cfg").is_file():
            raise self._no_lock("pyproject.toml or setup.py", "uv init --bare", folder)
        names = f"[{','.join(self.python.groups)}]" if self.python.groups else ""
        by_list = ["pip", "install", *self._into(), *self._as_of(), "-r", "pyproject.toml"]
        by_list += [part for group in self.python.groups for part in ("--extra", group)]
        if stated and "build-system" not in project and not (folder / "setup.py").is_file():
            await self._run(by_list, folder)
            return False
        argv = [self.uv, "pip", "install", *self._into(), *self._as_of(), "--editable", f".{names}"]
        ended = await self.shop.attempt(argv, folder)
        if ended.exit_code == 0:
            return True
        if not stated or not any("top-level packages" in line for line in ended.lines):
            raise self.shop.failed(argv, folder, ended, code="build.install", remedy=_MEND)
        self.shop.note("the project is no package (several top-level folders); it runs from its folder")
        await self._run(by_list, folder)
        return False

    def _into(self) -> list[str]:
        return ["--python", str(self.shop.venv / "bin/python")]

    def _as_of(self) -> list[str]:
        return ["--exclude-newer", self.python.as_of] if self.python.as_of else []

    async def _run(self, argv: Sequence[str], folder: Path) -> None:
        """Run uv. Where the tools of today do not build what was pinned long ago, older ones may."""
        first = await self.shop.attempt([self.uv, *argv], folder)
        ended = await self._with_older_tools(argv, folder, first)
        is_for_tools = any(_OF_THE_TOOLS.search(line) for line in ended.lines)
        if ended.exit_code != 0 and self.day and is_for_tools and "--exclude-newer" not in argv:
            self.shop.note(
                f"today's setuptools and Cython do not build this: trying those of {self.day}, of the commit"
            )
            again = [*argv[:2], "--exclude-newer", self.day, *argv[2:]]
            then = await self.shop.attempt([self.uv, *again], folder)
            if then.exit_code == 0:
                return
            if not any(_OF_THE_TOOLS.search(line) for line in then.lines):
                argv, ended = again, then  # the tools were not all: this is what is left
        if ended.exit_code != 0:
            is_same = old_tools.what_failed(first.lines) == old_tools.what_failed(ended.lines)
            why = first if is_same else ended  # what older tools say of the same package is about themselves
            raise self.shop.failed([self.uv, *argv], folder, why, code="build.install", remedy=_MEND)

    async def _with_older_tools(self, argv: Sequence[str], folder: Path, ended: Ended) -> Ended:
        """How `argv`, which ended so, ends when packages that say what they miss are built with the tools that have it.

        A build names one miss at a time, and another package's may come after it: every constraint is tried once.
        """
        while ended.exit_code != 0 and argv[:2] == ["pip", "install"]:
            mend = old_tools.mend(ended.lines, self._tools)
            if mend is None:
                break
            self._tools.extend(mend.needs)
            what = old_tools.what_failed(ended.lines) or "a package"
            self.shop.note(f"{what} is built with {' and '.join(mend.needs)}: {mend.because}")
            ended = await self.shop.attempt([self.uv, *argv, *self._built_with(self._tools)], folder)
        return ended

    def _built_with(self, tools: Sequence[str]) -> list[str]:
        return ["--build-constraints", str(self.shop.listing("build-constraints.txt", tools))]

    def _no_lock(self, name: str, command: str, folder: Path) -> Failure:
        inner = os.path.relpath(folder, self.shop.tree)
        return Failure(lock_missing(self.python.manager, name if inner == "." else f"{inner}/{name}", command))


def _upwards(folder: Path, top: Path) -> Sequence[Path]:
    return [at for at in (folder, *folder.parents) if at == top or top in at.parents]


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _toml(path: Path) -> dict[str, object]:
    """The table in `path`, empty when it is missing or no TOML (uv then says what is wrong with it)."""
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError:
        return {}


def _requirement_lines(text: str) -> list[str]:
    joined = text.replace("\\\n", " ")
    return [line for raw in joined.splitlines() if (line := raw.partition(" #")[0].strip()) and line[0] not in "#-"]
