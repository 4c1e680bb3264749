"""The versions of files that a git repository keeps, read without checking anything out."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from underway.drivers.sources.git import NotGit, git_environment, git_output

_OVERRIDES = {"log.showSignature": "false", "core.commitGraph": "true"}


@dataclass(frozen=True)
class Origin:
    """The commit that brought a content in."""

    commit: str
    author: str
    when: str


def references(root: str) -> str:
    """A digest of everything the history is reached from. Empty outside git and before the first commit."""
    try:
        if git_output(root, "rev-parse", "--is-inside-work-tree").strip() != b"true":
            return ""
        refs = git_output(root, "for-each-ref", "--format=%(objectname) %(refname)")
        head = git_output(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    except NotGit:
        return ""
    prefix = git_output(root, "rev-parse", "--show-prefix")
    return hashlib.sha256(refs + b"\0" + head + b"\0" + prefix + is_shallow(root)).hexdigest()


def is_shallow(root: str) -> bytes:
    """`true` when older commits were not fetched."""
    return git_output(root, "rev-parse", "--is-shallow-repository").strip()


def contents(root: str) -> tuple[int, dict[str, str]]:
    """The number of commits, and every blob below `root` with one path of it (git-rev-list(1), --objects)."""
    commits = int(git_output(root, "rev-list", "--count", "--all", "HEAD") or b"0")
    out = git_output(root, "rev-list", "--objects", "--all", "HEAD", "--", ".")
    prefix = git_output(root, "rev-parse", "--show-prefix").strip().decode("utf-8", "replace")
    found: dict[str, str] = {}
    for line in out.split(b"\n"):
        id_, _, path = line.partition(b" ")
        if path:
            found[id_.decode("ascii", "replace")] = path.decode("utf-8", "replace").removeprefix(prefix)
    return commits, found


def blobs(root: str, wanted: list[str], most_bytes: int) -> Iterator[tuple[str, bytes | None]]:
    """The contents of `wanted` objects that are blobs, in order; None for one over `most_bytes` or not there."""
    sized = _batch(root, "--batch-check=%(objecttype) %(objectsize)", wanted)
    kept: list[str] = []
    for id_, answer in zip(wanted, sized.split(b"\n"), strict=False):
        kind, _, size = answer.partition(b" ")
        if kind != b"blob":
            continue
        if int(size) > most_bytes:
            yield id_, None
        else:
            kept.append(id_)
    for start in range(0, len(kept), 500):
        part = kept[start : start + 500]
        out = _batch(root, "--batch", part)
        at = 0
        for id_ in part:
            line_end = out.index(b"\n", at)
            length = int(out[at:line_end].rsplit(b" ", 1)[1])
            yield id_, out[line_end + 1 : line_end + 1 + length]
            at = line_end + length + 2


def _batch(root: str, how: str, wanted: list[str]) -> bytes:
    ended = subprocess.run(
        ["git", "cat-file", how, "--buffer"],
        cwd=root,
        env=git_environment(_OVERRIDES),
        input="".join(f"{id_}\n" for id_ in wanted).encode(),
        capture_output=True,
        check=False,
    )
    if ended.returncode:
        raise NotGit
    return ended.stdout


def origins(root: str, wanted: set[str]) -> dict[str, Origin]:
    """The oldest commit with each blob. One walk over the history, ended when all are found."""
    left, found = set(wanted), {}
    marks = ("log", "--all", "HEAD", "--reverse", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", "-m")
    walk = subprocess.Popen(
        ["git", *marks, "--root", "--format=\x01%H\x02%an\x02%aI", "--", "."],
        cwd=root,
        env=git_environment(_OVERRIDES),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert walk.stdout is not None
    now: Origin | None = None
    with contextlib.closing(walk.stdout), walk:
        for raw in walk.stdout:
            if raw.startswith(b"\x01"):
                parts = raw[1:].decode("utf-8", "replace").rstrip("\n").split("\x02")
                now = Origin(*parts) if len(parts) == 3 else None
            elif raw.startswith(b":") and now is not None:
                id_ = raw.split(b" ", 4)[3].decode("ascii", "replace")
                if id_ in left:
                    left.discard(id_)
                    found[id_] = now
                    if not left:
                        break
        walk.kill()
    return found
