"""`underway env`: what an app's variables must be, where each value is, and what is wrong."""

from __future__ import annotations

import importlib
from typing import Any

import click

_COMMANDS = {
    "show": ("underway.cli.env_show:show", "Every variable, its value and where it is from; secrets hidden."),
    "check": ("underway.cli.env_show:check", "What is missing, wrong, weak, unused or out of date."),
    "diff": ("underway.cli.env_show:diff", "What the next deploy changes, or how two environments differ."),
    "infer": ("underway.cli.env_show:infer", "Lines for [env] of what the repository names."),
    "audit": ("underway.cli.env_show:audit", "Who read and changed what, and when."),
    "set": ("underway.cli.env_set:set_", "Keep values, encrypted."),
    "unset": ("underway.cli.env_set:unset", "Remove values."),
    "generate": ("underway.cli.env_set:generate", "Make what the manifest generates."),
    "rotate": ("underway.cli.env_set:rotate", "Renew a secret, or retire the old one."),
    "share": ("underway.cli.env_set:share", "Move values into an encrypted file that may be committed."),
    "recipient": ("underway.cli.env_set:recipient", "This home's public key."),
    "example": ("underway.cli.env_files:example", "Write .env.example."),
    "template": ("underway.cli.env_files:template", "Write .env.production to fill in."),
    "docs": ("underway.cli.env_files:docs", "Write docs/ENVIRONMENT.md."),
    "settings": ("underway.cli.env_files:settings", "Write typed settings for the app."),
    "lint": ("underway.cli.env_files:lint", "Tell which of these files are out of date."),
    "push": ("underway.cli.env_sync:push", "Make a place have what the environment here has."),
    "pull": ("underway.cli.env_sync:pull", "Make the environment here have what a place has."),
    "sync": ("underway.cli.env_sync:sync", "Take each value from the side that changed."),
    "run": ("underway.cli.env_run:run", "Run a command with the app's environment."),
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


def common_options(command: Any) -> Any:
    """PATH of the repository, --app and --env."""
    for option in (
        click.option("--env", "environment", default="", metavar="NAME", help="The environment; default production."),
        click.option("--app", default="", metavar="NAME", help="The app's name; by default the manifest's."),
        click.option("--path", default=".", type=click.Path(), help="The repository; by default this folder."),
    ):
        command = option(command)
    return command
