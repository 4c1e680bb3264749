from __future__ import annotations

import sys

import click
import msgspec

from underway.agent.views import AppView, StatusView
from underway.cli.client import connect
from underway.cli.render.status import show_app, show_status
from underway.cli.render.terminal import Terminal


@click.command()
@click.argument("app", required=False)
@click.option("--json", "is_json", is_flag=True, help="The same as JSON.")
def status(app: str | None, is_json: bool) -> None:
    """Show every app, or one with its instances."""
    client = connect()
    found = client.get(f"/v1/apps/{app}", AppView) if app else client.get("/v1/status", StatusView)
    if is_json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    elif isinstance(found, AppView):
        show_app(found, Terminal())
    else:
        show_status(found, Terminal())
