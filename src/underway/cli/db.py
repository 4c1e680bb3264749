"""`underway db`: the database of an app."""

from __future__ import annotations

import click

from underway.cli.db_lint import lint


@click.group()
def db() -> None:
    """Look after an app's database."""


db.add_command(lint)
