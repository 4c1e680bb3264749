"""One build under way: its folder, its time limit, its log, and what becomes of a failed command."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, TypeVar

from underway.drivers.account import Account
from underway.drivers.builds.builder import own
from underway.drivers.builds.reasons import cleaned, is_disk_full, is_out_of_reach, reason
from underway.drivers.builds.store import remove
from underway.drivers.sources.copying import free_bytes
from underway.drivers.sources.listing import resolve_inside
from underway.drivers.whole_file import write_whole
from underway.ports.commands import Commands
from underway.terms.problem import Failure, Problem
from underway.terms.process import Task, TaskEnd

_TAIL = 30
_MD4 = "0308010C:digital envelope routines"
_NO_ROOM_BYTES = 1_000_000
_MOST_LOG = 4 << 20
"""Bytes of one command's log that are kept: a build that prints for ever must not fill the disk with its log."""

_LARGEST_FILE = 4 << 30
_LOOK_S = 1.0
_REACH = "let this machine reach that host while it builds, or keep what is downloaded there in the repository"
"""How often the room on the disk is looked at while a command runs."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Ended:
    """A command that came to its end. `lines` is what it wrote, without colours and secrets."""

    exit_code: int
    lines: tuple[str, ...]


@dataclass
class Workshop:
    """Where one build is made.

    `folder` holds `tree` (the files), `venv` and `static`; `kept_log` is where the log goes when the build fails;
    `env` is the scrubbed environment; `deadline` is a monotonic time in seconds. A command is ended when less than
    `least_free_bytes` are left on the disk. `account` runs the commands, None for ourselves;
    `apart` is its TMPDIR.
    """

    app: str
    key: str
    folder: Path
    kept_log: Path
    cache: Path
    env: Mapping[str, str]
    secrets: tuple[str, ...]
    commands: Commands
    say: Callable[[str], None]
    timeout_s: float
    deadline: float
    least_free_bytes: int = 0
    account: Account | None = None
    apart: Path | None = None
    _count: int = field(default=0, init=False)

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    @property
    def venv(self) -> Path:
        return self.folder / ".venv"

    @property
    def scratch(self) -> Path:
        """HOME and lists of ours while the build lasts."""
        return self.folder / "scratch"

    @property
    def log(self) -> Path:
        return self.folder / "build.log"

    def inside(self, folder: str, key: str) -> Path:
        """The folder `folder` of the tree; `key` is the manifest key that names it."""
        inner = resolve_inside(str(self.tree), folder)
        if inner is not None and (self.tree / inner).is_dir():
            return self.tree / inner
        raise Failure(
            Problem(
                code="build.folder-missing",
                where=f"underway.toml {key}",
                why=f"there is no folder {folder!r} in the built tree",
                remedy="name a folder of the repository, relative to its root; git must not ignore it",
                command="underway init",
            )
        )

    async def run(
        self,
        argv: Sequence[str],
        cwd: Path,
        *,
        code: str,
        remedy: str,
        env: Mapping[str, str] | None = None,
        shown: str = "",
    ) -> Ended:
        """Run `argv` and return its end when it succeeded; else raise `Failure` with `code` and the reason found in
        its log (`build.timeout` and `build.disk-full` go before `code`)."""
        ended = await self.attempt(argv, cwd, env=env, shown=shown)
        if ended.exit_code != 0 and any(_MD4 in line for line in ended.lines):
            self.note("webpack 4 asks for a hash that OpenSSL 3 has only as a legacy one: building again with it")
            options = (env or {}).get("NODE_OPTIONS") or self.env.get("NODE_OPTIONS", "")
            legacy = {**(env or {}), "NODE_OPTIONS": f"{options} --openssl-legacy-provider".strip()}
            ended = await self.attempt(argv, cwd, env=legacy, shown=shown)
        if ended.exit_code != 0:
            raise self.failed(argv, cwd, ended, code=code, remedy=remedy, shown=shown)
        return ended

    async def attempt(
        self, argv: Sequence[str], cwd: Path, *, env: Mapping[str, str] | None = None, shown: str = ""
    ) -> Ended:
        """Run `argv` and return how it ended. Raises `Failure` (`build.timeout`) when the build's time is over."""
        left_s = self.deadline - time.monotonic()
        words = shown or self._typed(argv)
        if left_s <= 0:
            raise self._too_slow(words, ())
        self._count += 1
        step_log = self.folder / f"step-{self._count}.log"
        task = Task(
            id=f"{self.app}.build.{self.key}.{self._count}",
            argv=tuple(argv),
            cwd=str(cwd),
            env={**self.env, **(env or {})},
            log_path=str(step_log),
            timeout_s=left_s,
            memory_bytes=_most_memory(),
            file_bytes=_LARGEST_FILE,
            user=self.account.name if self.account else "",
        )
        end: TaskEnd | None = None
        try:
            end = await self._with_room(self.commands.run(task))
        finally:
            lines = self._kept(words, cwd, step_log, end)
        if end.timed_out:
            raise self._too_slow(words, lines)
        return Ended(exit_code=end.exit_code, lines=tuple(lines))

    async def _with_room(self, running: Coroutine[None, None, TaskEnd]) -> TaskEnd:
        """The end of `running`, which is ended itself when the disk is about to be full."""
        work = asyncio.ensure_future(running)
        try:
            while not (await asyncio.wait([work], timeout=_LOOK_S))[0]:
                free = await asyncio.to_thread(free_bytes, self.folder)
                if free < self.least_free_bytes:
                    raise self.disk_full(f"a build command left {free // 1_000_000} MB of it")
            return work.result()
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait([work])

    def empty_venv(self) -> None:
        """Make the folder of the environment anew, the commands' own."""
        remove(self.venv)
        self.venv.mkdir(mode=0o755)
        if self.account is not None:
            own(self.account, self.venv)

    def listing(self, name: str, lines: Sequence[str]) -> Path:
        """A file of `lines` in the scratch folder that the commands can read."""
        path = self.scratch / name
        write_whole(path, "\n".join(lines) + "\n", owner=self.account.owner if self.account else None)
        return path

    def failed(
        self, argv: Sequence[str], cwd: Path, ended: Ended, *, code: str, remedy: str, shown: str = ""
    ) -> Failure:
        """The failure of a command that ended badly."""
        if is_disk_full(ended.lines):
            return self.disk_full("a build command said so")
        if free_bytes(self.folder) < _NO_ROOM_BYTES:  # then the log could not take what the command said either
            return self.disk_full("it is full")
        where = f"{shown or self._typed(argv)} (in {self._named(cwd)})"
        why = reason(ended.lines) or "it said nothing"
        if is_out_of_reach(ended.lines):
            remedy = _REACH
        return Failure(
            Problem(
                code=code,
                where=where,
                why=f"{why} (exit code {ended.exit_code})",
                remedy=remedy,
                command=f"cat {self.kept_log}",
            ),
            ended.lines[-_TAIL:],
        )

    def disk_full(self, because: str) -> Failure:
        return disk_full(self.folder, because)

    def note(self, line: str) -> None:
        """Tell the listener and write it to the log."""
        self.say(line)
        self._write([f"# {line}"])

    def _too_slow(self, words: str, lines: Sequence[str]) -> Failure:
        return Failure(
            Problem(
                code="build.timeout",
                where=words,
                why=f"the build was not done within its {self.timeout_s:.0f} s",
                remedy="see in the log what it waits for; when it only needs longer, raise build.timeout",
                command=f"cat {self.kept_log}",
            ),
            list(lines)[-_TAIL:],
        )

    def _typed(self, argv: Sequence[str]) -> str:
        """`argv` as a person would type it: the program by its name, paths from the build's folder."""
        words = [os.path.basename(argv[0]), *argv[1:]]
        return " ".join(word.replace(f"{self.tree}/", "").replace(f"{self.folder}/", "") or "''" for word in words)

    def _named(self, cwd: Path) -> str:
        try:
            return str(cwd.relative_to(self.tree))
        except ValueError:
            return str(cwd)

    def _kept(self, words: str, cwd: Path, step_log: Path, end: TaskEnd | None) -> list[str]:
        """Move a command's log to the build's, cleaned, and return its lines."""
        try:
            with open(step_log, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(max(0, size - _MOST_LOG))
                text = file.read().decode("utf-8", "replace")
            step_log.unlink()
        except OSError:
            text = "\n".join(end.log_tail) if end else ""
        lines = cleaned(text.split("\n"), self.secrets)
        while lines and not lines[-1]:
            lines.pop()
        ending = "not ended" if end is None else f"exit code {end.exit_code} after {end.took_s:.2f} s"
        self._write([f"$ {words}  (in {self._named(cwd)})", *lines, f"# {ending}", ""])
        return lines

    def _write(self, lines: Sequence[str]) -> None:
        fd = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8", errors="replace") as log:
            log.write("\n".join(lines) + "\n")


def _most_memory() -> int:
    """Three quarters of the machine's memory: what runs here already needs some, and the kernel itself."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 * 3


def disk_full(folder: Path, because: str) -> Failure:
    return Failure(
        Problem(
            code="build.disk-full",
            where=str(folder),
            why=f"there is not enough room on this disk: {because}",
            remedy="make room, or move the home to a larger disk with UNDERWAY_HOME",
            command=f"df -h {folder}",
        )
    )


def is_no_space(error: OSError) -> bool:
    """True when `error` says that the disk, or this user's part of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


async def in_thread(act: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run `act` in a thread and wait for its end even when cancelled: what follows may remove what it writes."""
    thread = asyncio.ensure_future(asyncio.to_thread(act, *args, **kwargs))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait([thread])
        raise
