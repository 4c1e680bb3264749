"""PostgreSQL's own client programs, run with their secrets out of sight."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from underway.drivers.database.installation import Installation
from underway.terms.secret import Secret

SUPERUSER = "postgres"


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

    async def sql(self, database: str, script: str) -> Ended:
        """Run a script with psql: unaligned rows, one per line, fields separated by tabs; stop at the first error."""
        argv = [
            "psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--field-separator=\t", "--no-password",
            "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse", f"--dbname={database}", "--file=-",
        ]  # fmt: skip
        return await self.run(argv, "SET client_min_messages = warning;\n" + script)

    async def run(self, argv: Sequence[str], stdin: str = "") -> Ended:
        """Run one of the programs to its end. It is killed when the caller is cancelled. Raises `OSError`."""
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
