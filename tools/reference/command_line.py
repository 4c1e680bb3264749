"""docs/cli.md from the click commands, and what the tests ask of commands shown elsewhere."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from underway.cli.main import COMMANDS, cli
from underway.terms.outcome import EXIT_FAULT, EXIT_INTERRUPTED, EXIT_PIPE, EXIT_USAGE, Outcome

_HEAD = inspect.cleandoc(
    """
    # The command line

    <!-- Made by `python -m tools.reference` from the click commands in src/underway/cli/. Edit those instead. -->

    Every command is a client of the agent, which it starts when the agent does not run. `underway COMMAND --help` says
    the same as this page.
    """
)
EXIT_CODES = (
    (0, "What was asked is done: the release is live, or the app is down, or there was only something to show."),
    (EXIT_FAULT, "A fault of Underway, or something it needs cannot be started. What runs goes on running."),
    (EXIT_USAGE, "The command line is wrong, or a question needs `--yes` because nobody can answer it."),
    (Outcome.REFUSED.exit_code, "Refused, nothing changed. Also `agent status` when no agent runs."),
    (Outcome.FAILED.exit_code, "Failed before traffic moved; the old release was not touched."),
    (Outcome.ROLLED_BACK.exit_code, "Rolled back after traffic had moved; the release before serves again."),
    (
        Outcome.UNWELL.exit_code,
        "Live and judged bad, and the release before does not run on the database as it is now.",
    ),
    (EXIT_INTERRUPTED, "Ctrl-C: the command stopped watching. What it began goes on: `underway events -f`."),
    (EXIT_PIPE, "The reader of the output went away. What was begun goes on."),
)


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command by its words, groups before what they hold."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if command is None:
            raise LookupError(name)
        yield (name,), command
        if isinstance(command, click.Group):
            for inner in command.commands.values():
                yield (name, inner.name or ""), inner


def cli_md() -> str:
    """The page. Raises `ValueError` for a command or option without words."""
    out = [_HEAD, "", "| command | |", "|---|---|"]
    out += [f"| [`underway {name}`](#underway-{name}) | {says} |" for name, (_, says) in COMMANDS.items()]
    out += ["", "## Exit codes", "", "They are stable: scripts may depend on them.", "", "| code | |", "|---|---|"]
    out += [f"| {code} | {says} |" for code, says in EXIT_CODES]
    out += ["", "## `underway`", "", *_about((), cli)]
    for words, command in commands():
        out += [f"{'#' * (len(words) + 1)} `underway {' '.join(words)}`", "", *_about(words, command)]
    return "\n".join(out).rstrip("\n") + "\n"


def _about(words: tuple[str, ...], command: click.Command) -> list[str]:
    says = inspect.cleandoc(command.help or "").replace("\b\n", "")
    if not says:
        raise ValueError(f"underway {' '.join(words)} says nothing of itself")
    shown = _usage(words, command)
    rows = [_row(words, option) for option in command.params if isinstance(option, click.Option)]
    table = ["| option | default | |", "|---|---|---|", *rows, ""] if rows else []
    return ["```", shown, "```", "", says, "", *table]


def _usage(words: tuple[str, ...], command: click.Command) -> str:
    """The line that click prints, without "Usage:"."""
    context = click.Context(command, info_name=" ".join(("underway", *words)))
    return command.get_usage(context).removeprefix("Usage: ")


def _row(words: tuple[str, ...], option: click.Option) -> str:
    if not option.help:
        raise ValueError(f"underway {' '.join(words)}: {option.opts[-1]} says nothing of itself")
    names = ", ".join(f"`{each}`" for each in sorted(option.opts, key=len))
    if not option.is_flag and not option.count:
        names += f" `{option.metavar or option.type.name.upper()}`"
    default = "" if option.is_flag or option.default in (None, "") else f"`{option.default}`"
    says = option.help.replace("|", "\\|")
    return f"| {names} | {default} | {says} |"
