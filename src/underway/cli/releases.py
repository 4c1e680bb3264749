from __future__ import annotations

import click

from underway.agent.views import ReleaseView
from underway.cli.client import connect, of_app
from underway.cli.render.status import show_releases
from underway.cli.render.terminal import Terminal, print_json


@click.command()
@click.argument("app")
@click.option("--json", "is_json", is_flag=True, help="The same as JSON.")
def releases(app: str, is_json: bool) -> None:
    """List APP's releases, newest first: live, warm (a rollback is instant), kept, failed, pruned."""
    found = connect().get(of_app(app, "/releases"), list[ReleaseView])
    if is_json:
        print_json(found)
    else:
        show_releases(found, Terminal())
