from __future__ import annotations

import click

from underway.cli.client import connect
from underway.cli.render.terminal import Terminal, clean, print_json
from underway.cli.render.words import ago, clock
from underway.terms.security import SecurityEvent


@click.command()
@click.option("--app", metavar="APP", help="Only of this app.")
@click.option(
    "-n", "--last", default=50, show_default=True, type=click.IntRange(1, 1000), help="At most so many, the latest."
)
@click.option("--json", "is_json", is_flag=True, help="As one JSON list.")
def security(app: str | None, last: int, is_json: bool) -> None:
    """Show who tried to get in: log-ins refused again and again, scans for .env and the like, requests that name a host
    no app has, log-ins that Underway itself refused."""
    query = {"limit": last} | ({"app": app} if app else {})
    found = connect().get("/v1/security", list[SecurityEvent], **query)
    if is_json:
        print_json(found)
        return
    terminal = Terminal()
    if not found:
        terminal.line("Nobody tried anything in the last thirty days.")
    for it in found:
        colour = "red" if it.answered else "amber"
        terminal.line(
            f"{terminal.paint(f'{it.kind.value:<8}', colour)} {it.app or '-'}  {clean(it.client)}  {it.says()}"
        )
        agent = f", {clean(it.agent)}" if it.agent else ""
        terminal.line(terminal.paint(f"    {clock(it.first_at)}, last {ago(it.last_at)}{agent}", "dim"))
        terminal.line(f"    {clean('  '.join(it.samples))}")
