from __future__ import annotations

import getpass

import click

from underway.agent.ping_views import PingsAsk, PingsView
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


@monitors.command()
@click.argument("host")
@click.option(
    "--tls", type=click.Choice(["auto", "internal", "off"]), default="auto", help="How its certificate is made."
)
def expose(host: str, tls: str) -> None:
    """Answer the pings of schedules on other machines, under HOST through the proxy. Nothing else is answered there."""
    kind = {"internal": "internal", "off": "off"}.get(tls, "auto")
    ask = PingsAsk(by=getpass.getuser(), host=host.lower(), tls=kind)  # type: ignore[arg-type]  # click lets nothing else pass
    view = connect().post("/v1/pings", PingsView, ask)
    Terminal().line(
        f"Pings are answered at {view.address}. Let this name lead to this machine. Each schedule's own address: "
        "underway monitors"
    )


@monitors.command()
def hide() -> None:
    """Answer pings on this machine alone."""
    connect().post("/v1/pings", PingsView, PingsAsk(by=getpass.getuser()))
    Terminal().line("Pings are answered on this machine alone.")


def apps_of(client: Client, app: str) -> list[str]:
    """The app that was named, or all of the home."""
    return [app] if app else [each.app for each in client.get("/v1/status", StatusView).apps]
