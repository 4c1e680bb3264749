from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal, cast, get_args

import click

from underway.agent.views import HowAsked, PlanAsk
from underway.cli.act import perform
from underway.journal.events.acts import ActKind
from underway.terms.outcome import Outcome
from underway.terms.problem import Problem, Refusal


@click.command()
@click.argument("path", default=".", type=click.Path())
@click.option("--app", default="", metavar="NAME", help="The app's name; by default the manifest's or the folder's.")
@click.option(
    "--allow",
    multiple=True,
    type=click.Choice(["contract"]),
    help="contract: pending migrations may destroy, break and block.",
)
@click.option(
    "--allow-missing",
    "is_missing_allowed",
    is_flag=True,
    help="Put made-up values in place of settings that are asked for, and leave out services that are not provided.",
)
@click.option(
    "--strategy",
    default="",
    type=click.Choice(get_args(HowAsked)),
    metavar="HOW",
    help="canary, blue-green, instant or auto, whatever the manifest says.",
)
@click.option(
    "--spend-budget",
    default="",
    metavar="REASON",
    help="Release though an error budget of the app is spent, and keep REASON with the release.",
)
@click.option("--watch", is_flag=True, help="Stay until the watch after it is over.")
@click.option("--env", "environment", default="", metavar="NAME", help="The environment; by default the manifest's.")
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option("--wait", is_flag=True, help="Queue behind a deploy of the same app that is under way.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.option(
    "--json",
    "is_json",
    is_flag=True,
    help="One JSON object per event, the last is `finished`; `rollout` ones say meanwhile how it goes.",
)
def deploy(
    path: str,
    app: str,
    environment: str,
    strategy: str,
    spend_budget: str,
    watch: bool,
    allow: tuple[Literal["contract"], ...],
    is_missing_allowed: bool,
    dry_run: bool,
    wait: bool,
    yes: bool,
    is_json: bool,
) -> None:
    """Build the app in PATH, start it beside the release that runs, and move traffic to it when it is well.

    Without an underway.toml the app is recognised, and what was recognised is shown. The old release stays warm
    for ten minutes; a new one that fails its checks never gets traffic or is taken back.
    """
    if not path:
        raise click.UsageError("PATH is empty; write . for the folder you are in.")
    where = Path(path).expanduser().absolute()
    _require_utf8(str(where))
    is_first_guess = not yes and not dry_run and where.is_dir() and not (where / "underway.toml").exists()
    question = "Deploy what was recognised?" if is_first_guess else ""
    allowed: tuple[Literal["contract", "missing"], ...] = (*allow, *(("missing",) if is_missing_allowed else ()))
    ask = PlanAsk(
        kind=ActKind.DEPLOY,
        path=str(where),
        app=app,
        environment=environment,
        strategy=cast(HowAsked, strategy),
        allow=allowed,
        spend_budget=spend_budget,
    )
    try:
        code = perform(ask, is_json=is_json, is_dry_run=dry_run, is_waiting=wait, is_watching=watch, question=question)
    except Refusal as refusal:
        if any(problem.code.startswith("detect.") for problem in refusal.problems) and not is_json:
            _show_what_was_found(path, refusal)
            sys.exit(Outcome.REFUSED.exit_code)
        raise
    sys.exit(code)


def _show_what_was_found(path: str, refusal: Refusal) -> None:
    """What was recognised, above what is missing: one screen tells both."""
    from underway.cli.render.explain import explain, show_missing
    from underway.cli.render.terminal import Terminal
    from underway.wiring.home import find_home
    from underway.wiring.init import recognised

    terminal = Terminal(sys.stderr)
    _, claims, _ = recognised(str(Path(path).expanduser().absolute()), find_home(os.environ), dict(os.environ))
    if claims:
        terminal.line(terminal.paint("Recognised", "bold"))
        explain(claims, terminal, is_short=True)
    show_missing(refusal.problems, terminal, path)


def _require_utf8(path: str) -> None:
    """A name with other bytes cannot be written down in the journal or sent to the agent."""
    try:
        path.encode()
    except UnicodeEncodeError:
        raise Refusal(
            [
                Problem(
                    code="source.name",
                    where=path.encode(errors="surrogateescape").decode(errors="replace"),
                    why="the name of the folder, or of one above it, is not UTF-8",
                    remedy="rename it, or deploy a copy of it",
                    command="cp -r . /tmp/app && underway deploy /tmp/app",
                )
            ]
        ) from None
