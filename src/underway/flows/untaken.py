"""What the repository has and the manifest leaves out: a table that the file has is used exactly as it is written."""

from __future__ import annotations

import shlex
from collections.abc import Collection

from underway.manifest.build import NodeBuild, PythonBuild
from underway.manifest.model import MANIFEST_FILE, Manifest


def untaken_notes(manifest: Manifest, written: Collection[str], draft: Manifest, live: Manifest | None) -> list[str]:
    """One note for each process and each part of the build that `draft`, what was recognised, has and `manifest` has
    not, where the file says something else (`written` are its top-level keys). A release that leaves out what the
    `live` one leaves out is not told of again."""
    notes = []
    if "processes" in written and (live is None or live.processes.keys() != manifest.processes.keys()):
        commands = [process.command for process in manifest.processes.values()]
        for name, process in draft.processes.items():
            if name not in manifest.processes and not any(_is_like(process.command, other) for other in commands):
                notes.append(
                    f"{MANIFEST_FILE} says what runs and leaves out {name}, which the repository has: "
                    f"`{process.command}`. If it is to run, write it as [processes.{name}]."
                )
    if "build" in written and (live is None or live.build != manifest.build):
        for name, found, taken in (
            ("python", draft.build.python, manifest.build.python),
            ("node", draft.build.node, manifest.build.node),
            ("front_end", draft.build.front_end, manifest.build.front_end),
        ):
            if found is not None and taken is None and not _is_built(found, manifest):
                notes.append(
                    f"{MANIFEST_FILE} says what is built and leaves out what {found.manager} installs in {found.dir}. "
                    f"If it is to be built, write [build.{name}]."
                )
    return notes


def _is_like(command: str, other: str) -> bool:
    """Every word of `command` that is no option and no reference is a word of `other` too."""
    return {word for word in _words(command) if not word.startswith("-") and "$" not in word} <= set(_words(other))


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _is_built(found: PythonBuild | NodeBuild, manifest: Manifest) -> bool:
    """Another part of the written build, or one of its commands, is about the same folder."""
    build = manifest.build
    dirs = {part.dir for part in (build.python, build.node, build.front_end) if type(part) is type(found)}
    return found.dir in dirs or any(found.manager in _words(command) for command in build.commands)
