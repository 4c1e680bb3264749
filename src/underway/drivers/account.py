"""The unprivileged account that a server runs as when we are root, and the folders it can enter."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """A user of this machine. `is_other` is False when it is the one we run as already."""

    uid: int
    gid: int
    name: str
    is_other: bool

    @property
    def other_uid(self) -> int | None:
        """For `subprocess`'s `user`: the account to change to, None to stay who we are."""
        return self.uid if self.is_other else None

    @property
    def other_gid(self) -> int | None:
        return self.gid if self.is_other else None

    @property
    def other_groups(self) -> list[int] | None:
        """For `subprocess`'s `extra_groups`: none of root's groups go along."""
        return [] if self.is_other else None

    @property
    def owner(self) -> tuple[int, int]:
        return (self.uid, self.gid)


def server_account(preferred: Sequence[str]) -> Account | None:
    """Ourselves when we are not root; else the first of `preferred` that exists; None when none does."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), _name_of(os.geteuid()), is_other=False)
    for name in preferred:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        if found.pw_uid != 0:
            return Account(found.pw_uid, found.pw_gid, name, is_other=True)
    return None


def can_run(account: Account, program: Path) -> bool:
    """True when `account` reaches `program` and may execute it. Found by trying: modes do not tell of ACLs."""
    return _tries(account, ["test", "-x", str(program)])


def can_enter(account: Account, folder: Path) -> bool:
    """True when `account` may pass through `folder` and every folder above it."""
    return _tries(account, ["test", "-e", f"{folder}/."])


def closed_folder(account: Account, path: Path) -> Path | None:
    """The topmost existing folder on the way to `path` that `account` cannot enter, None when all are open."""
    if can_enter(account, path):
        return None
    for folder in [*reversed(path.parents), path]:
        if folder.is_dir() and not can_enter(account, folder):
            return folder
    return None


def let_through(folder: Path) -> None:
    """Let other accounts pass through `folder` (x for others) without letting them list or read it."""
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o011 != 0o011:
        folder.chmod(mode | 0o011)


def _tries(account: Account, argv: Sequence[str]) -> bool:
    ended = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd="/",
        timeout=10,
        check=False,
        user=account.other_uid,
        group=account.other_gid,
        extra_groups=account.other_groups,
    )
    return ended.returncode == 0


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
