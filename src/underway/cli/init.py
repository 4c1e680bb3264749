from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from underway.cli.render.terminal import Terminal, print_json
from underway.terms.outcome import Outcome
from underway.wiring.home import find_home


@click.command()
@click.argument("path", default=".", type=click.Path(file_okay=False))
@click.option("--print", "is_printing", is_flag=True, help="Print it instead of writing the file.")
@click.option(
    "--explain", "is_explaining", is_flag=True, help="Show what was recognised and where it was read; write nothing."
)
@click.option("--json", "is_json", is_flag=True, help="With --explain: one JSON object.")
def init(path: str, is_printing: bool, is_explaining: bool, is_json: bool) -> None:
    """Write underway.toml into PATH: what was recognised, each guess with its evidence. An existing one is kept."""
    from underway.wiring.init import recognised

    where = Path(path).expanduser().absolute()
    target = where / "underway.toml"
    terminal = Terminal()
    if target.exists() and not is_printing and not is_explaining:
        terminal.line(f"{target} is there already and was not touched.")
        return
    text, claims, problems = recognised(str(where), find_home(os.environ), dict(os.environ))
    if is_explaining and is_json:
        print_json({"claims": claims, "problems": problems, "manifest": text})
        sys.exit(Outcome.REFUSED.exit_code if problems else 0)
    if is_explaining:
        from underway.cli.render.explain import explain

        explain(claims, terminal)
    elif is_printing:
        sys.stdout.write(text)
    elif text:
        with open(target, "x", encoding="utf-8") as stream:
            stream.write(text)
        terminal.line(f"{terminal.mark('done')} {target}")
    if problems:
        from underway.cli.render.explain import show_missing

        show_missing(problems, terminal, path)
        sys.exit(Outcome.REFUSED.exit_code)
