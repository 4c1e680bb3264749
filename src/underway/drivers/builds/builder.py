"""Who runs a build's commands: as root, an account that owns the build's files and nothing else.

The account reaches the build's folder, its cache and a TMPDIR outside of the home. The files it made are root's again
before the proxy or an app uses them, except packages that uv links from the cache: those are one file with the cache's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from underway.drivers.account import Account, can_run, closed_folder, let_through, server_account
from underway.terms.home import Home

ACCOUNTS = ("underway-build", "daemon")
"""The first that exists is taken. Not nobody: servers of this home may run as it, and own their data."""


@dataclass(frozen=True)
class Builder:
    """`account` is None when commands run as who we are; `why` says why, empty where we are not root anyway."""

    account: Account | None = None
    why: str = ""


def choose_builder(home: Home, folder: Path, programs: Collection[str]) -> Builder:
    """The account for a build in `folder` with `programs`, each by its full path. Opens the way to `folder` for it."""
    account = server_account(ACCOUNTS)
    if account is None:
        return Builder(None, f"this machine has none of the accounts {', '.join(ACCOUNTS)}")
    if not account.is_other:
        return Builder()
    for program in programs:
        if not can_run(account, Path(program)):
            return Builder(None, f"the account {account.name} cannot run {program}")
    above = [parent for parent in folder.parents if home.root in parent.parents]
    for each in (home.root, *reversed(above), folder, home.cache):
        if each.is_dir():
            let_through(each)
    closed = closed_folder(account, folder)
    return Builder(None, f"the account {account.name} cannot enter {closed}") if closed else Builder(account)


def own(account: Account, *folders: Path) -> None:
    """Give `folders` and all in them to `account`. Symlinks are not followed."""
    for folder in folders:
        _own(folder, account.uid, account.gid)


def take_back(*folders: Path) -> None:
    """Make all in `folders` ours again, except files that are linked from elsewhere (a cache)."""
    for folder in folders:
        _own(folder, os.geteuid(), os.getegid(), with_links=False)


def _own(folder: Path, uid: int, gid: int, *, with_links: bool = True) -> None:
    if not os.path.lexists(folder):
        return
    os.chown(folder, uid, gid, follow_symlinks=False)
    for at, inner, names in os.walk(folder):
        for name in (*inner, *names):
            path = f"{at}/{name}"
            status = os.lstat(path)
            is_linked = stat.S_ISREG(status.st_mode) and status.st_nlink > 1
            if status.st_uid != uid and (with_links or not is_linked):
                os.chown(path, uid, gid, follow_symlinks=False)
