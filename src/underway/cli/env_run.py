"""Run a command with an app's environment."""

from __future__ import annotations

import os
import resource
import sys

import click

from underway.cli.env import common_options
from underway.cli.env_show import fetch


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--process", default="web", metavar="NAME", help="Whose environment; by default that of web.")
@common_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(process: str, path: str, app: str, environment: str, command: tuple[str, ...]) -> None:
    """Run COMMAND here with the environment that a process of the app gets. It is journaled.

    Values are in the command's environment and nowhere else.
    """
    values = fetch(path, app, environment, process, (), f"run {os.path.basename(command[0])[:60]}")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        os.execvpe(command[0], list(command), {**os.environ, **values})  # noqa: S606 - it is what was asked for
    except OSError as error:
        click.echo(f"{command[0]}: {error.strerror}", err=True)
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)
