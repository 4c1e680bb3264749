from __future__ import annotations

import click
import msgspec

from underway.cli.client import connect, of_app
from underway.cli.monitors import apps_of
from underway.cli.render.keeping import show_health
from underway.cli.render.terminal import Terminal, print_json
from underway.terms.health import AppHealth
from underway.terms.outcome import EXIT_FAULT


@click.command()
@click.argument("app", default="")
@click.option("--json", "is_json", is_flag=True, help="As one JSON object, by app.")
def health(app: str, is_json: bool) -> int:
    """Say whether APP (or every app) is well: its release, its database and cache, the disk, what it monitors.

    Exit code 1 when one is not.
    """
    client = connect()
    texts = {each: client.text(of_app(each, "/health/deep"), accepted=503) for each in apps_of(client, app)}
    found = {each: msgspec.json.decode(text, type=AppHealth) for each, text in texts.items()}
    if is_json:
        print_json(found)
    else:
        show_health(found, Terminal())
    return 0 if all(it.is_well for it in found.values()) else EXIT_FAULT
