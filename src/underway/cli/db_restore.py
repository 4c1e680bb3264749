from __future__ import annotations

import sys

import click

from underway.agent.views import PlanAsk
from underway.cli.act import perform
from underway.journal.events.acts import ActKind
from underway.terms.outcome import EXIT_USAGE


@click.command()
@click.argument("app")
@click.argument("backup", default="")
@click.option(
    "--at",
    metavar="TIME",
    help='A moment instead of a backup: "2026-05-01 14:03:22" (local time), or with a zone, to the microsecond.',
)
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object per event; the last is `finished`.")
def restore(app: str, backup: str, at: str | None, dry_run: bool, yes: bool, is_json: bool) -> None:
    """Put the data of APP back to the newest backup, or to BACKUP.

    With --at the databases alone are put back to that moment, where [backup] continuous keeps every change.
    What is live is backed up first. The backup is restored beside it and compared; only then visitors get the
    maintenance page, the two change places and the app is started on it. The data that was replaced is kept.
    """
    if not (yes or dry_run or sys.stdin.isatty()):
        click.echo(f"This replaces the data of {app}. Say --yes to do it without being asked.", err=True)
        sys.exit(EXIT_USAGE)
    question = "" if yes else f"Replace the data of {app}?"
    ask = PlanAsk(kind=ActKind.RESTORE, app=app, to=backup, until=_moment(at))
    sys.exit(perform(ask, is_json=is_json, is_dry_run=dry_run, question=question))


def _moment(text: str | None) -> float:
    if not text:
        return 0.0
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no time; write 2026-05-01 14:03:22", param_hint="--at") from error


@click.command()
@click.argument("app")
@click.option("--to", "name", default="", metavar="NAME", help="The snapshot; by default the newest one.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object per event; the last is `finished`.")
def reset(app: str, name: str, yes: bool, is_json: bool) -> None:
    """Put the data of a demo or a staging APP back to a snapshot. Refused unless its manifest says it is one."""
    if not (yes or sys.stdin.isatty()):
        click.echo(f"This replaces the data of {app}. Say --yes to do it without being asked.", err=True)
        sys.exit(EXIT_USAGE)
    question = "" if yes else f"Replace the data of {app}?"
    ask = PlanAsk(kind=ActKind.RESTORE, app=app, to=name, is_reset=True)
    sys.exit(perform(ask, is_json=is_json, question=question))
