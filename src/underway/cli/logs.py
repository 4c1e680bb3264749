from __future__ import annotations

import time

import click

from underway.cli.client import connect, of_app
from underway.cli.render.terminal import Terminal, clean, print_json
from underway.manifest.measures import seconds_of
from underway.terms.output import LEVELS

_COLOURS = {"debug": "dim", "warning": "amber", "error": "red", "critical": "red"}
_MOST = 1000


@click.command()
@click.argument("app")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written.")
@click.option("--process", default="", metavar="NAME", help="Only web, a worker, migrate or build.")
@click.option("--grep", default="", metavar="WORDS", help="Only lines with all of these words.")
@click.option("--since", default="", metavar="TIME", help='Only of the last "30m", "2h", "3d".')
@click.option("--level", type=click.Choice(LEVELS[1:]), metavar="LEVEL", help="Only of this level or a worse one.")
@click.option("--release", default="", metavar="ID", help="Only of this release.")
@click.option("--kept", is_flag=True, help="Of the last days, each with time, level, process and release.")
@click.option(
    "-n",
    "--last",
    default=100,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="How many lines of the past, per instance.",
)
@click.option("--json", "is_json", is_flag=True, help="One JSON object per line.")
def logs(
    app: str,
    follow: bool,
    process: str,
    grep: str,
    since: str,
    level: str | None,
    release: str,
    kept: bool,
    last: int,
    is_json: bool,
) -> None:
    """Show what APP's processes write; with --grep, --since, --level, --release or --kept what they wrote in the last
    days."""
    terminal = Terminal()
    if not (grep or since or level or release or kept):
        for line in connect().lines(of_app(app, "/logs"), process=process, tail=last, follow=follow):
            if is_json:
                print_json(line)
            else:
                terminal.line(f"{terminal.paint(line['source'], 'dim')}  {clean(line['line'])}")
        return
    since_s = seconds_of(since) if since else 0
    if since_s is None:
        raise click.BadParameter('write a time as "30m" or "2h"', param_hint="--since")
    asked = {"q": grep, "process": process, "release": release, "level": level or "", "limit": min(last, _MOST)}
    if since_s:
        asked["since"] = int(time.time() - float(since_s))
    found = connect().lines(of_app(app, "/tail"), **asked, follow=follow)
    for line in found:
        if is_json:
            print_json(line)
            continue
        at = time.strftime("%m-%d %H:%M:%S", time.localtime(float(line["at"])))
        who = f"{line['process']}.{line['number']}"
        said = terminal.paint(f"{line['level'] or '-':<8}", _COLOURS.get(str(line["level"]), "dim"))
        fields = f"  {terminal.paint(clean(line['fields']), 'dim')}" if line["fields"] else ""
        where = terminal.paint(f"{at}  {line['release'] or '-':<10}  {who:<9}", "dim")
        terminal.line(f"{where}  {said}  {clean(line['text'])}{fields}")
