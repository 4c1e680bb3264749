"""Files made of the schema."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from underway.cli.render.terminal import Terminal
from underway.manifest.model import Manifest
from underway.terms.outcome import Outcome
from underway.wiring.home import find_home

_PATH = click.option("--path", default=".", type=click.Path(file_okay=False), help="The repository; default here.")
_PRINT = click.option("--print", "is_printing", is_flag=True, help="Print it instead of writing the file.")
_FORCE = click.option("--force", is_flag=True, help="Write over a file that was not made by Underway.")


def _manifest(path: str) -> Manifest:
    from underway.wiring.init import whole_manifest

    return whole_manifest(str(Path(path).expanduser().absolute()), find_home(os.environ), dict(os.environ))


def _put(path: str, name: str, text: str, is_printing: bool, force: bool) -> None:
    from underway.environment.words import MADE

    if is_printing:
        sys.stdout.write(text)
        return
    target = Path(path).expanduser().absolute() / name
    head = MADE.partition("{")[0]
    if target.exists() and head not in target.read_text(encoding="utf-8", errors="replace") and not force:
        Terminal().line(f"{target} was not made by Underway and was not touched: --force writes over it.")
        sys.exit(Outcome.REFUSED.exit_code)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    Terminal().line(f"{Terminal().mark('done')} {target}")


@click.command()
@_PATH
@_PRINT
@_FORCE
def example(path: str, is_printing: bool, force: bool) -> None:
    """Write .env.example: every variable that people set, with its meaning. It holds no secret."""
    from underway.environment.files import example as made

    _put(path, ".env.example", made(_manifest(path)), is_printing, force)


@click.command()
@click.option("--env", "environment", default="production", show_default=True, metavar="NAME", help="For which one.")
@_PATH
@_PRINT
@_FORCE
def template(environment: str, path: str, is_printing: bool, force: bool) -> None:
    """Write .env.NAME to fill in: secrets empty, the rest in comments. Keep what you fill in with `env set --file`."""
    from underway.environment.files import template as made

    _put(path, f".env.{environment}", made(_manifest(path), environment), is_printing, force)


@click.command()
@_PATH
@_PRINT
@_FORCE
def docs(path: str, is_printing: bool, force: bool) -> None:
    """Write docs/ENVIRONMENT.md: a table of all variables."""
    from underway.environment.files import documentation

    _put(path, "docs/ENVIRONMENT.md", documentation(_manifest(path)), is_printing, force)


@click.command()
@click.argument("file", required=False)
@click.option("--zod", is_flag=True, help="A zod schema in TypeScript in place of a pydantic-settings class.")
@_PATH
@_PRINT
@_FORCE
def settings(file: str | None, zod: bool, path: str, is_printing: bool, force: bool) -> None:
    """Write typed settings into FILE (settings.py, settings.ts). The app that uses them does not start with a wrong
    environment, and says everything that is wrong at once."""
    from underway.environment.typed import python_settings, zod_schema

    text = (zod_schema if zod else python_settings)(_manifest(path))
    _put(path, file or ("settings.ts" if zod else "settings.py"), text, is_printing, force)


@click.command()
@_PATH
def lint(path: str) -> None:
    """Tell which made files are not what the manifest says now. Exit code 3 when one is."""
    from underway.environment.files import drifted
    from underway.wiring.init import made_files

    root = str(Path(path).expanduser().absolute())
    old = drifted(_manifest(path), made_files(root, find_home(os.environ)))
    terminal = Terminal()
    for name in old:
        terminal.line(f"{terminal.mark('failed')} {name} is not what the manifest says: make it again")
    if not old:
        terminal.line(f"{terminal.mark('done')} every made file is what the manifest says")
    sys.exit(Outcome.REFUSED.exit_code if old else 0)
