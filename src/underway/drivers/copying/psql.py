"""One psql that stays: for what must be one session, and for COPY."""

from __future__ import annotations

import json
import subprocess
from typing import Any


class Psql:
    """One psql session. Its first error ends it, and is raised as `RuntimeError` with the server's words."""

    def __init__(self, program: str, database: str) -> None:
        words = ["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password", "--set=ON_ERROR_STOP=1"]
        self._process = subprocess.Popen(
            [program, *words, "--set=VERBOSITY=terse", f"--dbname={database}", "--file=-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._inlet, self._outlet = self._process.stdin, self._process.stdout
        self.ask("SET client_min_messages = warning; SET timezone = 'UTC'; SET session_replication_role = replica;"
                 " SET synchronous_commit = off;")  # fmt: skip

    def write(self, text: str) -> None:
        try:
            self._inlet.write(text.encode())
        except BrokenPipeError:
            self._fail()

    def ask(self, script: str) -> list[str]:
        """Run it; return the lines it printed."""
        self.write(script + "\n\\echo end-of-answer\n")
        try:
            self._inlet.flush()
        except BrokenPipeError:
            self._fail()
        lines: list[str] = []
        for line in self._outlet:
            text = line.decode().rstrip("\n")
            if text == "end-of-answer":
                return lines
            lines.append(text)
        return self._fail()

    def rows(self, query: str) -> list[Any]:
        """The rows of a query that prints one JSON value each."""
        return [json.loads(line) for line in self.ask(query) if line]

    def _fail(self) -> list[str]:
        assert self._process.stderr
        said = self._process.stderr.read().decode(errors="replace").strip()
        raise RuntimeError(said.splitlines()[0] if said else "psql ended")
