from __future__ import annotations

import click

from underway.cli.client import connect, of_app
from underway.cli.monitors import apps_of
from underway.cli.render.keeping import show_budgets
from underway.cli.render.terminal import Terminal, print_json
from underway.terms.objective import Budget


@click.command()
@click.argument("app", default="")
@click.option("--json", "is_json", is_flag=True, help="As one JSON list.")
def slo(app: str, is_json: bool) -> None:
    """Show what was promised of APP (or all), and how much of each error budget is left."""
    client = connect()
    found = [it for each in apps_of(client, app) for it in client.get(of_app(each, "/budgets"), list[Budget])]
    if is_json:
        print_json(found)
    else:
        show_budgets(found, Terminal())
