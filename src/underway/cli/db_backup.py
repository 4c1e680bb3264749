from __future__ import annotations

from typing import IO

import click
import msgspec

from underway.agent.views import BackupsView, WorkAsk, WorkKind
from underway.cli.client import connect, of_app
from underway.cli.render.backups import show_made, show_proof, show_read, show_snapshots
from underway.cli.render.terminal import Terminal, print_json
from underway.cli.work import do_work
from underway.terms.backup import Backup, Proof

_IDENTITY = click.option(
    "--identity", type=click.File(), help="A file with the age key that opens encrypted backups; it is not kept."
)
_JSON = click.option("--json", "is_json", is_flag=True, help="The same as JSON.")


@click.command()
@click.argument("app")
@_JSON
def backup(app: str, is_json: bool) -> None:
    """Back up the data of APP now: its PostgreSQL database and its shared files. The app goes on working."""
    done = do_work(app, WorkAsk(kind=WorkKind.BACKUP), progress_terminal(is_json))
    made = msgspec.json.decode(done.result, type=Backup)
    print_json(made) if is_json else show_made(made, Terminal())


@click.command()
@click.argument("app")
@click.argument("name", default="")
@click.option("--remove", is_flag=True, help="Remove the snapshots of this name, here and where copies of them are.")
@_JSON
def snapshot(app: str, name: str, remove: bool, is_json: bool) -> None:
    """Keep the data of APP as it is now under NAME, for `db reset`; without NAME list the snapshots. One stays until it
    is removed by hand."""
    if remove:
        ask = WorkAsk(kind=WorkKind.FORGET, name=name)
        gone = msgspec.json.decode(do_work(app, ask, progress_terminal(is_json)).result, type=list[str])
        print_json({"removed": gone}) if is_json else Terminal().line(f"Removed snapshot {name} ({', '.join(gone)}).")
        return
    if not name:
        view = connect().get(of_app(app, "/backups"), BackupsView)
        named = [it for it in view.backups if it.name]
        print_json(named) if is_json else show_snapshots(app, named, Terminal())
        return
    done = do_work(app, WorkAsk(kind=WorkKind.SNAPSHOT, name=name), progress_terminal(is_json))
    made = msgspec.json.decode(done.result, type=Backup)
    print_json(made) if is_json else show_made(made, Terminal())


@click.command()
@click.argument("app")
@click.argument("backup", default="")
@_IDENTITY
@_JSON
def drill(app: str, backup: str, identity: IO[str] | None, is_json: bool) -> None:
    """Prove the newest backup of APP, or BACKUP: restore it into a scratch server, compare schema and rows, and ask
    the app's smoke requests on it. What is live is not touched."""
    ask = WorkAsk(kind=WorkKind.DRILL, backup=backup, identity=_read(identity))
    proof = msgspec.json.decode(do_work(app, ask, progress_terminal(is_json)).result, type=Proof)
    print_json(proof) if is_json else show_proof(proof, Terminal())


@click.command()
@click.argument("app")
@click.argument("backup", default="")
@_IDENTITY
@_JSON
def verify(app: str, backup: str, identity: IO[str] | None, is_json: bool) -> None:
    """Read every backup of APP, or BACKUP, to its last byte, and compare it with its manifest. It needs no server and
    proves less than a drill."""
    ask = WorkAsk(kind=WorkKind.VERIFY, backup=backup, identity=_read(identity))
    read = msgspec.json.decode(do_work(app, ask, progress_terminal(is_json)).result, type=list[str])
    print_json({"read": read}) if is_json else show_read(read, Terminal())


@click.command()
@click.argument("app")
@click.argument("backup", default="")
@click.option("--from", "remote", default="", metavar="REMOTE", help="Where from; by default the manifest's remotes.")
@_JSON
def fetch(app: str, backup: str, remote: str, is_json: bool) -> None:
    """Fetch the newest backup of APP, or BACKUP, from where copies of it are kept."""
    ask = WorkAsk(kind=WorkKind.FETCH, backup=backup, remote=remote)
    read = msgspec.json.decode(do_work(app, ask, progress_terminal(is_json)).result, type=list[str])
    print_json({"fetched": read}) if is_json else Terminal().line(f"Fetched backup {read[0]}.")


def progress_terminal(is_json: bool) -> Terminal:
    """Where progress is drawn: nowhere beside JSON."""
    terminal = Terminal()
    terminal.is_live = terminal.is_live and not is_json
    return terminal


def _read(identity: IO[str] | None) -> str:
    """The key in an identity file: the line that is no comment."""
    if identity is None:
        return ""
    lines = [line.strip() for line in identity.read().splitlines()]
    return next((line for line in lines if line and not line.startswith("#")), "")
