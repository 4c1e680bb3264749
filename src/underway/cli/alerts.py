from __future__ import annotations

import getpass

import click

from underway.agent.views import AlertAsk
from underway.cli.client import connect, of_app
from underway.cli.render.keeping import show_alerts
from underway.cli.render.terminal import Terminal, print_json
from underway.manifest.measures import seconds_of
from underway.terms.alert import Alert


@click.group(invoke_without_command=True)
@click.option("--app", default="", metavar="APP", help="Only of this app.")
@click.option("--cleared", is_flag=True, help="The last ones that are over.")
@click.option("--json", "is_json", is_flag=True, help="As one JSON list.")
@click.pass_context
def alerts(context: click.Context, app: str, cleared: bool, is_json: bool) -> None:
    """Show what is wrong now, since when, and what to do about it."""
    if context.invoked_subcommand is not None:
        return
    found = connect().get("/v1/alerts", list[Alert], app=app, cleared=cleared)
    if is_json:
        print_json(found)
    else:
        show_alerts(found, Terminal())


@alerts.command()
@click.argument("app")
@click.argument("key")
@click.option("--as", "by", default="", metavar="NAME", help="Who looks after it, if it is not you.")
def ack(app: str, key: str, by: str) -> None:
    """Look after the alert KEY of APP: it is escalated no further."""
    ask = AlertAsk(key=key, by=by or getpass.getuser())
    connect().post(of_app(app, "/acknowledgements"), list[Alert], ask)
    Terminal().line(f"{app}: {ask.by} looks after {key}.")


@alerts.command()
@click.argument("app")
@click.argument("key")
@click.option("--for", "length", default="1h", show_default=True, metavar="TIME", help='How long, "0s" ends it.')
@click.option("--because", default="", metavar="TEXT", help="Why.")
@click.option("--as", "by", default="", metavar="NAME", help="Who silences it, if it is not you.")
def silence(app: str, key: str, length: str, because: str, by: str) -> None:
    """Tell nobody of KEY (`*` for everything) of APP for a while."""
    for_s = seconds_of(length)
    if for_s is None:
        raise click.BadParameter('write a time as "30m" or "2h"', param_hint="--for")
    ask = AlertAsk(key=key, by=by or getpass.getuser(), for_s=float(for_s), because=because)
    connect().post(of_app(app, "/silences"), list[Alert], ask)
    Terminal().line(f"{app}: {key} is silent for {length}." if for_s else f"{app}: {key} is told again.")
