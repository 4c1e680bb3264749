from __future__ import annotations

import click

from underway.cli.client import connect, of_app
from underway.cli.render.database import show_database
from underway.cli.render.terminal import Terminal, print_json
from underway.terms.database_health import DatabaseHealth


@click.command()
@click.argument("app")
@click.option("--json", "is_json", is_flag=True, help="The same as JSON.")
def stats(app: str, is_json: bool) -> None:
    """Show how APP's database is: size, connections, memory hits, long transactions, dead rows and slow queries.

    It reads the server's own statistics and changes nothing. Values in the texts of queries are masked.
    """
    found = connect().get(of_app(app, "/database"), DatabaseHealth)
    if is_json:
        print_json(found)
    else:
        show_database(found, Terminal())
