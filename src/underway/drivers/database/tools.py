"""PostgreSQL's own client programs, run with their secrets out of sight."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from underway.drivers.database.installation import Installation
from underway.terms.secret import Secret

SUPERUSER = "postgres"
_PATIENCE_S = 30.0
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


@dataclass(frozen=True)
class Ended:
    """How a program ended. `err` holds what it said on stderr, last lines last."""

    exit_code: int
    out: str
    err: str

    def tail(self, lines: int = 20) -> tuple[str, ...]:
        return tuple(self.err.splitlines()[-lines:])


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
        argv = [
            "psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--field-separator=\t", "--no-password",
            "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse", f"--dbname={database}", "--file=-",
        ]  # fmt: skip
        return await self.run(argv, "SET client_min_messages = warning;\n" + script, may_repeat=may_repeat)

    async def run(self, argv: Sequence[str], stdin: str = "", *, may_repeat: bool = True) -> Ended:
        """Run one of the programs to its end. It is killed when the caller is cancelled. Raises `OSError`.

        While the server does not take connections (it recovers from a crash) it is tried again, for up to half a
        minute; so it is when its connection breaks, if it `may_repeat` what it did.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            ended = await self._run(argv, stdin)
            is_away = ended.exit_code != 0 and (
                _NOT_TAKEN.search(ended.err) or (may_repeat and _BROKEN_OFF.search(ended.err))
            )
            if not is_away or time.monotonic() > deadline:
                return ended
            await asyncio.sleep(_RETRY_S)

    async def _run(self, argv: Sequence[str], stdin: str) -> Ended:
        process = await asyncio.create_subprocess_exec(
            self.installation.program(argv[0]),
            *argv[1:],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
            env={
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
            },
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
