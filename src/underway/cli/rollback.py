from __future__ import annotations

import sys
from typing import Literal

import click

from underway.agent.views import PlanAsk
from underway.cli.act import perform
from underway.journal.events.acts import ActKind


@click.command()
@click.argument("app")
@click.option("--to", default="", metavar="RELEASE", help="The release to go back to; by default the one before.")
@click.option(
    "--restore", default="", metavar="BACKUP", help="Take the data back to this backup too: what came since is lost."
)
@click.option("--code-only", is_flag=True, help="Although it is not known to run on the database as it is.")
@click.option(
    "--migrate-back",
    is_flag=True,
    help="Run the migration back too, where its rehearsal has shown that it goes.",
)
@click.option(
    "--allow", multiple=True, type=click.Choice(["loss"]), help="What the migration loses on its way back may be lost."
)
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object per event; the last is `finished`.")
def rollback(
    app: str,
    to: str,
    restore: str,
    code_only: bool,
    migrate_back: bool,
    allow: tuple[Literal["loss"], ...],
    dry_run: bool,
    yes: bool,
    is_json: bool,
) -> None:
    """Go back to an earlier release of APP: at once while it is warm, else as soon as it has started.

    The database stays as it is. Where the release is not known to run on it, nothing is done, and what there is to
    choose is told: the restore point and what going back to it would lose, and whether the migration can be run back.
    """
    question = f"Replace the data of {app} by backup {restore}?" if restore and not yes else ""
    if migrate_back and not yes:
        question = f"Run the migration of {app} back? Visitors get the maintenance page meanwhile."
    ask = PlanAsk(
        kind=ActKind.ROLLBACK,
        app=app,
        to=to,
        restore=restore,
        code_only=code_only,
        migrate_back=migrate_back,
        allow=allow,
    )
    sys.exit(perform(ask, is_json=is_json, is_dry_run=dry_run, question=question))
