from __future__ import annotations

import click

from underway.agent.views import AppView, StatusView
from underway.cli.client import connect, of_app
from underway.cli.render.status import show_app, show_status
from underway.cli.render.terminal import Terminal, print_json


@click.command()
@click.argument("app", required=False)
@click.option("--json", "is_json", is_flag=True, help="The same as JSON.")
def status(app: str | None, is_json: bool) -> None:
    """Show every app, or one with its instances."""
    client = connect()
    found = client.get(of_app(app), AppView) if app is not None else client.get("/v1/status", StatusView)
    if is_json:
        print_json(found)
    elif isinstance(found, AppView):
        show_app(found, Terminal())
    else:
        show_status(found, Terminal())
