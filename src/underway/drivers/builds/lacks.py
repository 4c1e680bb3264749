"""What a source or this machine lacks for a build, told before anything is begun."""

from __future__ import annotations

import posixpath
import shutil
from collections.abc import Iterator, Sequence

from underway.drivers.builds.interpreters import Interpreter, fitting
from underway.drivers.builds.locks import pip_files
from underway.drivers.builds.problems import (
    lock_missing,
    no_python,
    no_tool,
    package_missing,
    static_missing,
)
from underway.drivers.builds.python_env import wanted_version
from underway.manifest.build import NodeBuild, PythonBuild
from underway.manifest.model import MANIFEST_FILE
from underway.ports.builds import BuildAsk
from underway.terms.problem import Problem
from underway.terms.tree import Tree

_PYTHON_LOCKS = {"uv": ("uv.lock",), "poetry": ("poetry.lock", "pyproject.toml"), "pdm": ("pdm.lock",),
                 "pipenv": ("Pipfile.lock", "Pipfile")}  # fmt: skip
"""What each manager's packages are installed from: its lock, or where that may be missing, what it is made from."""


def lacks(ask: BuildAsk, tree: Tree, found: tuple[Interpreter, ...], path: str) -> Iterator[Problem]:
    """Problems that a build of `tree` would certainly end with.

    `found` are the machine's interpreters, `path` is the PATH that builds see.
    """
    if ask.build.python:
        yield from _of_python(ask.build.python, tree, found)
    nodes = {"node": ask.build.node, "front_end": ask.build.front_end}
    for part, node in nodes.items():
        if node is not None:
            yield from _of_node(f"build.{part}", node, tree, path)
    makes_files = ask.build.commands or ask.collect or any(node.script for node in nodes.values() if node)
    if ask.static and not makes_files and not _has_folder(tree, ask.static.dir):
        yield static_missing(ask.static.dir, "there is no folder", "underway init --print")


def _of_python(python: PythonBuild, tree: Tree, found: tuple[Interpreter, ...]) -> Iterator[Problem]:
    if not _has_folder(tree, python.dir):
        yield _folder_missing("build.python.dir", python.dir)
        return
    paths = set(tree.paths)
    if python.manager == "pip":
        for name in pip_files(python, lambda name: _join(python.dir, name) in paths):
            if not {_join(python.dir, name), _join(".", name)} & paths:
                yield lock_missing("pip", _join(python.dir, name), f"uv pip compile pyproject.toml -o {name}")
    elif names := _PYTHON_LOCKS.get(python.manager, ()):
        places = _upwards(python.dir) if python.manager == "uv" else [python.dir]
        if not any(_join(at, name) in paths for at in places for name in names):
            yield lock_missing(python.manager, _join(python.dir, names[0]), f"{python.manager} lock")
    constraint = wanted_version(python, tree.text)
    if not fitting(found, constraint, python.version):
        yield no_python(python, constraint, tuple(dict.fromkeys(one.says for one in found)))


def _of_node(key: str, node: NodeBuild, tree: Tree, path: str) -> Iterator[Problem]:
    paths = set(tree.paths)
    if not _has_folder(tree, node.dir):
        yield _folder_missing(f"{key}.dir", node.dir)
    elif _join(node.dir, "package.json") not in paths:
        yield package_missing(_join(node.dir, "package.json"), node.manager)
    if node.manager != "bun" and shutil.which("node", path=path) is None:
        yield no_tool("node", "install Node.js 20 or newer", "node --version")


def _folder_missing(key: str, folder: str) -> Problem:
    return Problem(
        code="build.folder-missing",
        where=f"{MANIFEST_FILE} {key}",
        why=f"there is no folder {folder!r} in the repository",
        remedy="name a folder of the repository, relative to its root; git must not ignore it",
        command="underway init --print",
    )


def _has_folder(tree: Tree, folder: str) -> bool:
    prefix = posixpath.normpath(folder.strip("/") or ".") + "/"
    return prefix == "./" or any(path.startswith(prefix) for path in tree.paths)


def _upwards(folder: str) -> Sequence[str]:
    """The folder and those above it, up to the root of the tree."""
    parts = [part for part in folder.split("/") if part not in ("", ".")]
    return ["/".join(parts[:count]) or "." for count in range(len(parts), -1, -1)]


def _join(folder: str, name: str) -> str:
    return posixpath.normpath(f"{folder.strip('/') or '.'}/{name}")
