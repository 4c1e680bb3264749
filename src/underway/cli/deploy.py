from __future__ import annotations

import sys
from pathlib import Path

import click

from underway.agent.views import PlanAsk
from underway.cli.act import perform
from underway.journal.events import ActKind


@click.command()
@click.argument("path", default=".", type=click.Path())
@click.option("--app", default="", metavar="NAME", help="The app's name; by default the manifest's or the folder's.")
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option("--wait", is_flag=True, help="Queue behind a deploy of the same app that is under way.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object per event; the last is `finished`.")
def deploy(path: str, app: str, dry_run: bool, wait: bool, yes: bool, is_json: bool) -> None:
    """Build the app in PATH, start it beside the release that runs, and move traffic to it when it is well.

    Without an underway.toml the app is recognised, and what was recognised is shown. The old release stays warm
    for ten minutes; a new one that fails its checks never gets traffic or is taken back.
    """
    where = Path(path).expanduser().absolute()
    is_first_guess = not yes and not dry_run and where.is_dir() and not (where / "underway.toml").exists()
    question = "Deploy what was recognised?" if is_first_guess else ""
    ask = PlanAsk(kind=ActKind.DEPLOY, path=str(where), app=app)
    sys.exit(perform(ask, is_json=is_json, is_dry_run=dry_run, is_waiting=wait, question=question))
