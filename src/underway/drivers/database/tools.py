"""PostgreSQL's own client programs, run with their secrets out of sight."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from underway.drivers.backups.stream import Command
from underway.drivers.database.installation import Installation
from underway.terms.secret import Secret

SUPERUSER = "postgres"
PATIENCE_S = 30.0
"""How long a server that recovers from a crash is waited for."""
_RETRY_S = 0.1
_NOT_TAKEN = re.compile(
    r"connection to server .*failed: (No such file or directory|Connection refused|Connection reset"
    r"|server closed the connection|FATAL: +the database system is )",
)
_BROKEN_OFF = re.compile(
    r"server closed the connection unexpectedly|terminating connection|connection to server was lost"
    r"|the connection is (lost|dead)|could not (send|receive) data"
)
"""What libpq says (in English: LANG is C.UTF-8), src/interfaces/libpq; FATAL from src/backend/postmaster."""


_PSQL = (
    "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--field-separator=\t", "--no-password",
    "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse",
)  # fmt: skip
_LINE_LIMIT_BYTES = 1 << 24


def is_away(said: str, *, may_repeat: bool = True) -> bool:
    """True when a program failed because the server does not take connections, or (if what it did may be done twice)
    because its connection broke."""
    return bool(_NOT_TAKEN.search(said) or (may_repeat and _BROKEN_OFF.search(said)))


@dataclass(frozen=True)
class Ended:
    """How a program ended. `err` holds what it said on stderr, last lines last."""

    exit_code: int
    out: str
    err: str

    def tail(self, lines: int = 20) -> tuple[str, ...]:
        return tuple(self.err.splitlines()[-lines:])


class Session:
    """One psql. It ends at its first error, and says so."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, script: str) -> Ended:
        """Run `script` and return what it printed; with psql's exit code and words when it failed."""
        inlet, outlet = self._process.stdin, self._process.stdout
        assert inlet is not None
        assert outlet is not None
        mark = f"end-{secrets.token_hex(8)}"
        with contextlib.suppress(ConnectionError):
            inlet.write(f"{script}\n\\echo {mark}\n".encode())
            await inlet.drain()
        lines: list[str] = []
        while line := await outlet.readline():
            text = line.decode(errors="replace").rstrip("\n")
            if text == mark:
                return Ended(0, "\n".join(lines), "")
            lines.append(text)
        assert self._process.stderr is not None
        said = (await self._process.stderr.read()).decode(errors="replace")
        return Ended(await self._process.wait() or 1, "\n".join(lines), said)


@dataclass(frozen=True)
class ClientTools:
    """psql, pg_dump and pg_restore of one installation, connected to one server as its superuser.

    The password goes through the environment and statements through stdin: neither shows in `ps`.
    """

    installation: Installation
    socket_dir: Path
    port: int
    password: Secret

    async def sql(self, database: str, script: str, *, may_repeat: bool = True) -> Ended:
        """Run a script with psql: unaligned rows, one per line, fields separated by tabs; stop at the first error."""
        argv = ["psql", *_PSQL, f"--dbname={database}", "--file=-"]
        return await self.run(argv, "SET client_min_messages = warning;\n" + script, may_repeat=may_repeat)

    async def run(self, argv: Sequence[str], stdin: str = "", *, may_repeat: bool = True) -> Ended:
        """Run one of the programs to its end. It is killed when the caller is cancelled. Raises `OSError`.

        While the server does not take connections (it recovers from a crash) it is tried again, for up to half a
        minute; so it is when its connection breaks, if it `may_repeat` what it did.
        """
        deadline = time.monotonic() + PATIENCE_S
        while True:
            ended = await self._run(argv, stdin)
            if not (ended.exit_code and is_away(ended.err, may_repeat=may_repeat)) or time.monotonic() > deadline:
                return ended
            await asyncio.sleep(_RETRY_S)

    @property
    def env(self) -> dict[str, str]:
        """The whole environment of a program that is to connect. It holds the password."""
        return {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "PGHOST": str(self.socket_dir),
            "PGPORT": str(self.port),
            "PGUSER": SUPERUSER,
            "PGPASSWORD": self.password.reveal(),
            "PGCONNECT_TIMEOUT": "10",
            "PGPASSFILE": "/dev/null",
            "PGAPPNAME": "underway",
            "PGSSLMODE": "disable",
            "PGGSSENCMODE": "disable",
        }

    def command(self, *argv: str) -> Command:
        """One of the programs as a part of a pipeline."""
        return Command((self.installation.program(argv[0]), *argv[1:]), self.env)

    @contextlib.asynccontextmanager
    async def session(self, database: str) -> AsyncIterator[Session]:
        """A psql that stays, for what must happen in one session. It is killed at the end. Raises `OSError`."""
        process = await asyncio.create_subprocess_exec(
            self.installation.program("psql"),
            *_PSQL,
            f"--dbname={database}",
            "--file=-",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
            env=self.env,
            limit=_LINE_LIMIT_BYTES,
        )
        try:
            yield Session(process)
            assert process.stdin is not None
            process.stdin.close()  # it ends by itself, and the server does not wonder where it went
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 5)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _run(self, argv: Sequence[str], stdin: str) -> Ended:
        process = await asyncio.create_subprocess_exec(
            self.installation.program(argv[0]),
            *argv[1:],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
            env=self.env,
        )
        try:
            out, err = await process.communicate(stdin.encode())
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        return Ended(process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace"))


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier (PostgreSQL manual, 4.1.1). Raises `ValueError` for a NUL or over 63 bytes."""
    if "\0" in name or not 0 < len(name.encode()) <= 63:
        raise ValueError("not a name that PostgreSQL can hold")
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as an SQL string constant; for `standard_conforming_strings` off too (PostgreSQL manual, 4.1.2)."""
    if "\0" in text:
        raise ValueError("PostgreSQL holds no NUL")
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
