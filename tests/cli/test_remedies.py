"""What a problem tells its reader to run or to write is something that Underway takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from underway.cli.main import COMMANDS, LazyGroup
from underway.manifest.read import read_written

PAGE = (Path(__file__).parents[2] / "docs" / "problems.md").read_text()
"""Every problem with its remedy and its command, made from the sources."""
HOLES = {"env": "", "url": "MONGODB_URL", "table": "health"}
"""What stands in the commands and lines in place of what differs; anything else is a word."""
VALUES = {"path": '"/word"', "status": '"404"'}
"""Of keys that take no word."""


def filled(text: str) -> str:
    return re.sub(r"‹([^›]*)›", lambda hole: HOLES.get(hole[1], "word"), text)


def commands() -> list[str]:
    told = re.findall(r"^- command: `(.+)`$", PAGE, re.MULTILINE)
    parts = [part.strip() for command in told for part in re.split(r"&&|;", filled(command))]
    lines = [found[1] for part in parts if (found := re.fullmatch(r"(?:[A-Z_]+=\S+ )*underway (.+)", part))]
    return list(dict.fromkeys(lines))


def require_taken(line: str) -> None:
    """Raise `click.UsageError` when the command line is none of `underway`'s; nothing is run."""
    group: click.Command = LazyGroup("underway")
    context, words = click.Context(group), shlex.split(line)
    while isinstance(group, click.Group):
        name = words[0]
        found = group.get_command(context, name)
        if found is None:
            raise click.UsageError(f"there is no command {name!r}")
        group, words = found, words[1:]
        if isinstance(group, click.Group) and (not words or words[0].startswith("-")):
            break
    if "--help" not in words:
        group.make_context(group.name, words, parent=context)


@pytest.mark.parametrize("line", commands())
def test_every_command_that_is_printed_is_one_that_is_taken(line: str) -> None:
    require_taken(line)


def test_a_command_that_is_none_would_be_found() -> None:
    assert len(commands()) > len(COMMANDS)
    for line in ("deplyo .", "env sett X", "deploy --allow-mising"):
        with pytest.raises(click.UsageError):
            require_taken(line)


def remedied() -> list[tuple[str, str]]:
    """The table and the line of each remedy that says `under [table]` and has a line for it."""
    found = []
    for remedy in re.findall(r"^- remedy: (.+)$", PAGE, re.MULTILINE):
        for table, rest in re.findall(r"under \[([\w.]+)\](.*)", re.sub(r"\\(.)", r"\1", filled(remedy))):
            lines = re.findall(r'\b(\w+ = (?:"[^"]*"|\[[^\]]*\]|\{[^}]*\}|\d+|true|false))', rest)
            found += [(table, line) for line in lines]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize(("table", "line"), remedied())
def test_every_line_that_is_printed_is_read_in_its_table(table: str, line: str) -> None:
    key, _, value = line.partition(" = ")
    said = (
        (VALUES.get(key, value) if "word" in value else value)
        .replace("…", "x")
        .replace("user:password@", "shop:secret@")
    )
    read_written(f"[{table}]\n{key.upper() if table == 'env' else key} = {said}\n")


def test_there_are_lines_to_read() -> None:
    assert {"env", "health"} <= {table for table, _ in remedied()}
