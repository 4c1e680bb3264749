"""Questions to git, asked so that a hostile repository cannot make it run anything.

A repository's own `.git/config` can name programs (core.fsmonitor, filter.*.clean, hooks, the transport of a
partial clone). All of them are overridden through `GIT_CONFIG_COUNT`, which git-config(1) counts as the command
scope: it outranks the repository, and `safe.directory` is honoured from it, so that a repository of another
user can be read.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence

from underway.terms.problem import Problem, Refusal

_OVERRIDES = {
    "safe.directory": "*",
    "core.fsmonitor": "",
    "core.hooksPath": "/dev/null",
    "core.untrackedCache": "false",
    "core.quotePath": "false",
    "protocol.allow": "never",
    "status.submoduleSummary": "false",
}
_TIMEOUT_S = 30.0


class NotGit(Exception):
    """The folder is not inside a git work tree, or git is missing or too puzzled by it to say."""


def listed(folder: str) -> list[bytes]:
    """Paths, relative to `folder`, that git tracks below it, and untracked ones that it does not ignore.

    A path that ends in `/` is a repository inside this one. Raises `NotGit`; `Refusal` (`source.git-timeout`).
    """
    if git_output(folder, "rev-parse", "--is-inside-work-tree").strip() != b"true":
        raise NotGit
    out = git_output(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
    return [path for path in out.split(b"\0") if path]


def head(folder: str) -> str:
    """The full hash of the commit checked out, empty before the first one."""
    try:
        return (
            git_output(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode("ascii", "replace").strip()
        )
    except NotGit:
        return ""


def day(folder: str) -> str:
    """The day (UTC, YYYY-MM-DD) on which the commit checked out was made, empty before the first one."""
    try:
        words = git_output(folder, "log", "-1", "--format=%cd", "--date=format-local:%Y-%m-%d", "--no-show-signature")
    except NotGit:
        return ""
    found = words.decode("ascii", "replace").strip()
    return found if re.fullmatch(r"\d{4}-\d\d-\d\d", found, re.ASCII) else ""


def is_dirty(folder: str) -> bool:
    """True when something below `folder` differs from the commit: changed, staged or untracked."""
    status = git_output(
        folder,
        "status",
        "--porcelain",
        "-z",
        "--untracked-files=normal",
        "--ignore-submodules=dirty",
        "--no-renames",
        "--",
        ".",
        overrides=_no_filters(folder),
    )
    return bool(status)


def _no_filters(folder: str) -> dict[str, str]:
    """Overrides for every content filter of the repository's configuration: git status would run them.

    A large file kept by git-lfs then counts as changed once its times differ from git's index.
    """
    try:
        out = git_output(folder, "config", "--null", "--name-only", "--get-regexp", r"^filter\.")
    except NotGit:  # exit code 1: there is none
        return {}
    keys = {os.fsdecode(key).rpartition(".")[0] for key in out.split(b"\0") if key}
    off = {"clean": "", "smudge": "", "process": "", "required": "false"}
    return {f"{key}.{setting}": value for key in sorted(keys) for setting, value in off.items()}


def git_output(folder: str, *args: str, overrides: Mapping[str, str] | None = None) -> bytes:
    """What `git ARGS` prints in `folder`. Raises `NotGit` when it fails; `Refusal` (`source.git-timeout`)."""
    try:
        ended = subprocess.run(
            ["git", *args],
            cwd=folder,
            env=git_environment(overrides or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refusal([_too_slow(folder, args)]) from None
    except OSError:
        raise NotGit from None
    if ended.returncode != 0:
        raise NotGit
    return ended.stdout


def git_environment(overrides: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a git that takes nothing from the repository's own configuration."""
    settings = {**_OVERRIDES, **overrides}
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "TZ": "UTC",
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (key, value) in enumerate(settings.items()):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    return env


def _too_slow(folder: str, args: Sequence[str]) -> Problem:
    return Problem(
        code="source.git-timeout",
        where=folder,
        why=f"git {args[0]} gave no answer within {_TIMEOUT_S:.0f} s",
        remedy="see what git does there; a slow network disk is the usual reason",
        command=f"git -C {folder} {' '.join(args)}",
    )
