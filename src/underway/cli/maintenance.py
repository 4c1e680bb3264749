from __future__ import annotations

import getpass

import click

from underway.agent.views import AppView, MaintenanceAsk
from underway.cli.client import connect
from underway.cli.render.terminal import Terminal


@click.command()
@click.argument("app")
@click.option("--off", is_flag=True, help="Show the app again.")
def maintenance(app: str, off: bool) -> None:
    """Let visitors of APP get a maintenance page (503), until it is turned off. Deploys go on as usual meanwhile."""
    ask = MaintenanceAsk(is_on=not off, by=getpass.getuser())
    connect().post(f"/v1/apps/{app}/maintenance", AppView, ask)
    Terminal().line(f"{app}: visitors get {'the app again' if off else 'the maintenance page'}.")
