"""Runs a program that sees other files in the place of some, and can write to nothing but those and a few folders.

    python -I apart.py '{"binds": [[SEEN_AT, IS]], "writable": [FOLDER]}' PROGRAM WORDS…

A mount namespace of its own (mount_namespaces(7)), in a user namespace where the account may not make one otherwise. It
needs nothing but the standard library. Exit code 113 says that there is no such view to be had here.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys

EXIT_NO_VIEW = 113
_NEWNS, _NEWUSER = 0x00020000, 0x10000000
_RDONLY, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 32, 4096, 16384, 1 << 18
"""linux/sched.h and linux/mount.h."""
_KEPT_FLAGS = {2: 2, 4: 4, 8: 8, 1024: 1024, 2048: 2048, 4096: 1 << 21}
"""What statvfs tells, and what a remount must repeat of it (mount_namespaces(7), "Restrictions on mount namespaces"):
nosuid, nodev, noexec, noatime, nodiratime, relatime."""
_NOT_FILES = frozenset(
    ("proc", "sysfs", "tmpfs", "devtmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "securityfs", "bpf", "debugfs")
)
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - where programs write what nobody keeps

_libc = ctypes.CDLL(None, use_errno=True)


def main(words: list[str]) -> int:
    asked = json.loads(words[0])
    try:
        _unshare()
        _see([(at, what) for at, what in asked["binds"]], [*asked["writable"], *_TEMPORARY])
        os.chdir(os.getcwd())  # the folder as it is seen now, not as it was before
    except OSError as error:
        sys.stderr.write(f"no view of its own: {error}\n")
        return EXIT_NO_VIEW
    os.execvp(words[1], words[1:])  # noqa: S606 - the very program that was asked for
    return 127


def _unshare() -> None:
    if _libc.unshare(_NEWNS) == 0:
        return
    uid, gid = os.getuid(), os.getgid()
    _done(_libc.unshare(_NEWUSER | _NEWNS), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _see(binds: list[tuple[str, str]], writable: list[str]) -> None:
    _mount("none", "/", _REC | _PRIVATE)
    # With what is mounted below (_REC): in a user namespace that comes along or nothing does.
    ours = [folder for folder in writable if os.path.isdir(folder)]
    for folder in ours:
        _mount(folder, folder, _BIND | _REC)
    for at, what in binds:
        wanted = os.stat(what)
        _mount(what, at, _BIND | _REC)
        seen = os.stat(at)
        if (seen.st_dev, seen.st_ino) != (wanted.st_dev, wanted.st_ino):
            raise OSError(f"{at} is not what it should be")
    kept = {os.path.realpath(each) for each in (*ours, *(at for at, _ in binds))}
    for point, kind in _mounts():
        if kind not in _NOT_FILES and point not in kept:
            _mount(None, point, _REMOUNT | _BIND | _RDONLY | _flags(point))


def _mounts() -> list[tuple[str, str]]:
    """Where each file system is mounted, and of what kind (proc_pid_mountinfo(5)); once for each place."""
    found = {}
    with open("/proc/self/mountinfo") as file:
        for line in file:
            words = line.split()
            found[words[4].encode().decode("unicode_escape")] = words[words.index("-") + 1]
    return list(found.items())


def _flags(point: str) -> int:
    held = os.statvfs(point).f_flag
    return sum(flag for told, flag in _KEPT_FLAGS.items() if held & told)


def _mount(source: str | None, target: str, flags: int) -> None:
    asked = _libc.mount(source.encode() if source else None, target.encode(), None, ctypes.c_ulong(flags), None)
    _done(asked, f"mount {target}")


def _done(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
