from __future__ import annotations

import click

from underway.agent.views import BackupsView
from underway.cli.client import connect, of_app
from underway.cli.render.backups import show_backups
from underway.cli.render.terminal import Terminal, print_json


@click.command()
@click.argument("app")
@click.option("--json", "is_json", is_flag=True, help="The same as JSON.")
def backups(app: str, is_json: bool) -> None:
    """List the backups of APP, newest first, and say what each is worth: proven by a restore, unproven, damaged."""
    found = connect().get(of_app(app, "/backups"), BackupsView)
    if is_json:
        print_json(found)
    else:
        show_backups(found, Terminal())
