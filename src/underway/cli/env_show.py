"""Look at an environment: show, check, diff, audit."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from underway.agent.env_views import EnvHandAsk, EnvHanded, EnvLookAsk, EnvView, VariableView
from underway.cli.client import connect
from underway.cli.env import common_options
from underway.cli.render.environment import show_difference, show_environment, show_findings, show_one
from underway.cli.render.terminal import Terminal, clean, print_json
from underway.cli.render.words import clock
from underway.terms.environment import PRODUCTION
from underway.terms.outcome import Outcome


def looked(path: str, app: str, environment: str) -> EnvView:
    where = str(Path(path).expanduser().absolute())
    return connect().post("/v1/env/look", EnvView, EnvLookAsk(path=where, app=app, environment=environment))


def fetch(path: str, app: str, environment: str, process: str, names: tuple[str, ...], why: str) -> dict[str, str]:
    """Values in the clear, by a file that only this user can read; the read is journaled first."""
    ask = EnvHandAsk(
        path=str(Path(path).expanduser().absolute()),
        by=getpass.getuser(),
        why=why,
        app=app,
        environment=environment,
        process=process,
        names=names,
    )
    file = Path(connect().post("/v1/env/handovers", EnvHanded, ask).file)
    try:
        values: dict[str, str] = json.loads(file.read_bytes())
    finally:
        file.unlink(missing_ok=True)
    return values


@click.command()
@click.argument("name", required=False)
@click.option("--reveal", is_flag=True, help="Print the value of NAME alone. It is journaled.")
@click.option("--all", "is_all", is_flag=True, help="List everything that is not declared, not the first twelve.")
@common_options
@click.option("--json", "is_json", is_flag=True, help="One JSON object.")
def show(name: str | None, reveal: bool, is_all: bool, path: str, app: str, environment: str, is_json: bool) -> None:
    """Show every variable of an environment, or NAME alone: its value, unless it is a secret, and where it is from."""
    if reveal:
        if not name:
            raise click.UsageError("--reveal wants the NAME of one variable.")
        sys.stdout.write(fetch(path, app, environment, "", (name,), "reveal")[name] + "\n")
        return
    view = looked(path, app, environment)
    variables = [each for each in view.variables if name in (None, each.name)]
    if is_json:
        print_json({**_json(view), "variables": variables})
        return
    terminal = Terminal()
    if name and not variables:
        terminal.line(f"{clean(name)} is neither declared nor set in {view.environment} of {view.app}.")
        sys.exit(Outcome.REFUSED.exit_code)
    if name:
        show_one(variables[0], terminal)
    else:
        show_environment(view, variables, terminal, is_all=is_all)


@click.command()
@click.option("--all", "is_all", is_flag=True, help="List all of each kind, not the first twelve.")
@common_options
@click.option("--json", "is_json", is_flag=True, help="One JSON object.")
def check(is_all: bool, path: str, app: str, environment: str, is_json: bool) -> None:
    """Say everything that is wrong with an environment. Exit code 3 when a deploy would be refused."""
    view = looked(path, app, environment)
    if is_json:
        print_json({"app": view.app, "environment": view.environment, "findings": view.findings})
    else:
        show_findings(view, Terminal(), is_all=is_all)
    sys.exit(Outcome.REFUSED.exit_code if any(finding.stops for finding in view.findings) else 0)


@click.command()
@common_options
@click.option("--json", "is_json", is_flag=True, help="One JSON object.")
def infer(path: str, app: str, environment: str, is_json: bool) -> None:
    """Print lines for [env] of the manifest: what the code, .env.example, compose, Dockerfiles and CI name and it does
    not declare, with the type, the default and the place that it seems to have. Read them before you keep them."""
    view = looked(path, app, environment)
    if is_json:
        print_json({"app": view.app, "environment": view.environment, "undeclared": view.undeclared})
        return
    from underway.manifest.env_keys import EnvVar
    from underway.manifest.model import Manifest
    from underway.manifest.write import render

    env = {
        each.name: EnvVar(
            type=each.type,
            required=each.is_required,
            secret=each.is_secret,
            default=each.default,
            doc=f"{'read' if each.is_read else 'named'} at {each.where}",
        )
        for each in view.undeclared
    }
    text = render(Manifest(app=view.app, env=env))
    sys.stdout.write(text[text.index("[env]") :] if env else "# every variable that the repository names is declared\n")


@click.command()
@click.argument("one", required=False)
@click.argument("other", required=False)
@common_options
@click.option("--json", "is_json", is_flag=True, help="One JSON object.")
def diff(one: str | None, other: str | None, path: str, app: str, environment: str, is_json: bool) -> None:
    """Show what the next deploy would change of the environment that runs; or how the environments ONE and OTHER (by
    default production) differ. Secrets are compared without being shown."""
    if one is None:
        _show_staged(looked(path, app, environment), is_json=is_json)
        return
    other = other or environment or PRODUCTION
    left = {each.name: each for each in looked(path, app, one).variables}
    right = {each.name: each for each in looked(path, app, other).variables}
    found = {
        name: (_side(left.get(name), right.get(name)), _side(right.get(name), left.get(name)))
        for name in sorted({*left, *right})
        if _differ(left.get(name), right.get(name))
    }
    if is_json:
        print_json({name: {one: sides[0], other: sides[1]} for name, sides in found.items()})
    elif not found:
        Terminal().line(f"{one} and {other} have the same values.")
    else:
        show_difference((one, other), [(name, *sides) for name, sides in found.items()], Terminal())


def _show_staged(view: EnvView, *, is_json: bool) -> None:
    found = {
        each.name: ("another value" if each.running else "not set", _side(each, each if each.running else None))
        for each in view.variables
        if view.live and each.is_set and each.fingerprint and each.fingerprint != each.running
    }
    if is_json:
        print_json({name: {"running": sides[0], "next": sides[1]} for name, sides in found.items()})
        return
    terminal = Terminal()
    if not view.live:
        terminal.line(f"No release of {view.app} runs: the next deploy gives it what `underway env show` shows.")
    elif not found:
        terminal.line(f"{terminal.mark('done')} {view.app} runs with the values that are set.")
    else:
        show_difference((f"running ({view.live})", "next deploy"), [(n, *s) for n, s in found.items()], terminal)


def _differ(left: VariableView | None, right: VariableView | None) -> bool:
    if left is None or right is None or left.is_set != right.is_set:
        return (left is not None and left.is_set) or (right is not None and right.is_set)
    return left.fingerprint != right.fingerprint


def _side(each: VariableView | None, other: VariableView | None) -> str:
    if each is None or not each.is_set:
        return "not set"
    hidden = "••• (another value)" if other is not None and other.is_set else "•••"
    return hidden if each.is_secret else clean(each.value) or '""'


@click.command()
@click.argument("name", required=False)
@click.option("--app", default="", metavar="NAME", help="Only of this app.")
@click.option("-n", "--last", default=100, show_default=True, type=click.IntRange(1, 1_000_000), help="How many.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object per event.")
def audit(name: str | None, app: str, last: int, is_json: bool) -> None:
    """Show who read and changed values, and when; with NAME, of that variable."""
    found = [
        event
        for event in connect().lines("/v1/events", app=app)
        if event["event"] in ("environment_changed", "environment_read") and (name is None or name in _names(event))
    ]
    terminal = Terminal()
    for event in found[-last:]:
        if is_json:
            print_json(event)
            continue
        what = event.get("how") or f"read for {event['why']}"
        layer = event.get("layer") or event["environment"]
        names = ", ".join(_names(event))
        words = clean(f"{event['app']}  {layer}  {what}  {names}  by {event['by']}")
        terminal.line(f"{terminal.paint(clock(float(event['at'])), 'dim')}  {words}")
    if not found and not is_json:
        terminal.line("Nothing was read or changed.")


def _names(event: Mapping[str, object]) -> list[str]:
    return [str(each) for key in ("names", "put", "removed") for each in event.get(key) or ()]  # type: ignore[attr-defined]  # lists of text


def _json(view: EnvView) -> dict[str, object]:
    return {
        "app": view.app,
        "environment": view.environment,
        "vault": view.vault,
        "layers": view.layers,
        "findings": view.findings,
        "undeclared": view.undeclared,
        "live": view.live,
    }
