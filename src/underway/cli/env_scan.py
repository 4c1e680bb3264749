from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from underway.cli.render.terminal import Terminal, clean, print_json
from underway.terms.outcome import Outcome
from underway.wiring.home import find_home


@click.command()
@click.argument("path", default=".", type=click.Path(file_okay=False))
@click.option("--history/--no-history", "with_history", default=True, help="Look through the git history as well.")
@click.option("--all", "is_all", is_flag=True, help="Show what is doubtful and what the allow file lets stand.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object.")
@click.option(
    "--sarif", "sarif_path", type=click.Path(dir_okay=False), help="Write SARIF 2.1.0 into this file (- for stdout)."
)
def scan(path: str, with_history: bool, is_all: bool, is_json: bool, sarif_path: str | None) -> None:
    """Look for secrets in the files below PATH and in their git history. No secret is shown.

    What was looked over and let stand is written into .underway-scan.toml, each with a reason. Exit code 0: nothing,
    or only what is doubtful. 3: a leak.
    """
    from underway.cli.render.scan import show_scan
    from underway.wiring.scan import scanned

    terminal = Terminal(sys.stderr)

    def tell(what: str, done: int, of: int) -> None:
        terminal.draw(f"{what}: {done:,} of {of:,}")

    where = str(Path(path).expanduser().absolute())
    report = scanned(where, find_home(os.environ), with_history=with_history, tell=tell)
    terminal.clear()
    if sarif_path is not None:
        from underway import __version__
        from underway.leaks.sarif import sarif

        text = json.dumps(sarif([*report.leaks, *report.doubtful], __version__), indent=2) + "\n"
        if sarif_path == "-":
            sys.stdout.write(text)
        else:
            Path(sarif_path).write_text(text, encoding="utf-8")
    if is_json:
        print_json(report)
    elif sarif_path != "-":
        show_scan(report, clean(path), Terminal(), is_all=is_all)
    sys.exit(Outcome.REFUSED.exit_code if report.leaks else 0)
