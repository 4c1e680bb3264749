"""Squawk, the linter for PostgreSQL's DDL, as a program."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import msgspec

from underway.lint.statements import statements
from underway.terms.migration import Script, Spotted
from underway.terms.problem import Failure, Problem

TIMEOUT_S = 30.0
_SYNTAX = "syntax-error"
_DEFAULT_MAJOR = 15


class _Line(msgspec.Struct, frozen=True):
    """What its JSON reporter prints (squawk 2, crates/squawk/src/reporter.rs)."""

    rule_name: str
    line: int
    column: int = 0
    message: str = ""


_decoder = msgspec.json.Decoder(list[_Line])


async def squawk(scripts: Sequence[Script], major: int = 0) -> dict[str, tuple[Spotted, ...]]:
    """What squawk finds in each script, by its name. `major` is the server's version, 0 for an unknown one.

    It reads no further than an error of syntax, so such a script is given to it statement by statement.

    Raises `Failure` (`lint.squawk`).
    """
    return {script.name: await _of_script(script.sql, major) for script in scripts}


async def _of_script(sql: str, major: int) -> tuple[Spotted, ...]:
    found = await _ask(sql, major)
    if not any(one.rule == _SYNTAX for one in found):
        return found
    several: list[Spotted] = []
    for part in statements(sql):
        several += [
            msgspec.structs.replace(
                one,
                line=one.line + part.line - 1,
                column=one.column + (_column(sql, part.begin) if not one.line else 0),
            )
            for one in await _ask(part.text, major)
            if one.rule != _SYNTAX
        ]
    return tuple(several)


def _column(sql: str, at: int) -> int:
    return at - (sql.rfind("\n", 0, at) + 1)


async def _ask(sql: str, major: int) -> tuple[Spotted, ...]:
    argv = [_program(), "--reporter", "Json", "--pg-version", f"{major or _DEFAULT_MAJOR}.0"]
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",  # it would read a .squawk.toml of the folder it is started in
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, err = await process.communicate(sql.encode(errors="replace"))
    except TimeoutError as error:
        raise Failure(_problem(f"it did not end within {TIMEOUT_S:g} s")) from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    try:
        lines = _decoder.decode(out or b"[]")
    except msgspec.MsgspecError as error:
        tail = err.decode(errors="replace").strip().splitlines()
        raise Failure(_problem(tail[0][:200] if tail else f"it ended with {process.returncode}")) from error
    return tuple(Spotted(rule=it.rule_name, line=it.line, column=it.column, message=it.message) for it in lines)


def _program() -> str:
    beside = Path(sysconfig.get_path("scripts")) / "squawk"
    found = str(beside) if beside.is_file() else shutil.which("squawk", path=str(Path(sys.executable).parent))
    found = found or shutil.which("squawk")
    if found is None:
        raise Failure(_problem("the program squawk is not there"))
    return found


def _problem(why: str) -> Problem:
    return Problem(
        code="lint.squawk",
        where="squawk",
        why=f"the linter for migrations failed: {why}",
        remedy="install Underway again: squawk-cli is one of its packages",
        command="uv pip install squawk-cli",
    )
