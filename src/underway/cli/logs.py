from __future__ import annotations

import click

from underway.cli.client import connect, of_app
from underway.cli.render.terminal import Terminal, clean, print_json


@click.command()
@click.argument("app")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written.")
@click.option("--process", default="", metavar="NAME", help="Only web, a worker, migrate or build.")
@click.option(
    "-n",
    "--last",
    default=100,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="How many lines of the past, per instance.",
)
@click.option("--json", "is_json", is_flag=True, help="One JSON object per line.")
def logs(app: str, follow: bool, process: str, last: int, is_json: bool) -> None:
    """Show what APP's processes write."""
    terminal = Terminal()
    for line in connect().lines(of_app(app, "/logs"), process=process, tail=last, follow=follow):
        if is_json:
            print_json(line)
        else:
            terminal.line(f"{terminal.paint(line['source'], 'dim')}  {clean(line['line'])}")
