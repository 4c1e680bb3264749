from __future__ import annotations

import click

from underway.cli.client import connect, of_app
from underway.cli.render.terminal import Terminal, clean, print_json
from underway.cli.render.words import ago, clock
from underway.terms.seen_error import ErrorStory, SeenError


@click.command()
@click.argument("app")
@click.argument("fingerprint", default="")
@click.option("--new", "is_new", is_flag=True, help="Only those that the live release brought.")
@click.option("--json", "is_json", is_flag=True, help="As one JSON list, or one object for FINGERPRINT.")
def errors(app: str, fingerprint: str, is_new: bool, is_json: bool) -> None:
    """List the errors that APP reported, or tell all of the one with this FINGERPRINT."""
    if fingerprint:
        story = connect().get(of_app(app, f"/errors/{fingerprint}"), ErrorStory)
        print_json(story) if is_json else _show(story, Terminal())
        return
    found = [it for it in connect().get(of_app(app, "/errors"), list[SeenError]) if it.is_new or not is_new]
    if is_json:
        print_json(found)
        return
    terminal = Terminal()
    if not found:
        terminal.line(f"{app} reported no {'new ' if is_new else ''}error.")
    for it in found:
        _line(it, terminal)


def _line(it: SeenError, terminal: Terminal) -> None:
    news = f"  {terminal.paint('new in this release', 'amber')}" if it.is_new else ""
    name, says = terminal.paint(it.error.fingerprint, "dim"), terminal.paint(clean(it.error.says()), "red")
    terminal.line(f"{name}  {says}{news}")
    people = f", {it.users_touched:,} users touched" if it.users_touched else ""
    where = f", in {', '.join(it.releases[-3:])}" if it.releases else ""
    more = f" and {len(it.releases) - 3} more" if len(it.releases) > 3 else ""
    first, last = ago(it.first_at), ago(it.last_at)
    terminal.line(f"    {it.times:,}×, first {first}, last {last}{people}{where}{more}")


def _show(story: ErrorStory, terminal: Terminal) -> None:
    _line(story.seen, terminal)
    for it in story.by_release:
        terminal.line(f"    {it.release or '-'}: {it.times:,}× from {clock(it.first_at)} to {clock(it.last_at)}")
    if story.lines:
        terminal.line(terminal.paint(f"    {story.process} wrote when it came last:", "dim"))
    for line in story.lines:
        terminal.line(f"      {clean(line)}")
