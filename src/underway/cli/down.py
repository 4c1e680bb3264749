from __future__ import annotations

import sys

import click

from underway.agent.views import PlanAsk
from underway.cli.act import perform
from underway.journal.events.acts import ActKind
from underway.terms.outcome import EXIT_USAGE


@click.command()
@click.argument("app")
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object per event; the last is `finished`.")
def down(app: str, dry_run: bool, yes: bool, is_json: bool) -> None:
    """Stop every process of APP and take it out of the proxy. Database, backups, releases and shared folders stay."""
    if not (yes or dry_run or sys.stdin.isatty()):
        click.echo(f"This stops {app} for its users. Say --yes to do it without being asked.", err=True)
        sys.exit(EXIT_USAGE)
    question = "" if yes else f"Stop {app} for its users?"
    sys.exit(perform(PlanAsk(kind=ActKind.DOWN, app=app), is_json=is_json, is_dry_run=dry_run, question=question))
