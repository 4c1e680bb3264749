"""Problems of builds that are told in two places: before a build is begun, and by the build itself."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from underway.manifest.build import PythonBuild
from underway.manifest.model import MANIFEST_FILE
from underway.terms.problem import Problem

NODE_LOCKS = {
    "npm": ("package-lock.json", "npm-shrinkwrap.json"),
    "pnpm": ("pnpm-lock.yaml",),
    "yarn": ("yarn.lock",),
    "bun": ("bun.lock", "bun.lockb"),
}
LOCK_WRITERS = {
    "npm": "npm install --package-lock-only",
    "pnpm": "pnpm install --lockfile-only",
    "yarn": "yarn install",
    "bun": "bun install --lockfile-only",
}


def lock_missing(manager: str, where: str, command: str) -> Problem:
    return Problem(
        code="build.lock-missing",
        where=where,
        why=f"{manager} installs from it and it is not in the repository",
        remedy="write it, commit it and deploy again",
        command=command,
    )


def package_missing(where: str, manager: str) -> Problem:
    return Problem(
        code="build.package-missing",
        where=where,
        why=f"{manager} installs what it names, and it is not in the repository",
        remedy=f"take [build.node] out of {MANIFEST_FILE}, or name the folder that holds it in build.node.dir",
        command="underway init --print",
    )


def no_python(python: PythonBuild, constraint: str, found: Sequence[str]) -> Problem:
    """`constraint` is what the project states, empty when it states none."""
    version = python.version
    stated_in = {"pipenv": "Pipfile.lock", "setuptools": "setup"}.get(python.manager, "pyproject.toml")
    place = stated_in if python.dir in (".", "") else f"{python.dir.rstrip('/')}/{stated_in}"
    wanted = " and ".join(part for part in (version, constraint) if part)
    release = version or next(iter(re.findall(r"3\.\d+", constraint)), "")
    return Problem(
        code="build.python",
        where=f"{place} requires-python" if constraint else f"{MANIFEST_FILE} build.python.version",
        why=f"the project wants Python {wanted}; found here: {', '.join(found) or 'none'}",
        remedy="install such a Python, or change what the project asks for",
        command=f"uv python install {release}".strip(),
    )


def no_tool(name: str, remedy: str, command: str) -> Problem:
    return Problem(
        code="build.node",
        where=f"{MANIFEST_FILE} build.node.manager",
        why=f"the build needs {name}, and it is not on the PATH of the user that runs Underway",
        remedy=remedy,
        command=command,
    )


def no_engine(folder: str) -> Problem:
    return Problem(
        code="build.engine",
        where=posixpath.normpath(f"{folder}/package.json"),
        why="Prisma downloads its engine from binaries.prisma.sh, and this machine finds no such host",
        remedy="let it reach that host, or name a mirror that it reaches: PRISMA_ENGINES_MIRROR in [env]",
        command="curl -I https://binaries.prisma.sh",
    )


def no_fonts(where: str) -> Problem:
    return Problem(
        code="build.fonts",
        where=where,
        why="Next.js fetches these fonts from fonts.googleapis.com when it builds, and this machine finds no such host",
        remedy="let it reach that host, or keep the fonts in the repository: next/font/local",
        command="curl -I https://fonts.googleapis.com",
    )


def static_missing(folder: str, when: str, command: str) -> Problem:
    """`when` begins the reason: "after the build there is no folder"."""
    return Problem(
        code="build.static-missing",
        where=f"{MANIFEST_FILE} static.dir",
        why=f"{when} {folder!r} to serve",
        remedy="name the folder that the build writes, relative to the repository's root",
        command=command,
    )


def no_page(folder: str, paths: Sequence[str], command: str) -> Problem:
    """`paths` are the files in `folder`: one level or more below it may be the page that was meant."""
    below = sorted((p for p in paths if p.endswith("/index.html")), key=lambda p: (p.count("/"), p))
    inner = f"{folder}/{below[0].rpartition('/')[0]}".removeprefix("./") if below else ""
    return Problem(
        code="build.static-missing",
        where=f"{MANIFEST_FILE} static.dir",
        why=f"there is no index.html in {folder!r}, and nothing else answers /",
        remedy=f'add to underway.toml: [static] dir = "{inner}"' if inner else "name the folder with the built pages",
        command=command,
    )
