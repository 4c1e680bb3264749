from __future__ import annotations

import getpass
import sys

import click

from underway.access.rights import Role, Scope
from underway.agent.access_views import AccessView, AccountAsk, AccountChanged, TokenAsk, TokenMade
from underway.cli.client import connect
from underway.cli.render.terminal import Terminal, print_json
from underway.cli.render.words import ago, clock
from underway.terms.outcome import EXIT_USAGE

_ROLES = click.Choice([role.value for role in Role])


@click.group()
def access() -> None:
    """Who may use the dashboard and its API: accounts and tokens."""


@access.command()
@click.option("--json", "is_json", is_flag=True, help="The same as JSON.")
def show(is_json: bool) -> None:
    """List accounts and tokens."""
    view = connect().get("/v1/access", AccessView)
    if is_json:
        print_json(view)
        return
    terminal = Terminal()
    where = f"under https://{view.host}" if view.host else "on this machine alone"
    terminal.line(f"The dashboard answers {where}; {view.sessions} logged in.")
    for account in view.accounts:
        closed = ", closed" if account.is_closed else ""
        terminal.line(f"account {account.name}: {account.role.value}{closed}, made {ago(account.made_at)}")
    for token in view.tokens:
        scopes = ", ".join(scope.value for scope in token.scopes)
        terminal.line(f"token {token.id} {token.name}: {scopes}, until {clock(token.ends_at)}, made by {token.made_by}")


@access.command()
@click.argument("name")
@click.option("--role", type=_ROLES, required=True, help="What they may do.")
@click.option("--json", "is_json", is_flag=True, help="The authenticator's address as JSON.")
def add(name: str, role: str, is_json: bool) -> None:
    """Make an account. The password is asked, or read from standard input; the second factor is shown once."""
    ask = AccountAsk(how="add", name=name, role=Role(role), password=_password(), by=getpass.getuser())
    _changed(connect().post("/v1/access/accounts", AccountChanged, ask), is_json)


@access.command()
@click.argument("name")
@click.option("--role", type=_ROLES, required=True, help="What they may do from now on.")
def role(name: str, role: str) -> None:
    """Change what NAME may do."""
    ask = AccountAsk(how="role", name=name, role=Role(role), by=getpass.getuser())
    _changed(connect().post("/v1/access/accounts", AccountChanged, ask), False)


@access.command()
@click.argument("name")
def password(name: str) -> None:
    """Give NAME a new password. It is asked, or read from standard input."""
    ask = AccountAsk(how="password", name=name, password=_password(), by=getpass.getuser())
    _changed(connect().post("/v1/access/accounts", AccountChanged, ask), False)


@access.command(name="second-factor")
@click.argument("name")
@click.option("--json", "is_json", is_flag=True, help="The authenticator's address as JSON.")
def second_factor(name: str, is_json: bool) -> None:
    """Give NAME a new second factor: the phone is lost. The old one ends."""
    ask = AccountAsk(how="second-factor", name=name, by=getpass.getuser())
    _changed(connect().post("/v1/access/accounts", AccountChanged, ask), is_json)


@access.command()
@click.argument("name")
def close(name: str) -> None:
    """End an account and its sessions."""
    _changed(
        connect().post("/v1/access/accounts", AccountChanged, AccountAsk(how="close", name=name, by=getpass.getuser())),
        False,
    )


@access.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it may do; several times for several.",
)
@click.option("--days", default=90, type=click.IntRange(1, 366), help="How long it is good.")
@click.option("--json", "is_json", is_flag=True, help="The token as JSON.")
def token(name: str, scopes: tuple[str, ...], days: int, is_json: bool) -> None:
    """Make an API token. It is shown once."""
    wanted = tuple(Scope(scope) for scope in scopes)
    ask = TokenAsk(name=name, scopes=wanted, life_s=days * 86_400.0, by=getpass.getuser())
    made = connect().post("/v1/access/tokens", TokenMade, ask)
    if is_json:
        print_json(made)
    else:
        Terminal().line(made.token)


@access.command()
@click.argument("token_id")
def revoke(token_id: str) -> None:
    """End a token."""
    connect().post("/v1/access/tokens", TokenMade, TokenAsk(revoke=token_id, by=getpass.getuser()))
    Terminal().line(f"The token {token_id} has ended.")


def _changed(view: AccountChanged, is_json: bool) -> None:
    if is_json:
        print_json(view)
        return
    terminal = Terminal()
    terminal.line(f"{view.name}: done.")
    if not view.authenticator:
        return
    if terminal.is_live and terminal.has_unicode:
        import segno

        segno.make(view.authenticator).terminal(terminal.stream, compact=True)
    terminal.line("Add this to an authenticator app now; it is not shown again:")
    terminal.line(view.authenticator)


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    found = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != found:
        click.echo("The two are not the same.", err=True)
        sys.exit(EXIT_USAGE)
    return found
