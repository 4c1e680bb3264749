"""`underway db`: the database of an app."""

from __future__ import annotations

import click

from underway.cli.db_backup import backup, drill, fetch, snapshot, verify
from underway.cli.db_backups import backups
from underway.cli.db_copy import copy
from underway.cli.db_lint import lint
from underway.cli.db_migrate import migrate
from underway.cli.db_restore import reset, restore
from underway.cli.db_shell import shell
from underway.cli.db_stats import stats


@click.group()
def db() -> None:
    """Look after an app's database."""


for command in (backup, backups, restore, reset, drill, verify, fetch, snapshot, copy, shell, lint, migrate, stats):
    db.add_command(command)
