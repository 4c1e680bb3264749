from __future__ import annotations

import sys

import click
import msgspec

from underway.agent.views import ReleaseView
from underway.cli.client import connect
from underway.cli.render.status import show_releases
from underway.cli.render.terminal import Terminal


@click.command()
@click.argument("app")
@click.option("--json", "is_json", is_flag=True, help="The same as JSON.")
def releases(app: str, is_json: bool) -> None:
    """List APP's releases, newest first: live, warm (a rollback is instant), kept, failed, pruned."""
    found = connect().get(f"/v1/apps/{app}/releases", list[ReleaseView])
    if is_json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        show_releases(found, Terminal())
