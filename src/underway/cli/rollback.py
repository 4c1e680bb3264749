from __future__ import annotations

import sys

import click

from underway.agent.views import PlanAsk
from underway.cli.act import perform
from underway.journal.events import ActKind


@click.command()
@click.argument("app")
@click.option("--to", default="", metavar="RELEASE", help="The release to go back to; by default the one before.")
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object per event; the last is `finished`.")
def rollback(app: str, to: str, dry_run: bool, yes: bool, is_json: bool) -> None:
    """Go back to an earlier release of APP: at once while it is warm, else as soon as it has started."""
    sys.exit(perform(PlanAsk(kind=ActKind.ROLLBACK, app=app, to=to), is_json=is_json, is_dry_run=dry_run))
