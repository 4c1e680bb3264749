from __future__ import annotations

import sys

import click

from underway.agent.views import PlanAsk
from underway.cli.act import perform
from underway.cli.client import of_app
from underway.journal.events.acts import ActKind


@click.command()
@click.argument("app")
@click.option("--rehearse", is_flag=True, help="Try it on a copy of the database; nothing that runs is changed.")
@click.option("--release", default="", metavar="RELEASE", help="Try this release's code on the database as it is now.")
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object per event; the last is `finished`.")
def migrate(app: str, rehearse: bool, release: str, dry_run: bool, is_json: bool) -> None:
    """Rehearse the migrations of the source that APP was last deployed from, on a copy of its database.

    It tells what they take, which tables are written again or closed and for how long, and whether the release that
    runs goes on running. With --release an earlier release is started on a copy of today's database: whether a
    rollback can go there by code alone.
    """
    if not rehearse:
        raise click.UsageError("Migrations run in a deploy. Try them beforehand with --rehearse.")
    of_app(app)
    sys.exit(perform(PlanAsk(kind=ActKind.REHEARSE, app=app, to=release), is_json=is_json, is_dry_run=dry_run))
