from __future__ import annotations

import sys

import click


@click.command()
@click.option("--clients", default=12, show_default=True, help="How many strict clients ask all the time.")
@click.option("--down", "is_down", is_flag=True, help="Take the demo app down at the end.")
@click.option("--json", "is_json", is_flag=True, help="Print the counts as one JSON object at the end.")
def demo(clients: int, is_down: bool, is_json: bool) -> None:
    """Play a whole launch under constant traffic: a first release, a better one, a rollback, and three that are broken.

    The last of these is healthy and fails some visitors: it is judged on live traffic and taken back. The traffic never
    retries, so every failed request is counted. The app stays up, with its URL.
    """
    from underway.cli.demo_play import play

    sys.exit(play(clients=clients, is_down=is_down, is_json=is_json))
