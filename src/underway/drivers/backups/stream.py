"""Bytes of a backup on their way to the disk and back: hashed, counted and, where asked, encrypted as they pass."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from underway.drivers.backups.keys import wrong_key
from underway.drivers.backups.seal import EXIT_DAMAGED, EXIT_WRONG_KEY, IDENTITY_VARIABLE
from underway.ports.copies import PartFile, Progress, unheard
from underway.terms.problem import Failure, Problem
from underway.terms.secret import Secret

CHUNK_BYTES = 1 << 20
_SEAL = (sys.executable, "-m", "underway.drivers.backups.seal")


@dataclass(frozen=True)
class Command:
    """A program of a pipeline, with its whole environment (which may hold secrets; `argv` may not)."""

    argv: Sequence[str]
    env: Mapping[str, str]


@dataclass(frozen=True)
class Poured:
    """What was written, and how the program that made it ended."""

    size_bytes: int
    sha256: str
    exit_code: int
    said: str


async def write_from(
    command: Command, path: Path, recipients: Sequence[str] = (), progress: Progress = unheard, of_bytes: int = 0
) -> Poured:
    """Write what `command` prints into `path` (0600, synced), through age when there are recipients.

    Raises `Failure` (`backup.disk-full`, `backup.unwritable`) and removes the file; so it does when `command` fails
    or the caller is cancelled. A non-zero end of `command` is in the answer, with what it said.
    """
    try:
        poured: Poured = await _in_thread(_write, _Line(), command, path, tuple(recipients), progress, of_bytes)
    except OSError as error:
        raise Failure(unwritable(path, error)) from error
    return poured


async def read_into(file: PartFile, command: Command, progress: Progress = unheard) -> tuple[int, str]:
    """Feed the part's (decrypted) bytes to `command` on stdin; return its exit code and what it said.

    A program that ends before it read everything is not an error by itself. Raises `Failure` (`backup.key`,
    `backup.damaged`).
    """
    try:
        ended: tuple[int, str] = await _in_thread(_feed, _Line(), file, command, progress)
    except FileNotFoundError:
        raise Failure(gone(file.path)) from None
    return ended


async def hand_over(maker: Command, taker: Command) -> tuple[int, str]:
    """Let `taker` read what `maker` prints; return the exit code of the first of them that failed, and its words."""

    def work(line: _Line) -> tuple[int, str]:
        try:
            first = line.start(maker, subprocess.DEVNULL, subprocess.PIPE)
            second = line.start(taker, first.stdout, subprocess.DEVNULL)
            assert first.stdout is not None
            first.stdout.close()
            codes = (second.wait(), first.wait())
            failed = next((one for one, code in zip((second, first), codes, strict=True) if code), None)
            return (failed.returncode, line.said(failed)) if failed else (0, "")
        finally:
            line.close()

    found: tuple[int, str] = await _in_thread(work, _Line())
    return found


async def sha256_of(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file. Raises `OSError`."""

    def digest() -> tuple[int, str]:
        found, size = hashlib.sha256(), 0
        with path.open("rb", buffering=0) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                found.update(chunk)
                size += len(chunk)
        return size, found.hexdigest()

    return await asyncio.to_thread(digest)


def unwritable(path: Path, error: OSError) -> Problem:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem(
            code="backup.disk-full",
            where=str(path.parent),
            why="the disk that holds the backups is full; nothing half-written was kept",
            remedy="make room, keep fewer backups, or let the home be on a larger disk",
            command=f"df -h {path.parent}",
        )
    return Problem(
        code="backup.unwritable",
        where=str(path),
        why=f"the backup cannot be written: {error.strerror or error}",
        remedy="mend what it names; nothing half-written was kept",
        command=f"ls -ld {path.parent}",
    )


def gone(path: str) -> Problem:
    return Problem(
        code="backup.damaged",
        where=path,
        why="the file of the backup is not there any more",
        remedy="use another backup, or fetch this one from where a copy of it is kept",
        command="underway db backups APP",
    )


def cut_short(path: str) -> Problem:
    return Problem(
        code="backup.damaged",
        where=path,
        why="the encrypted file is cut short or was changed",
        remedy="use another backup, or fetch this one from where a copy of it is kept",
        command="underway db backups APP",
    )


def own_env() -> dict[str, str]:
    """The environment of a Python program of ours: nothing but the way to this Python's packages."""
    ways = {name: os.environ[name] for name in ("PYTHONPATH", "VIRTUAL_ENV") if name in os.environ}
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **ways}


class _Line:
    """The programs of one pipeline, so that they can be ended from outside the thread that waits for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_ended = False
        self._programs: list[subprocess.Popen[bytes]] = []
        self._said: list[IO[bytes]] = []

    def start(self, command: Command, stdin: Any, stdout: Any) -> subprocess.Popen[bytes]:
        said = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the program; `close` closes it
        with self._lock:
            if self._is_ended:
                raise InterruptedError
            program = subprocess.Popen(
                list(command.argv), stdin=stdin, stdout=stdout, stderr=said, cwd="/", env=dict(command.env)
            )
            self._programs.append(program)
            self._said.append(said)
        return program

    def said(self, program: subprocess.Popen[bytes]) -> str:
        stream = self._said[self._programs.index(program)]
        stream.seek(0)
        return stream.read()[-8000:].decode(errors="replace")

    def end(self) -> None:
        with self._lock:
            self._is_ended = True
            for program in self._programs:
                with contextlib.suppress(ProcessLookupError):
                    program.kill()

    def close(self) -> None:
        self.end()
        for program in self._programs:
            program.wait()
            for stream in (program.stdin, program.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
        for said in self._said:
            said.close()


async def _in_thread(work: Any, line: _Line, *arguments: Any) -> Any:
    """Run `work` in a thread. When the caller is cancelled the programs are ended, and then the thread ends."""
    task = asyncio.ensure_future(asyncio.to_thread(work, line, *arguments))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        line.end()
        await asyncio.gather(task, return_exceptions=True)
        raise


def _write(
    line: _Line, command: Command, path: Path, recipients: tuple[str, ...], progress: Progress, of_bytes: int
) -> Poured:
    digest, size = hashlib.sha256(), 0
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as out:
            maker = line.start(command, subprocess.DEVNULL, subprocess.PIPE)
            last = maker
            if recipients:
                last = line.start(_seal("encrypt", *recipients), maker.stdout, subprocess.PIPE)
                assert maker.stdout is not None
                maker.stdout.close()  # so that `maker` hears of it when the seal ends
            assert last.stdout is not None
            while chunk := _read(last.stdout):
                digest.update(chunk)
                _write_all(out, chunk)
                size += len(chunk)
                progress(size, of_bytes)
            exit_code = maker.wait()
            sealed = last.wait()
            os.fsync(out.fileno())
        if exit_code == 0 and sealed != 0:
            raise OSError(errno.EIO, f"it could not be encrypted: {line.said(last).strip()[-200:]}")
        poured = Poured(size, digest.hexdigest(), exit_code, line.said(maker))
    except BaseException:
        line.close()
        path.unlink(missing_ok=True)
        raise
    line.close()
    if poured.exit_code:
        path.unlink(missing_ok=True)
    return poured


def _feed(line: _Line, file: PartFile, command: Command, progress: Progress) -> tuple[int, str]:
    try:
        with open(file.path, "rb", buffering=0) as stream:
            of_bytes = os.fstat(stream.fileno()).st_size
            seal = None
            if file.is_encrypted:
                seal = line.start(_seal("decrypt", identity=file.identity), subprocess.PIPE, subprocess.PIPE)
                taker = line.start(command, seal.stdout, subprocess.DEVNULL)
                assert seal.stdout is not None
                seal.stdout.close()
                inlet = seal.stdin
            else:
                taker = line.start(command, subprocess.PIPE, subprocess.DEVNULL)
                inlet = taker.stdin
            assert inlet is not None
            done = 0
            with contextlib.suppress(BrokenPipeError):
                while chunk := stream.read(CHUNK_BYTES):
                    inlet.write(chunk)
                    done += len(chunk)
                    progress(done, of_bytes)
            with contextlib.suppress(BrokenPipeError):
                inlet.close()
            sealed = seal.wait() if seal else 0
            exit_code = taker.wait()
        if sealed == EXIT_WRONG_KEY:
            why = "no key that is at hand opens it" if file.identity else "it is encrypted and there is no key at hand"
            raise Failure(wrong_key(why, file.path))
        if sealed == EXIT_DAMAGED:
            raise Failure(cut_short(file.path))
        return exit_code, line.said(taker)
    finally:
        line.close()


def _seal(*words: str, identity: Secret | None = None) -> Command:
    """The program that encrypts or decrypts, with the way to this Python's packages."""
    env = own_env()
    if identity is not None:
        env[IDENTITY_VARIABLE] = identity.reveal().strip()
    return Command((*_SEAL, *words), env)


def _read(stream: IO[bytes]) -> bytes:
    return stream.read1(CHUNK_BYTES)  # type: ignore[attr-defined,no-any-return]  # Popen's pipes are BufferedReaders


def _write_all(out: Any, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[out.write(view) :]
