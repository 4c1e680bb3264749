"""`underway env`: what an app's variables must be, where each value is, and what is wrong."""

from __future__ import annotations

import importlib

import click

_COMMANDS = {
    "scan": ("underway.cli.env_scan:scan", "Look for secrets in files and their history."),
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]  # each is a command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, says) for name, (_, says) in _COMMANDS.items()])


@click.group(cls=_Lazy)
def env() -> None:
    """Look after an app's environment variables and secrets. No secret is ever shown."""
