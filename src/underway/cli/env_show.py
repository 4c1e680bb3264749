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
from underway.cli.render.problems import show_problems
from underway.cli.render.terminal import Terminal, clean, print_json
from underway.cli.render.words import ago, clock
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
@common_options
@click.option("--json", "is_json", is_flag=True, help="One JSON object.")
def show(name: str | None, reveal: bool, path: str, app: str, environment: str, is_json: bool) -> None:
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
    terminal.line(f"{view.app}  {terminal.paint(view.environment, 'bold')}  {' → '.join(view.layers)}")
    if name and not variables:
        terminal.line(f"  {clean(name)} is neither declared nor set.")
        sys.exit(Outcome.REFUSED.exit_code)
    width = max((len(each.name) for each in variables), default=0)
    for each in variables:
        terminal.line(f"  {each.name:<{width}}  {_value(each, terminal)}  {terminal.paint(_from(each), 'dim')}")


def _value(each: VariableView, terminal: Terminal) -> str:
    if not each.is_set:
        return terminal.paint("not set", "red" if each.is_required else "dim")
    if each.is_secret:
        return "•••" if terminal.has_unicode else "***"
    if each.value:
        text = clean(each.value)
        return text if len(text) <= 60 else text[:57] + "…"
    return '""' if not each.from_.startswith(("service", "generated")) else "when it starts"


def _from(each: VariableView) -> str:
    words = [each.from_]
    if each.over:
        words.append(f"over {', '.join(each.over)}")
    if each.set_at:
        words.append(f"set {ago(each.set_at)}" + (f" by {clean(each.set_by)}" if each.set_by else ""))
    if each.is_rotating:
        words.append("the old value is accepted too")
    if not each.is_declared and not each.from_.startswith("service"):
        words.append("not in the manifest")
    return ", ".join(filter(None, words))


@click.command()
@common_options
@click.option("--json", "is_json", is_flag=True, help="One JSON object.")
def check(path: str, app: str, environment: str, is_json: bool) -> None:
    """Say everything that is wrong with an environment. Exit code 3 when a deploy would be refused."""
    view = looked(path, app, environment)
    stops = [finding for finding in view.findings if finding.stops]
    if is_json:
        print_json({"app": view.app, "environment": view.environment, "findings": view.findings})
    else:
        terminal = Terminal()
        show_problems([finding.problem for finding in stops], terminal)
        for finding in view.findings:
            if not finding.stops:
                problem = finding.problem
                terminal.line(f"{terminal.mark('warning')} {terminal.paint(clean(problem.where), 'bold')}")
                terminal.line(f"  {clean(problem.why)}")
                command = f": {problem.command}" if problem.command else ""
                terminal.line(f"  {terminal.mark('arrow')} {clean(problem.remedy + command)}  [{problem.code}]")
        counted = f"{len(view.variables)} variables"
        if stops:
            terminal.line(f"{view.app} {view.environment}: {counted}, {len(stops)} in the way of a deploy")
        else:
            rest = f", {len(view.findings)} to look at" if view.findings else ""
            terminal.line(f"{terminal.mark('done')} {view.app} {view.environment}: {counted}, nothing in the way{rest}")
    sys.exit(Outcome.REFUSED.exit_code if stops else 0)


@click.command()
@click.argument("one")
@click.argument("other", default="production")
@click.option("--app", default="", metavar="NAME", help="The app's name; by default the manifest's.")
@click.option("--path", default=".", type=click.Path(), help="The repository; by default this folder.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object.")
def diff(one: str, other: str, app: str, path: str, is_json: bool) -> None:
    """Show what differs between the environments ONE and OTHER. Secrets are compared without being shown."""
    left = {each.name: each for each in looked(path, app, one).variables}
    right = {each.name: each for each in looked(path, app, other).variables}
    found = {
        name: (_side(left.get(name)), _side(right.get(name)))
        for name in sorted({*left, *right})
        if _differ(left.get(name), right.get(name))
    }
    if is_json:
        print_json({name: {one: sides[0], other: sides[1]} for name, sides in found.items()})
        return
    terminal = Terminal()
    if not found:
        terminal.line(f"{one} and {other} have the same values.")
    width = max(map(len, found), default=0)
    for name, sides in found.items():
        terminal.line(f"  {name:<{width}}  {one}: {sides[0]}   {other}: {sides[1]}")


def _differ(left: VariableView | None, right: VariableView | None) -> bool:
    if left is None or right is None or left.is_set != right.is_set:
        return (left is not None and left.is_set) or (right is not None and right.is_set)
    return left.fingerprint != right.fingerprint


def _side(each: VariableView | None) -> str:
    if each is None or not each.is_set:
        return "not set"
    return "••• (another value)" if each.is_secret else clean(each.value)[:60] or '""'


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
    }
