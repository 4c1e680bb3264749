from __future__ import annotations

import sys
from pathlib import Path

import click

from underway.agent.views import LintAsk, LintView
from underway.cli.client import connect
from underway.cli.render.lint import show_lint
from underway.cli.render.terminal import Terminal, print_json
from underway.cli.render.waiting import waiting
from underway.terms.outcome import Outcome

_BUILD_TIMEOUT_S = 3600.0


@click.command()
@click.argument("path", default=".", type=click.Path())
@click.option("--app", default="", metavar="NAME", help="The app's name; by default the manifest's or the folder's.")
@click.option("--json", "is_json", is_flag=True, help="The same as JSON.")
def lint(path: str, app: str, is_json: bool) -> None:
    """Read the migrations that a deploy of PATH would run, and say what they would do to a database in use.

    PATH is a repository, or a file of SQL. The exit code is 3 when a deploy would be stopped.
    """
    where = Path(path).expanduser().absolute()
    if where.suffix == ".sql" and not where.is_dir():
        from underway.wiring.lint import lint_file

        found = LintView(tool="SQL files", migrations=(where.name,), hazards=lint_file(where))
    else:
        with waiting("building, and reading what is pending", is_quiet=is_json):
            ask = LintAsk(path=str(where), app=app)
            found = connect().post("/v1/lint", LintView, ask, _BUILD_TIMEOUT_S)
    if is_json:
        print_json(found)
    else:
        show_lint(found, Terminal())
    sys.exit(Outcome.REFUSED.exit_code if any(not hazard.allowed for hazard in found.hazards) else 0)
