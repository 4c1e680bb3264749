"""node_modules of a build, and the script that makes the front end."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from underway.drivers.builds.interpreters import tool_version
from underway.drivers.builds.npm_mirrors import without_mirrors
from underway.drivers.builds.problems import LOCK_WRITERS, NODE_LOCKS, no_engine, no_fonts, no_tool
from underway.drivers.builds.workshop import Workshop, in_thread
from underway.drivers.whole_file import write_whole
from underway.manifest.build import LISTEN_MODULE, NodeBuild
from underway.terms.problem import Failure

_MEND = "run the command shown in a checkout, mend what it says, and deploy again"

_UNLOCKED = (
    "no lock says the versions, and today's may not fit each other: write one and commit it, or name the day from "
    "which the versions are taken in [build.node] as_of (npm alone can)"
)

_ENGINES = "binaries.prisma.sh"
_FONTS = "fonts.googleapis.com"
_OTHER_ENGINES = ("PRISMA_ENGINES_MIRROR", "PRISMA_QUERY_ENGINE_LIBRARY", "PRISMA_SCHEMA_ENGINE_BINARY",
                  "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")  # fmt: skip
"""Where one of these is set, the engine comes from elsewhere, or the name is looked up by a proxy."""

_NOT_DOWNLOADED = {"CYPRESS_INSTALL_BINARY": "0", "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1", "HUSKY": "0"}
"""Browsers of test tools, which no build needs and many machines may not download, and hooks of git."""


TOOLS = "tools"
"""The folder of a build's scratch whose programs its commands find first."""
_PYTHONS = ("/usr/bin/python3", "/usr/local/bin/python3")


@dataclass(frozen=True)
class NodeEnvironment:
    """Installs and builds with the manager that the manifest names.

    `key` is the table of the manifest that asks for it. `wants_dev` is false for a server without a build step: its
    development packages are left out. `settings` are the app's, which a front end may bake in. `runs` is true where the
    app itself is started from here.
    """

    shop: Workshop
    node: NodeBuild
    key: str
    wants_dev: bool
    settings: Mapping[str, str]
    runs: bool = False

    async def make(self, installed: set[Path]) -> None:
        """Install from the lock (without one, what package.json accepts), then run the script. Raises `Failure`
        (`build.install`, `build.command`, `build.node`, `build.engine`).

        A lock above the folder is a workspace's: all of it is installed there, once. `installed` are the locks that
        were, and gets this one.
        """
        folder = self.shop.inside(self.node.dir, f"{self.key}.dir")
        package = _json(folder / "package.json")
        lock = self._lock(folder)
        if lock is not None and "packageManager" not in package:
            package = {**_json(lock.parent / "package.json"), **package}
        await self._require_engine(package)
        await self._require_fonts(package, folder)
        tool = self._tool(package, folder)
        env = self._variables(folder, package) | self._tools(tool)
        if lock is not None:
            argv = [*tool, *self._install(lock)]
            if lock not in installed:
                await self._leave_mirrors(lock)
                await self._installed(argv, lock.parent, _MEND, env)
            installed.add(lock)
        elif _has_dependencies(package):
            self.shop.note(f"no lock of {self.node.manager} says the versions: {LOCK_WRITERS[self.node.manager]}")
            argv = [*tool, *self._install_unlocked()]
            await self._installed(argv, folder, _UNLOCKED, env)
        if self.runs and self.node.manager == "bun":
            await self._keep_bun(folder, env)
        if self.node.script:
            argv = [*tool, "run", self.node.script]
            production = {"NODE_ENV": "production"}
            remedy = _UNLOCKED if lock is None and _has_dependencies(package) else _MEND
            await self.shop.run(argv, folder, code="build.command", remedy=remedy, env={**env, **production})

    async def _leave_mirrors(self, lock: Path) -> None:
        text, count = await in_thread(without_mirrors, lock)
        if count:
            self.shop.note(f"{count} addresses in {lock.name} are of a mirror: the packages come from the registry")
            owner = self.shop.account.owner if self.shop.account else None
            await in_thread(write_whole, lock, text.encode(), owner=owner)

    async def _keep_bun(self, folder: Path, env: Mapping[str, str]) -> None:
        """Keep bun in the release where the machine has none: what starts the app looks for it there."""
        npm = shutil.which("npm", path=self.shop.env["PATH"])
        link = folder / "node_modules/.bin/bun"
        if shutil.which("bun", path=self.shop.env["PATH"]) or npm is None or link.exists():
            return
        at = folder / LISTEN_MODULE
        kept = at.parent / "bun"
        argv = [npm, "install", "--no-save", "--no-package-lock", f"--prefix={kept}", "bun@1"]
        await self.shop.run(argv, folder, code="build.install", remedy=_MEND, env=env)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(kept / "node_modules/.bin/bun", link.parent))

    async def _installed(self, argv: Sequence[str], folder: Path, remedy: str, env: Mapping[str, str]) -> None:
        """Install. npm 7 and later refuse packages that ask for other versions of each other, also where a lock that
        npm 6 wrote has long settled it: then as npm 6 did (docs.npmjs.com, legacy-peer-deps), and say so."""
        try:
            await self.shop.run(argv, folder, code="build.install", remedy=remedy, env=env)
        except Failure as failure:
            why, manager = failure.problem.why, self.node.manager
            if manager == "npm" and "ERESOLVE" in why:
                all_the_same = "--legacy-peer-deps"
            elif manager == "yarn" and 'The engine "node" is incompatible' in why:
                all_the_same = "--ignore-engines"  # what npm does: it warns
            else:
                raise
            self.shop.note(f"{why}: installed all the same, with {all_the_same}")
            await self.shop.run([*argv, all_the_same], folder, code="build.install", remedy=remedy, env=env)

    async def _require_engine(self, package: Mapping[str, Any]) -> None:
        """Say before anything is installed that Prisma's engine cannot be had: `prisma generate` and `migrate` run a
        program that no package holds (prisma.io/docs/orm/more/under-the-hood/engines)."""
        names = {*package.get("dependencies", ()), *package.get("devDependencies", ())}
        has_other = any(name in self.shop.env or name in self.settings for name in _OTHER_ENGINES)
        if not names & {"prisma", "@prisma/client"} or has_other:
            return
        if not await in_thread(_is_known, _ENGINES):
            raise Failure(no_engine(self.node.dir))

    async def _require_fonts(self, package: Mapping[str, Any], folder: Path) -> None:
        """Say before anything is installed that the fonts which Next.js fetches when it builds cannot be had
        (nextjs.org/docs, next/font/google: a production build fails without them)."""
        if "next" not in package.get("dependencies", ()) or not self.node.script or "https_proxy" in self.shop.env:
            return
        named = await in_thread(_names_in, folder, "next/font/google")
        if named and not await in_thread(_is_known, _FONTS):
            raise Failure(no_fonts(os.path.normpath(f"{self.node.dir}/{named}")))

    def _install_unlocked(self) -> list[str]:
        """Install what package.json accepts as of today, or of the day that the manifest names (npm alone can)."""
        manager = self.node.manager
        if manager == "npm":
            before = ["--before", self.node.as_of] if self.node.as_of else []
            return ["install", "--no-package-lock", "--include=dev" if self.wants_dev else "--omit=dev", *before]
        if manager == "pnpm":
            return ["install", "--no-frozen-lockfile", *([] if self.wants_dev else ["--prod"])]
        return ["install", *(self._for_yarn_1() if manager == "yarn" else [])]

    def _install(self, lock: Path) -> list[str]:
        manager = self.node.manager
        if manager == "npm":
            return ["ci", "--include=dev" if self.wants_dev else "--omit=dev"]
        if manager == "pnpm":
            return ["install", "--frozen-lockfile", *([] if self.wants_dev else ["--prod"])]
        if manager == "yarn":
            is_berry = "__metadata:" in _start(lock)
            return ["install", "--immutable"] if is_berry else ["install", "--frozen-lockfile", *self._for_yarn_1()]
        return ["install", "--frozen-lockfile", *([] if self.wants_dev else ["--production"])]

    def _for_yarn_1(self) -> list[str]:
        """yarn 1 breaks its cache when two run at once (yarnpkg/yarn#4102): builds of one home wait for each other."""
        return ["--production=false", "--mutex", f"file:{self.shop.cache / 'yarn-in-use'}"]

    def _tool(self, package: Mapping[str, Any], folder: Path) -> list[str]:
        """The command of the package manager. pnpm and yarn are run through npm in the version the project names
        when the machine has none that fits (pnpm's major must follow the lock's format)."""
        manager = self.node.manager
        path = self.shop.env["PATH"]
        if shutil.which("node", path=path) is None and manager != "bun":
            raise self._no_tool("node", "install Node.js 20 or newer", "node --version")
        found = shutil.which(manager, path=path)
        if manager in ("pnpm", "yarn"):
            own = self._own_yarn(folder) if manager == "yarn" else None
            if own is not None:
                return ["node", str(own)]
            wanted = self._wanted_release(package, folder)
            if found and not (wanted and (manager == "pnpm" or _major_of(found) != wanted.partition(".")[0])):
                return [found]
            npm = shutil.which("npm", path=path)
            if npm and wanted:
                source = "@yarnpkg/cli-dist" if manager == "yarn" and not wanted.startswith("1") else manager
                return [npm, "exec", "--yes", f"--package={source}@{wanted}", "--", manager]
        if found:
            return [found]
        if manager == "bun" and (npm := shutil.which("npm", path=path)):
            return [npm, "exec", "--yes", "--package=bun@1", "--", "bun"]  # the npm registry holds its program
        remedy = f"install {manager} so that the user that runs Underway finds it on PATH"
        raise self._no_tool(manager, remedy, f"npm install --global {manager}" if manager != "npm" else "npm --version")

    def _own_yarn(self, folder: Path) -> Path | None:
        """The yarn that the repository carries: `yarnPath` of .yarnrc.yml, beside the package or above it."""
        for at in (folder, *folder.parents):
            named = re.search(r"""^yarnPath:\s*["']?([\w./-]+\.c?js)""", _start(at / ".yarnrc.yml"), re.MULTILINE)
            if named and (at / named[1]).resolve().is_relative_to(self.shop.tree.resolve()):
                return at / named[1] if (at / named[1]).is_file() else None
            if at == self.shop.tree:
                break
        return None

    def _wanted_release(self, package: Mapping[str, Any], folder: Path) -> str:
        """The version of pnpm or yarn that the project or its lock asks for, empty when neither does."""
        manager = self.node.manager
        match = re.fullmatch(rf"{manager}@(\d+(?:\.\d+){{0,2}})(?:[-+].*)?", str(package.get("packageManager", "")))
        lock = self._lock(folder)
        start = _start(lock) if lock else ""
        if match and not (manager == "pnpm" and self._is_too_new(match[1])):
            return match[1]
        if manager == "yarn":
            metadata = re.search(r"__metadata:\s+version:\s*(\d+)", start)
            return {"4": "2", "5": "2", "6": "3"}.get(metadata[1], "4") if metadata else "1"
        version = re.search(r"lockfileVersion:\s*'?(\d+)", start)
        if match and version and version[1] == "9":
            self.shop.note(f"pnpm {match[1]} does not run on this machine's Node: taking pnpm 10, which reads its lock")
            return "10"
        return {"5": "7", "6": "8", "9": "9"}.get(version[1], "") if version else match[1] if match else ""

    def _is_too_new(self, wanted: str) -> bool:
        """pnpm 11 runs on Node 22.13 and newer alone (r.pnpm.io/comp)."""
        node = shutil.which("node", path=self.shop.env["PATH"])
        found = re.search(r"(\d+)\.(\d+)", tool_version(node)) if node else None
        return found is not None and int(wanted.partition(".")[0]) >= 11 and (int(found[1]), int(found[2])) < (22, 13)

    def _variables(self, folder: Path, package: Mapping[str, Any]) -> dict[str, str]:
        env = {
            **self.settings,
            "npm_config_cache": str(self.shop.cache / "npm"),
            "npm_config_store_dir": str(self.shop.cache / "pnpm"),
            "npm_config_fund": "false",
            "npm_config_audit": "false",
            "npm_config_update_notifier": "false",
            "npm_config_progress": "false",
            "YARN_CACHE_FOLDER": str(self.shop.cache / "yarn"),
            "BUN_INSTALL_CACHE_DIR": str(self.shop.cache / "bun"),
            "COREPACK_HOME": str(self.shop.cache / "corepack"),
            "COREPACK_ENABLE_DOWNLOAD_PROMPT": "0",
            "npm_config_manage_package_manager_versions": "false",  # it was chosen already
            "YARN_ENABLE_TELEMETRY": "0",
            "YARN_ENABLE_INLINE_BUILDS": "1",  # what a script of a package says is in the log, in no file of its own
            "YARN_NODE_LINKER": "node-modules",  # what starts the app is node, which does not know Plug-and-Play
            "NEXT_TELEMETRY_DISABLED": "1",
            "ASTRO_TELEMETRY_DISABLED": "1",
            # else Next.js lays its server out from the outermost lock it finds, be it above this very tree
            "NEXT_PRIVATE_OUTPUT_TRACE_ROOT": str(lock.parent if (lock := self._lock(folder)) else folder),
        }
        env |= _NOT_DOWNLOADED
        registry = self.shop.env.get("npm_config_registry") or self.shop.env.get("NPM_CONFIG_REGISTRY")
        if registry and "YARN_NPM_REGISTRY_SERVER" not in self.shop.env:
            env["YARN_NPM_REGISTRY_SERVER"] = registry
        # npm 11 runs no install script of a dependency and does not say so, and native modules then fail at run
        # time. The lock pins what is run. A project that decides for itself is obeyed.
        decides = "scripts" in _start(folder / ".npmrc") or "allowScripts" in package
        if self.node.manager in ("npm", "bun") and not decides:
            env["npm_config_dangerously_allow_all_scripts"] = "true"
        return env

    def _tools(self, tool: Sequence[str]) -> dict[str, str]:
        """PATH with what scripts call by its name and whoever builds may not reach: the package manager as it was
        chosen, and `python`, which native modules need to compile (many machines have `python3` alone, or a shim in
        the home of somebody else)."""
        folder = self.shop.scratch / TOOLS
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # whatever our umask is, the account that builds looks into it
        own = next((path for path in _PYTHONS if os.access(path, os.X_OK)), None)
        if own and (self.shop.account is not None or not shutil.which("python", path=self.shop.env["PATH"])):
            for name in ("python", "python3"):
                if not (folder / name).is_symlink():
                    (folder / name).symlink_to(own)
        if self.node.manager in ("pnpm", "yarn"):
            script = folder / self.node.manager
            script.write_text(f'#!/bin/sh\nexec {shlex.join(tool)} "$@"\n')
            script.chmod(0o755)
        return {"PATH": f"{folder}:{self.shop.env['PATH']}"}

    def _lock(self, folder: Path) -> Path | None:
        """The lock, in the folder or (a workspace) above it."""
        tree = self.shop.tree
        for at in (folder, *folder.parents):
            if at != tree and tree not in at.parents:
                break
            for name in NODE_LOCKS[self.node.manager]:
                if (at / name).is_file():
                    return at / name
        return None

    def _no_tool(self, name: str, remedy: str, command: str) -> Failure:
        return Failure(no_tool(name, remedy, command))


def _major_of(program: str) -> str:
    return tool_version(program).partition(".")[0]


def _has_dependencies(package: Mapping[str, Any]) -> bool:
    return any(package.get(key) for key in ("dependencies", "devDependencies", "optionalDependencies", "workspaces"))


def _names_in(folder: Path, what: str) -> str:
    """The first source of a Next.js app that names `what`, with its line; empty for none."""
    for below in ("app", "src", "pages", "lib", "components", "styles", "config", "."):
        pattern = "*.[jt]s*" if below == "." else "**/*.[jt]s*"
        for path in sorted((folder / below).glob(pattern))[:3000]:
            if path.is_symlink() or not path.is_file():
                continue
            text = path.read_text(encoding="utf-8", errors="replace")[:200_000]
            if (at := re.search(rf"from\s*['\"]{re.escape(what)}['\"]", text)) is not None:
                return f"{path.relative_to(folder)}:{text.count(chr(10), 0, at.start()) + 1}"
    return ""


def _is_known(host: str) -> bool:
    """Whether this machine finds an address for `host`."""
    try:
        return bool(socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM))
    except OSError:
        return False


def _json(path: Path) -> Mapping[str, Any]:
    try:
        read = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def _start(path: Path) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(4096)
    except OSError:
        return ""
