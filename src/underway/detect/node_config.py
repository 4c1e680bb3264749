"""Configuration files of JavaScript tools, read as text: what is written there plainly."""

from __future__ import annotations

import re

from underway.detect.index import Index, join
from underway.detect.model import Evidence
from underway.detect.node import NodeProject

_CONFIG = ("js", "mjs", "ts", "mts", "cjs")


def config_of(index: Index, project: NodeProject, name: str) -> tuple[str, str]:
    """A configuration file by its name without the ending, and its text without comments; both empty for none."""
    for folder in (
        (project.folder, join(project.folder, "docs")) if name.startswith(".vitepress") else (project.folder,)
    ):
        for ending in _CONFIG:
            path = join(folder, f"{name}.{ending}")
            if index.has(path):
                return path, uncommented(index.text(path))
    return "", ""


_COMMENT = re.compile(r"(?m)^[ \t]*//[^\n]*|(?<=[\s,;{(])//[^\n'\"`]*$|/\*.*?\*/", re.DOTALL)


def uncommented(text: str) -> str:
    """The text with comments blanked out, so that lines stay where they are."""
    return _COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def at_line(path: str, text: str, found: re.Match[str]) -> Evidence:
    return Evidence.at(path, text, found.start())


def named(text: str, key: str, otherwise: str) -> str:
    """The folder that a configuration names under `key`."""
    found = re.search(rf"""\b{key}\s*:\s*['"`](?:\./)?([\w./-]+)['"`]""", text)
    return found[1].rstrip("/") if found else otherwise
