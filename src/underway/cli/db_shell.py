from __future__ import annotations

import os

import click

from underway.cli.client import connect, of_app
from underway.wiring.home import find_home


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("app")
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def shell(app: str, words: tuple[str, ...]) -> None:
    """Open psql on the database of APP, as the app's own role. WORDS go to psql: -c "SELECT 1"."""
    from underway.wiring.shell import become
    from underway.wiring.shell import shell as way_in

    connect().get(of_app(app), object)  # the agent runs, and with it the server
    become(*_with(words, way_in(app, find_home(os.environ), os.environ)))


def _with(words: tuple[str, ...], way: tuple[str, dict[str, str]]) -> tuple[str, tuple[str, ...], dict[str, str]]:
    return way[0], words, way[1]
