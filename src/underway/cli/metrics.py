from __future__ import annotations

import getpass
import sys
from typing import Any

import click

from underway.agent.access_views import DashboardAsk, DashboardView
from underway.cli.client import Client, connect, of_app
from underway.cli.monitors import apps_of
from underway.cli.render.terminal import print_json
from underway.terms.objective import Budget

_JSON = click.option("--json", "is_json", is_flag=True, help="As JSON, which Prometheus reads as well as YAML.")


@click.group(invoke_without_command=True)
@click.pass_context
def metrics(context: click.Context) -> None:
    """Print what the agent measures as OpenMetrics, and what a Prometheus and a Grafana need to use it."""
    if context.invoked_subcommand is None:
        sys.stdout.write(connect().text("/metrics").decode())


@metrics.command()
@click.argument("app", default="")
@_JSON
def rules(app: str, is_json: bool) -> None:
    """Print recording and alerting rules made of the objectives of APP (or of every app)."""
    from underway.prometheus.rules import rules as made

    _print(made(_promised(connect(), app)), is_json)


@metrics.command("dashboard")
@click.argument("app", default="")
def grafana(app: str) -> None:
    """Print a Grafana dashboard as JSON: import it, and choose the Prometheus that has the metrics."""
    from underway.prometheus.dashboard import dashboard as made

    print_json(made(_promised(connect(), app)))


@metrics.command()
@click.option("--token-file", required=True, metavar="FILE", help="Where Prometheus finds the token.")
@_JSON
def scrape(token_file: str, is_json: bool) -> None:
    """Print what a Prometheus on this machine needs to read the metrics.

    The token is made with: underway access token prometheus --scope read --days 365
    """
    from underway.prometheus.scrape import scrape as made

    view = connect().post("/v1/dashboard", DashboardView, DashboardAsk(by=getpass.getuser()))
    _print(made(view.url, token_file), is_json)


def _promised(client: Client, app: str) -> list[Budget]:
    return [it for each in apps_of(client, app) for it in client.get(of_app(each, "/budgets"), list[Budget])]


def _print(made: dict[str, Any], is_json: bool) -> None:
    if is_json:
        print_json(made)
        return
    import yaml

    sys.stdout.write(yaml.safe_dump(made, sort_keys=False, width=10_000, allow_unicode=True))
