from __future__ import annotations

import time

import click
import msgspec

from underway.agent.views import AppView, RolloutLine
from underway.cli.client import connect, of_app
from underway.cli.render.rollout import Watching, rollout_line
from underway.cli.render.terminal import Terminal, clean, print_json
from underway.cli.render.words import clock


@click.command()
@click.argument("app", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens.")
@click.option(
    "-n",
    "--last",
    default=50,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="How many of the past to show.",
)
@click.option("--json", "is_json", is_flag=True, help="One JSON object per event.")
def events(app: str | None, follow: bool, last: int, is_json: bool) -> None:
    """Show what happened to APP, or to all."""
    client, terminal = connect(), Terminal()
    if app is not None:
        client.get(of_app(app), AppView)
    watching = Watching()
    for event in client.lines("/v1/events", app=app or "", limit=last, follow=follow):
        if not watching.is_worth_a_line(event, time.monotonic()):
            continue
        if is_json:
            print_json(event)
            continue
        if event["event"] == "rollout":
            terminal.line(f"{event['app']}  {rollout_line(msgspec.convert(event, RolloutLine))}")
            continue
        words = [str(event[key]) for key in ("release", "step", "instance", "outcome", "because") if event.get(key)]
        says = clean("  ".join(words))
        when = terminal.paint(clock(float(event["at"])), "dim")
        terminal.line(f"{when}  {event['app'] or '-'}  {event['event']:<16}  {says}"[: max(80, terminal.width + 8)])
