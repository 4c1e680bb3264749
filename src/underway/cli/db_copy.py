from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from underway.agent.views import PlanAsk, WorkAsk, WorkKind
from underway.cli.act import perform
from underway.cli.db_backup import progress_terminal
from underway.cli.render.copied import show_copied
from underway.cli.render.terminal import Terminal, print_json
from underway.cli.work import do_work
from underway.journal.events.acts import ActKind
from underway.terms.copied import CopyReport
from underway.terms.outcome import EXIT_USAGE, Outcome


@click.command()
@click.option("--from", "source", required=True, metavar="URL", help="sqlite:///PATH: the file that is read.")
@click.option("--to", "app", required=True, metavar="APP", help="The app whose PostgreSQL database gets the rows.")
@click.option("--cut-over", is_flag=True, help="Once every row is proven, let the app use them.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.option("--json", "is_json", is_flag=True, help="The same as JSON.")
def copy(source: str, app: str, cut_over: bool, yes: bool, is_json: bool) -> None:
    """Copy an SQLite database into the PostgreSQL database of APP, and prove every row.

    The schema is the one that APP's own migrations made. Rows go into a database beside the live one, are counted and
    summed on both sides, and what differs is listed by its key. Nothing live is touched without --cut-over. A copy
    that was interrupted goes on where it was.
    """
    if cut_over and not (yes or sys.stdin.isatty()):
        click.echo(f"This replaces the data of {app}. Say --yes to do it without being asked.", err=True)
        sys.exit(EXIT_USAGE)
    ask = WorkAsk(kind=WorkKind.COPY, source=_path(source))
    report = msgspec.json.decode(do_work(app, ask, progress_terminal(is_json)).result, type=CopyReport)
    if is_json:
        print_json({**msgspec.to_builtins(report), "is_whole": report.is_whole})
    else:
        show_copied(report, source, app, Terminal(), is_cutting_over=cut_over)
    if not report.is_whole:
        sys.exit(Outcome.FAILED.exit_code)
    if cut_over:
        question = "" if yes else f"Replace the data of {app} with it?"
        sys.exit(perform(PlanAsk(kind=ActKind.RESTORE, app=app, is_copied=True), is_json=is_json, question=question))


def _path(source: str) -> str:
    if not source.startswith("sqlite:///"):
        raise click.BadParameter("write sqlite:///app.db, or sqlite:////srv/app/app.db", param_hint="--from")
    return str(Path(source.removeprefix("sqlite:///")).expanduser().absolute())
