from __future__ import annotations

import getpass
import os
import sys

import click

from underway.agent.access_views import AccessView, DashboardAsk, DashboardView, ExposeAsk
from underway.cli.client import connect
from underway.cli.render.terminal import Terminal, print_json
from underway.terms.problem import Problem, Refusal


@click.group(invoke_without_command=True)
@click.option("--open", "is_opening", is_flag=True, help="Open it in this machine's browser.")
@click.option("--json", "is_json", is_flag=True, help="The address as one JSON object.")
@click.pass_context
def dashboard(context: click.Context, is_opening: bool, is_json: bool) -> None:
    """Print an address that lets you into the dashboard once, within two minutes.

    It answers on this machine alone, unless it is exposed. From another machine: forward the port (ssh -L), or expose
    it for accounts.
    """
    if context.invoked_subcommand:
        return
    client = connect()
    view = client.post("/v1/dashboard", DashboardView, DashboardAsk(by=getpass.getuser()))
    if is_json:
        print_json(view)
        return
    Terminal().line(view.enter)
    if is_opening:
        _open(view, client.home.run / "dashboard.html")
    elif sys.stdout.isatty():
        Terminal().line("It works once, for two minutes.")


@dashboard.command()
@click.argument("host")
@click.option(
    "--tls",
    type=click.Choice(["auto", "internal"]),
    default="auto",
    help="auto: a public certificate. internal: of the proxy's own authority, for networks that it cannot be had in.",
)
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
def expose(host: str, tls: str, yes: bool) -> None:
    """Let the dashboard answer under HOST over HTTPS, for those who have an account."""
    if not yes and sys.stdin.isatty():
        click.confirm(f"Let everybody who reaches this machine see the log-in under {host}?", abort=True)
    ask = ExposeAsk(by=getpass.getuser(), host=host.lower(), tls="internal" if tls == "internal" else "auto")
    connect().post("/v1/dashboard/exposure", AccessView, ask)
    Terminal().line(f"The dashboard answers under https://{host.lower()}. Let this name lead to this machine.")


@dashboard.command()
def hide() -> None:
    """Let the dashboard answer on this machine alone again."""
    connect().post("/v1/dashboard/exposure", AccessView, ExposeAsk(by=getpass.getuser()))
    Terminal().line("The dashboard answers on this machine alone.")


def _open(view: DashboardView, page: os.PathLike[str]) -> None:
    """Through a file that only this user can read: the arguments of a browser can be read by everybody."""
    import webbrowser
    from pathlib import Path

    file = Path(page)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(f'<!doctype html><meta http-equiv="refresh" content="0;url={view.enter}"><title>Underway</title>')
    if not webbrowser.open(file.as_uri()):
        why, remedy = "no browser of this machine could be started", "open the address yourself"
        raise Refusal([Problem(code="dashboard.browser", where=view.url, why=why, remedy=remedy)])
