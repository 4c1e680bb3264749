"""Lint of SQL files, with no agent needed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from underway.drivers.migrations.sql_files import as_script
from underway.drivers.migrations.squawk import squawk
from underway.lint.lint import lint
from underway.terms.migration import Hazard
from underway.terms.problem import Problem, Refusal


def lint_file(path: Path) -> tuple[Hazard, ...]:
    """The hazards of one SQL file; every table it does not make is taken for large. Raises `Refusal`."""
    try:
        text = path.read_bytes().decode(errors="replace")
    except OSError as error:
        why = f"it cannot be read: {error.strerror}"
        raise Refusal(
            [Problem(code="lint.file", where=str(path), why=why, remedy="name a file that you can read")]
        ) from error
    script = as_script(path.name, text)
    return lint([script], asyncio.run(squawk([script])))
