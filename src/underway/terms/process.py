"""Instances: the running processes of a release."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import msgspec

from underway.terms.release import Slot


class InstanceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to run as one instance. `id` is unique in a home: `APP.RELEASE.PROCESS.N`.

    `command` is a shell line run in `cwd`; `port` is 0 for a process that serves nothing (a worker).
    `memory_bytes` and `cpus` are limits, 0 for none; the kernel may not be able to hold them.
    The environment is not part of the spec: it holds secrets and travels beside it.
    """

    id: str
    app: str
    release: str
    process: str
    number: int
    slot: Slot
    command: str
    cwd: str
    port: int = 0
    memory_bytes: int = 0
    cpus: float = 0.0
    stop_timeout_s: float = 10.0


class InstanceState(Enum):
    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing-off"
    CRASH_LOOP = "crash-loop"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot of one instance.

    `pid` is the leader of the instance's session: a small shell that keeps the exit code, with the program below
    it. `pid` with `start_ticks` (field 22 of /proc/PID/stat) and `boot_id` names one process for good, also after
    its pid is used again. `exit_code` is that of the last end (−N for signal N), None before any.
    """

    spec: InstanceSpec
    state: InstanceState
    pid: int = 0
    start_ticks: int = 0
    boot_id: str = ""
    started_at: float = 0.0
    restarts: int = 0
    exit_code: int | None = None


class ProcessSample(msgspec.Struct, frozen=True, kw_only=True):
    """What the whole process tree of an instance uses at one moment. `cpu_s` only grows."""

    rss_bytes: int
    cpu_s: float
    pids: int


class InstanceEnded(msgspec.Struct, frozen=True, kw_only=True):
    """News from the runtime: an instance ended without being asked to."""

    spec: InstanceSpec
    exit_code: int | None
    ran_s: float
    restart_in_s: float | None
    """Seconds until it is started again; None when it is called a crash loop (then tried once in a long while)."""
    log_tail: tuple[str, ...] = ()
    is_out_of_memory: bool = False
    """The kernel ended one of its processes for the instance's memory limit."""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a limit on `resource` ("memory", "cpu", "pids") is held on this machine, and by what or why not."""

    resource: str
    applies: bool
    says: str


class Apart(msgspec.Struct, frozen=True, kw_only=True):
    """What a command sees otherwise than it is: at the first path of each of `binds` lies what is at the second. It
    can write there, below `writable` and to temporary folders, and nowhere else."""

    binds: tuple[tuple[str, str], ...] = ()
    writable: tuple[str, ...] = ()


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A command that runs to its end: a build step, a migration, a dump.

    `argv` is run as it is; `env` is the whole environment. `log_path` receives stdout and stderr. `user` is the
    account it runs as (empty: ours); `file_bytes` the largest file it may write (0: any).
    """

    id: str
    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]
    log_path: str
    timeout_s: float
    memory_bytes: int = 0
    file_bytes: int = 0
    user: str = ""
    apart: Apart | None = None
    """With a view of files of its own, None for that of everybody."""


class TaskEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a task ended. `timed_out` when it was ended for its time limit. `log_tail` is the last lines."""

    exit_code: int
    took_s: float
    timed_out: bool
    log_tail: tuple[str, ...]
