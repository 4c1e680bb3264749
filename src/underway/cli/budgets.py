from __future__ import annotations

import click

from underway.cli.client import connect, of_app
from underway.cli.monitors import apps_of
from underway.cli.render.keeping import show_spending
from underway.cli.render.terminal import Terminal, print_json
from underway.terms.spending import SpendingView


@click.command()
@click.argument("app", default="")
@click.option("--json", "is_json", is_flag=True, help="As one JSON list, an object of each app.")
def budgets(app: str, is_json: bool) -> None:
    """Show what APP (or every app) used of its month: hours, requests, bandwidth, rows, cost; and what is kept warm.

    The error budgets of what was promised are another matter: underway slo.
    """
    client = connect()
    found = [client.get(of_app(each, "/spending"), SpendingView) for each in apps_of(client, app)]
    if is_json:
        print_json(found)
    else:
        show_spending(found, Terminal())
