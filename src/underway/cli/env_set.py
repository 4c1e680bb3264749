"""Change an environment: set, unset, generate, rotate, share."""

from __future__ import annotations

import getpass
import sys
import time
from pathlib import Path
from typing import Literal

import click

from underway.agent.env_views import EnvChangeAsk, EnvChanged, Recipient
from underway.cli.client import connect
from underway.cli.env import common_options
from underway.cli.render.terminal import Terminal, clean, print_json
from underway.terms.environment import PRODUCTION

How = Literal["set", "unset", "generate", "rotate", "retire", "share"]


@click.command("set")
@click.argument("names", nargs=-1, metavar="NAME[=VALUE]...")
@click.option("--file", type=click.Path(exists=True, dir_okay=False), help="Set what this .env file says.")
@click.option("--from-file", type=click.Path(exists=True, dir_okay=False), help="The value of NAME is this file.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), help="The day the value ends (UTC).")
@click.option("--force", is_flag=True, help="Set also what the check would refuse.")
@common_options
@click.option("--json", "is_json", is_flag=True, help="One JSON object.")
def set_(
    names: tuple[str, ...],
    file: str | None,
    from_file: str | None,
    expires: object,
    force: bool,
    path: str,
    app: str,
    environment: str,
    is_json: bool,
) -> None:
    """Keep values of an environment, encrypted. They have their effect with the next deploy.

    NAME alone asks for the value without showing it, or takes it from stdin; so it is in no shell's history and in no
    list of processes. NAME=VALUE is in both. `--env base` sets it for every environment.
    """
    put = _from_env_file(file) if file else {}
    plain = [each for each in names if "=" not in each]
    if from_file and len(plain) != 1:
        raise click.UsageError("--from-file wants one NAME.")
    if from_file:
        put[plain[0]] = Path(from_file).read_text(encoding="utf-8")
        plain = []
    for each in names:
        name, sign, value = each.partition("=")
        if sign:
            put[name] = value
    if any("=" in each for each in names):
        Terminal(sys.stderr).line(
            "The value is in your shell's history, and was in the list of processes: NAME alone asks for it."
        )
    put |= {name: ask_value(name, of=len(plain)) for name in plain}
    if not put:
        raise click.UsageError("Nothing to set: give NAME, NAME=VALUE or --file.")
    expires_at = _midnight(expires)
    change("set", path, app, environment, is_json, put=put, expires_at=expires_at, is_forced=force)


def ask_value(name: str, *, of: int = 1) -> str:
    """The value from a hidden prompt, or from stdin where that is no terminal (a last line break is no part of it)."""
    if sys.stdin.isatty():
        value: str = click.prompt(f"Value of {name}", hide_input=True, err=True)
        return value
    if of > 1:
        raise click.UsageError("Stdin holds the value of one NAME; set several with --file.")
    text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    if not text:
        raise click.UsageError(f"Stdin is empty: put the value of {name} there. {name}= sets it to nothing.")
    return text.removesuffix("\n").removesuffix("\r")


def _midnight(day: object) -> float:
    return time.mktime((*day.timetuple()[:6], 0, 0, 0)) - time.timezone if hasattr(day, "timetuple") else 0.0


def _from_env_file(file: str) -> dict[str, str]:
    from underway.environment.dotenv import read

    text = Path(file).read_bytes().decode("utf-8", "surrogateescape")
    return {name: value for name, value in read(text).items() if value}


def change(
    how: How,
    path: str,
    app: str,
    environment: str,
    is_json: bool | None,
    *,
    put: dict[str, str] | None = None,
    names: tuple[str, ...] = (),
    expires_at: float = 0.0,
    is_forced: bool = False,
) -> None:
    """Have the agent change the environment and tell what was done: as text, as JSON, or (None) not at all."""
    ask = EnvChangeAsk(
        path=str(Path(path).expanduser().absolute()),
        by=getpass.getuser(),
        how=how,
        app=app,
        environment=environment,
        put=put or {},
        names=names,
        expires_at=expires_at,
        is_forced=is_forced,
    )
    done = connect().post("/v1/env/changes", EnvChanged, ask)
    if is_json is None:
        return
    if is_json:
        print_json(done)
        return
    terminal = Terminal()
    where = f"{done.environment}, {done.where}"
    for name in done.put:
        terminal.line(f"{terminal.mark('done')} {clean(name)}  {terminal.paint(where, 'dim')}")
    for name in done.removed:
        words = "the old value is retired" if how == "retire" else "removed"
        terminal.line(f"{terminal.mark('done')} {clean(name)} {words}  {terminal.paint(where, 'dim')}")
    if not done.put and not done.removed:
        terminal.line("Nothing to change.")
    elif done.is_staged and how != "share":
        terminal.line(f"It is staged: the next deploy makes it live.{_deploy(environment)}")
    if done.hint:
        terminal.line(f"{done.hint}.")


def _deploy(environment: str) -> str:
    return "" if environment in ("", PRODUCTION, "base") else f"  underway deploy --env {environment}"


@click.command()
@click.argument("names", nargs=-1, required=True)
@common_options
@click.option("--json", "is_json", is_flag=True, help="One JSON object.")
def unset(names: tuple[str, ...], path: str, app: str, environment: str, is_json: bool) -> None:
    """Remove values that were set. What a lower layer says counts again."""
    change("unset", path, app, environment, is_json, names=names)


@click.command()
@click.argument("names", nargs=-1)
@common_options
@click.option("--json", "is_json", is_flag=True, help="One JSON object.")
def generate(names: tuple[str, ...], path: str, app: str, environment: str, is_json: bool) -> None:
    """Make the secrets that the manifest generates and that have no value yet. A deploy does so by itself."""
    change("generate", path, app, environment, is_json, names=names)


@click.command()
@click.argument("name")
@click.option("--retire", is_flag=True, help="Stop accepting the old value.")
@common_options
@click.option("--json", "is_json", is_flag=True, help="One JSON object.")
def rotate(name: str, retire: bool, path: str, app: str, environment: str, is_json: bool) -> None:
    """Give the secret NAME a new value: one that is made where the manifest says how, else the one you give.

    Where the manifest names a `previous` variable the app accepts both values from the next deploy on, until
    `--retire` and one more deploy.
    """
    if retire:
        change("retire", path, app, environment, is_json, names=(name,))
        return
    from underway.cli.env_show import looked

    view = looked(path, app, environment)
    mine = next((each for each in view.variables if each.name == name), None)
    is_made = mine is not None and mine.from_.startswith("generated")
    put = {} if is_made else {name: ask_value(name)}
    change("rotate", path, app, environment, is_json, names=(name,), put=put)


@click.command()
@common_options
@click.option("--json", "is_json", is_flag=True, help="One JSON object.")
def share(path: str, app: str, environment: str, is_json: bool) -> None:
    """Move the values of an environment into env/NAME.age, which may be committed.

    This home can open it, and whoever stands in env/recipients.txt: one public key a line, age1… (of another home:
    `underway env recipient`) or an ssh key. After a change of that file, share again.
    """
    change("share", path, app, environment, is_json)


@click.command()
def recipient() -> None:
    """Print this home's public key, for env/recipients.txt of a repository."""
    sys.stdout.write(connect().get("/v1/env/recipient", Recipient).recipient + "\n")
