"""What a Dockerfile lays out beside the sources: folders it makes, a built front end it puts where a server looks."""

from __future__ import annotations

import re
import shlex

from underway.detect.draft import Draft
from underway.detect.index import join
from underway.detect.model import Evidence
from underway.detect.starts import Starts

_PATH = re.compile(r"[\w-][\w./-]{0,100}")


def put_by_dockerfile(starts: Starts, folder: str, built: str) -> tuple[str, Evidence] | None:
    """The line that puts what a front end in `folder` builds where a RUN of a Dockerfile puts it."""
    for each in starts.dockerfiles:
        for run, line in each.runs:
            found = re.search(rf"\b(?:mv|cp -\w+)\s+(?:\./)?{re.escape(built)}/?[*.]*\s+(\S+)", run)
            to = _inside(found[1], each.workdir) if found else ""
            if to:
                return f"mkdir -p {to} && cp -r {shlex.quote(built)}/. {to}/", Evidence(each.path, line)
    return None


def made_folders(starts: Starts, folder: str, draft: Draft) -> None:
    """Folders of the working directory that a Dockerfile makes, since the app counts on them."""
    made: dict[str, None] = {}
    for each in starts.dockerfiles[:1]:
        for run, _ in each.runs:
            for found in re.finditer(r"\bmkdir\s+((?:-\w+\s+)?[^&;|]+)", run):
                paths = [_inside(word, each.workdir) for word in found[1].split() if not word.startswith("-")]
                made |= dict.fromkeys(join(folder, path) for path in paths if path)
    if made:
        draft.commands.insert(0, f"mkdir -p {shlex.join(list(made)[:10])}")


def _inside(path: str, workdir: str) -> str:
    """The path below the working directory; empty for any other."""
    workdir = workdir.rstrip("/")
    inner = path[len(workdir) + 1 :] if workdir and path.startswith(f"{workdir}/") else path.removeprefix("./")
    inner = inner.rstrip("/")
    return inner if _PATH.fullmatch(inner) and ".." not in inner else ""
