from __future__ import annotations

import getpass
from pathlib import Path

import click

from underway.agent.status_views import ExportAsk, Exported, IncidentAsk, StatusPageAsk, StatusPageView
from underway.cli.client import connect, of_app
from underway.cli.render.terminal import Terminal, print_json
from underway.cli.render.words import clock
from underway.terms.incident import Impact, Incident, IncidentStage

_IMPACTS = click.Choice([impact.value for impact in Impact])
_STAGES = click.Choice([stage.value for stage in IncidentStage])
_TITLE = click.option("--title", default="Status", help="What stands above it.")
_APPS = click.option("--app", "apps", multiple=True, help="Only this app; several times for several.")


@click.group()
def statuspage() -> None:
    """What visitors are told: a public page with the last 90 days and incidents."""


@statuspage.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--address", default="", help="Where it will be found: the feed links there.")
@_TITLE
@_APPS
@click.option("--json", "is_json", is_flag=True, help="The files as one JSON object.")
def export(folder: Path, address: str, title: str, apps: tuple[str, ...], is_json: bool) -> None:
    """Write the page into FOLDER as plain files, for any server."""
    ask = ExportAsk(folder=str(folder.absolute()), title=title, address=address, apps=apps)
    done = connect().post("/v1/statuspage/export", Exported, ask)
    if is_json:
        print_json(done)
    else:
        Terminal().line(f"{done.folder}: {', '.join(done.files)}")


@statuspage.command()
@click.argument("host")
@_TITLE
@_APPS
@click.option(
    "--tls", type=click.Choice(["auto", "internal", "off"]), default="auto", help="How its certificate is made."
)
@click.option("--private-subscribers", is_flag=True, help="Webhooks of subscribers may be in private networks.")
def publish(host: str, title: str, apps: tuple[str, ...], tls: str, private_subscribers: bool) -> None:
    """Let the proxy serve the page under HOST. It stays up when apps are down, and when the agent is."""
    kind = {"internal": "internal", "off": "off"}.get(tls, "auto")
    ask = StatusPageAsk(
        by=getpass.getuser(),
        host=host.lower(),
        title=title,
        apps=apps,
        tls=kind,  # type: ignore[arg-type]  # click lets nothing else pass
        may_be_private=private_subscribers,
    )
    view = connect().post("/v1/statuspage", StatusPageView, ask)
    Terminal().line(f"The status page is at {view.address}. Let this name lead to this machine.")


@statuspage.command()
@click.option("--json", "is_json", is_flag=True, help="The same as JSON.")
def show(is_json: bool) -> None:
    """Say where the page is published, and how many webhooks are told of incidents."""
    view = connect().get("/v1/statuspage", StatusPageView)
    if is_json:
        print_json(view)
        return
    apps = ", ".join(view.apps) or "all apps"
    there = f"{view.address}: {apps}; {view.subscribers:,} webhooks are told of incidents."
    Terminal().line(there if view.host else "There is no public status page.")


@statuspage.command()
def unpublish() -> None:
    """Take the page away."""
    connect().post("/v1/statuspage", StatusPageView, StatusPageAsk(by=getpass.getuser()))
    Terminal().line("There is no public status page any more.")


@statuspage.command()
@click.argument("app")
@click.option("--json", "is_json", is_flag=True, help="The same as JSON.")
def incidents(app: str, is_json: bool) -> None:
    """List an app's incidents, newest first."""
    found = connect().get(of_app(app, "/incidents"), list[Incident])
    if is_json:
        print_json(found)
        return
    terminal = Terminal()
    for it in found:
        until = clock(it.ended_at) if it.ended_at else "goes on"
        terminal.line(f"{it.id}  {it.impact.value}  {it.stage.value}  {clock(it.opened_at)} – {until}  {it.title}")
    if not found:
        terminal.line(f"{app} had no incident.")


@statuspage.command(name="open")
@click.argument("app")
@click.argument("title")
@click.option("--impact", type=_IMPACTS, default=Impact.DEGRADED.value, help="What visitors notice.")
@click.option("--text", default="", help="What else they should know.")
@click.option("--json", "is_json", is_flag=True, help="The incident as JSON.")
def open_one(app: str, title: str, impact: str, text: str, is_json: bool) -> None:
    """Open an incident of APP. Visitors read TITLE."""
    ask = IncidentAsk(by=getpass.getuser(), title=title, impact=Impact(impact), text=text)
    _told(connect().post(of_app(app, "/incidents"), Incident, ask), is_json)


@statuspage.command()
@click.argument("app")
@click.argument("incident")
@click.option("--stage", type=_STAGES, required=True, help="How far it is.")
@click.option("--text", default="", help="What visitors should know.")
@click.option("--json", "is_json", is_flag=True, help="The incident as JSON.")
def update(app: str, incident: str, stage: str, text: str, is_json: bool) -> None:
    """Tell more of an incident. The stage resolved ends it."""
    ask = IncidentAsk(by=getpass.getuser(), incident=incident, stage=IncidentStage(stage), text=text)
    _told(connect().post(of_app(app, "/incidents"), Incident, ask), is_json)


def _told(incident: Incident, is_json: bool) -> None:
    if is_json:
        print_json(incident)
    else:
        Terminal().line(f"{incident.app} {incident.id}: {incident.stage.value}. {incident.title}")
