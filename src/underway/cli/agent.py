from __future__ import annotations

import contextlib
import os
import sys
import time

import click
import msgspec

from underway.agent.views import StatusView
from underway.cli.client import Client, connect
from underway.cli.render.terminal import Terminal, print_json
from underway.cli.render.words import ago, megabytes
from underway.terms.outcome import EXIT_USAGE
from underway.wiring.home import find_home


@click.group()
def agent() -> None:
    """The agent is the one process that keeps the apps of a home. Commands start it when it is needed."""


@agent.command()
@click.option("--json", "is_json", is_flag=True, help="Say why it cannot start as one JSON object.")
def run(is_json: bool) -> None:
    """Run the agent in the foreground until SIGTERM."""
    from underway.agent.serve import run_agent
    from underway.pages.door import PagesDoor

    os.environ.setdefault("UNDERWAY_AGENT", find_home(os.environ).id)
    run_agent(find_home(os.environ), dict(os.environ), make_door=PagesDoor)


@agent.command()
def start() -> None:
    """Start the agent in the background."""
    client = connect()
    view = client.get("/v1/status", StatusView).agent
    Terminal().line(f"The agent runs: pid {view.pid}, home {view.home}.")


@agent.command()
@click.option("--all", "is_all", is_flag=True, help="Stop apps, proxy and databases as well.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
def stop(is_all: bool, yes: bool) -> None:
    """Stop the agent. Apps, proxy and databases go on running; the next command starts it again.

    With --all everything stops; the next start of the agent brings back what was live.
    """
    client = Client(find_home(os.environ))
    if is_all and not yes:
        if not sys.stdin.isatty():
            click.echo("This stops every app for its users. Say --yes to do it without being asked.", err=True)
            sys.exit(EXIT_USAGE)
        click.confirm("Stop every app of this home for its users?", abort=True)
    if is_all:
        client = connect()
    if not client.is_up():
        Terminal().line("The agent does not run.")
        return
    pid = client.get("/v1/status", StatusView).agent.pid
    client.post("/v1/stop?everything=true" if is_all else "/v1/stop", object)
    deadline = time.monotonic() + 15
    while _is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    what = "Everything has stopped." if is_all else "The agent has stopped; what it keeps goes on running."
    Terminal().line(what)


@agent.command()
@click.option("--json", "is_json", is_flag=True, help="The same as JSON.")
def status(is_json: bool) -> None:
    """Say whether the agent runs, where, and what it uses."""
    client = Client(find_home(os.environ))
    if not client.is_up():
        if is_json:
            print_json({"is_running": False})
        else:
            Terminal().line(f"The agent of {client.home.root} does not run. Start it: underway agent start")
        sys.exit(3)
    view = client.get("/v1/status", StatusView).agent
    if is_json:
        print_json({"is_running": True, **msgspec.to_builtins(view)})
        return
    Terminal().line(
        f"agent {view.version}, pid {view.pid}, started {ago(view.started_at)}, {megabytes(view.rss_bytes)},"
        f" {view.apps} apps\nhome {view.home}, proxy on port {view.http_port}, log {client.home.agent_log}"
    )
    for limit in view.limits:
        Terminal().line(f"limits: {limit}")


@agent.command()
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
def install(yes: bool) -> None:
    """Let systemd run the agent, now and after every boot."""
    from underway.cli.systemd import install_unit

    sys.exit(install_unit(find_home(os.environ), is_asking=not yes))


def _is_alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):  # an agent that this command had to start is its child
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
