from __future__ import annotations

import click

from underway.agent.views import StatusView
from underway.cli.client import Client, connect, of_app
from underway.cli.render.keeping import show_monitors
from underway.cli.render.terminal import Terminal, print_json
from underway.terms.monitor import MonitorStatus


@click.group(invoke_without_command=True)
@click.option("--app", default="", metavar="APP", help="Only of this app.")
@click.option("--json", "is_json", is_flag=True, help="As one JSON list.")
@click.pass_context
def monitors(context: click.Context, app: str, is_json: bool) -> None:
    """Show what is asked again and again, and how it stands."""
    if context.invoked_subcommand is not None:
        return
    client = connect()
    found = [it for each in apps_of(client, app) for it in client.get(of_app(each, "/monitors"), list[MonitorStatus])]
    if is_json:
        print_json(found)
    else:
        show_monitors(found, Terminal())


@monitors.command()
@click.argument("app")
@click.argument("monitor")
def ping(app: str, monitor: str) -> None:
    """Tell that a schedule ran: a MONITOR of APP of kind `ping`."""
    connect().post(of_app(app, f"/pings/{monitor}"), list[MonitorStatus])
    Terminal().line(f"{app}: {monitor} was heard.")


def apps_of(client: Client, app: str) -> list[str]:
    """The app that was named, or all of the home."""
    return [app] if app else [each.app for each in client.get("/v1/status", StatusView).apps]
