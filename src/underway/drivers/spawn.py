"""Starting a program in a session of its own, through a few lines of `sh`.

The lines put the program into its control group before it can start anything, and, for an instance, stay as the
leader of the session to write its exit code to a file: so it is known even when the agent was dead at that moment.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from underway.drivers import proc, process_log
from underway.drivers.account import Account
from underway.drivers.cgroups import Group

INSTANCE_LEADER = "underway-instance"
TASK_LEADER = "underway-task"
EXIT_FILE = "exit"

_UMASK = 0o027
_JOIN = 'for _uw_g; do echo $$ >"$_uw_g/cgroup.procs"; done 2>/dev/null; unset _uw_g\n'
# A signal for the group must not end the leader before it wrote the code: it has handlers that do nothing, which
# (unlike ignored signals) are back to the default in the program it runs. No name it sets is exported. Its own
# word on how a program ended ("Killed") stays out of the program's log.
_INSTANCE = (
    "trap : HUP INT QUIT TERM USR1 USR2\nulimit -c 0\n"
    "_uw_d=$1 _uw_n=$2 _uw_c=$3; shift 3\n"
    + _JOIN
    + 'exec 3>&2 2>/dev/null\n(exec 2>&3 3>&-; exec /bin/sh -c "$_uw_c")\n'
    f'_uw_r=$?; echo "$_uw_n $_uw_r" >"$_uw_d/{EXIT_FILE}"; exit $_uw_r'
)
_TASK = (
    'ulimit -c 0; _uw_k=$1; shift; while [ "$_uw_k" -gt 0 ]; do echo $$ >"$1/cgroup.procs"; shift; _uw_k=$((_uw_k-1)); '
    'done 2>/dev/null; unset _uw_k; exec "$@"'
)
_TASK_AS = 'read -r _uw_go; unset _uw_go; exec "$@" </dev/null'
_BLOCK_BYTES = 512
"""What `ulimit -f` of sh counts in (POSIX, XCU ulimit)."""
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_./+-]+")
_SHELL_WORD = re.compile(
    "[.]|:|alias|bg|break|case|cd|command|continue|do|done|echo|elif|else|esac|eval|exec|exit|export|false|fg|fi|for|"
    "function|getopts|hash|if|in|jobs|kill|local|printf|pwd|read|readonly|return|set|shift|source|test|then|time|times|"
    "trap|true|type|ulimit|umask|unalias|unset|until|wait|while"
)


def exec_form(command: str) -> str:
    """`command` with `exec` in front when it is one plain program call, so that no shell stays beside it."""
    try:
        words = list(shlex.shlex(command, posix=True, punctuation_chars=True))
        first = shlex.split(command)[0]
    except (ValueError, IndexError):
        return command
    is_one_call = not any(set(word) <= set("();<>|&") for word in words) and "\n" not in command.strip()
    is_plain = (
        _PLAIN_WORD.fullmatch(first) and not _SHELL_WORD.fullmatch(first) and "`" not in command and "$(" not in command
    )
    return f"exec {command.strip()}" if is_one_call and is_plain and "#" not in command else command


def spawn_instance(
    command: str, cwd: str, env: Mapping[str, str], log: Path, folder: Path, spawn: str, group: Group
) -> subprocess.Popen[bytes]:
    """Start an instance's leader; its exit code will be in `folder`/exit beside the word `spawn`.

    Raises `OSError` or `ValueError` (a NUL in the environment).
    """
    script = ["-c", _INSTANCE, INSTANCE_LEADER, str(folder), spawn, exec_form(command)]
    return _popen([*script, *(str(place) for place in group.folders)], cwd, env, log)


def spawn_task(
    argv: Sequence[str],
    cwd: str,
    env: Mapping[str, str],
    log: Path,
    group: Group,
    *,
    account: Account | None = None,
    file_bytes: int = 0,
) -> subprocess.Popen[bytes]:
    """Start `argv` as it is, as `account` where one is given. Raises `OSError` or `ValueError`."""
    limit = f"ulimit -c 0; ulimit -f {file_bytes // _BLOCK_BYTES}\n" if file_bytes else ""
    if account is None or not account.is_other:
        places = [str(place) for place in group.folders]
        return _popen(["-c", limit + _TASK, TASK_LEADER, str(len(places)), *places, *argv], cwd, env, log)
    reading, writing = os.pipe()
    try:
        popen = _popen(["-c", limit + _TASK_AS, TASK_LEADER, *argv], cwd, env, log, account=account, stdin=reading)
        for place in group.folders:  # the account may not: it waits until we have done it
            with contextlib.suppress(OSError):
                (place / "cgroup.procs").write_text(str(popen.pid))
        with contextlib.suppress(BrokenPipeError):
            os.write(writing, b"\n")
    finally:
        os.close(reading)
        os.close(writing)
    return popen


def _popen(
    arguments: Sequence[str],
    cwd: str,
    env: Mapping[str, str],
    log: Path,
    *,
    account: Account | None = None,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    output = process_log.open_to_append(log)
    try:
        return subprocess.Popen(
            ["sh", *arguments],
            executable="/bin/sh",
            cwd=cwd,
            env=dict(env),
            stdin=stdin,
            stdout=output,
            stderr=output,
            start_new_session=True,
            close_fds=True,
            umask=_UMASK,
            user=account.other_uid if account else None,
            group=account.other_gid if account else None,
            extra_groups=account.other_groups if account else None,
        )
    finally:
        os.close(output)


def is_leader(pid: int) -> bool:
    """True for the shell that leads an instance, and for its child until that has become the program."""
    return proc.argv(pid)[3:4] == [INSTANCE_LEADER]


def exit_code(status: int) -> int:
    """A shell's `$?` as −N for signal N: shells say 128 + N."""
    return -(status - 128) if 128 < status < 128 + signal.NSIG else status


def written_exit_code(folder: Path, spawn: str) -> int | None:
    """What the leader of this life wrote; None when it could not (it was killed itself, or the machine went down)."""
    try:
        text = (folder / EXIT_FILE).read_text()
    except (OSError, UnicodeDecodeError):
        return None
    word, _, status = text.removesuffix("\n").partition(" ")
    is_whole = text.endswith("\n") and word == spawn and status.isdigit()
    return exit_code(int(status)) if is_whole else None
