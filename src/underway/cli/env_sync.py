"""`env push`, `env pull` and `env sync`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from underway.cli.env import common_options
from underway.environment.drift import Way
from underway.terms.environment import Holder
from underway.terms.outcome import Outcome

_NOT_OURS = frozenset({Holder.SERVICE.value, Holder.PROCESS.value, Holder.UNDERWAY.value})
"""Addresses on this machine and what each process is given: nothing that belongs elsewhere."""


def _options(command: Any) -> Any:
    for option in (
        click.option("--json", "is_json", is_flag=True, help="One JSON object."),
        click.option("--yes", "-y", "is_sure", is_flag=True, help="Ask nothing."),
        click.option("--prune", is_flag=True, help="Remove what the other side does not have."),
        click.option("--dry-run", is_flag=True, help="Show what differs and what would be done; change nothing."),
        click.option("--with", "target", required=True, metavar="PLACE", help="For example render:srv-123."),
    ):
        command = option(command)
    return common_options(command)


def _command(way: Way, says: str) -> click.Command:
    @click.command(way.value, help=says)
    @_options
    def command(
        target: str, dry_run: bool, prune: bool, is_sure: bool, is_json: bool, path: str, app: str, environment: str
    ) -> None:
        sys.exit(_run(way, target, dry_run, prune, is_sure, is_json, path, app, environment))

    return command


_COMMON = """Places: render:SERVICE, vercel:PROJECT/TARGET[/TEAM], railway:PROJECT/ENVIRONMENT[/SERVICE], fly:APP,
doppler:PROJECT/CONFIG, supabase:REF, secret-manager:PROJECT[/PREFIX], cloud-run:PROJECT/REGION/SERVICE[/CONTAINER],
github:OWNER/REPO[/ENVIRONMENT], kubernetes:NAMESPACE/SECRET, file:PATH.

Tokens are taken from the environment or the vault, never from the command line. What differs is shown first; nothing
is removed without --prune. Exit code 0: done, or nothing to do. 3: not everything can be decided or sent. 4: the place
took some of it only; run it again."""
push = _command(Way.PUSH, f"Make PLACE have what the environment here has.\n\n{_COMMON}")
pull = _command(Way.PULL, f"Make the environment here have what PLACE has.\n\n{_COMMON}")
sync = _command(Way.SYNC, f"Take each value from the side that changed since the last time.\n\n{_COMMON}")


def _run(
    way: Way,
    target: str,
    is_dry: bool,
    is_pruning: bool,
    is_sure: bool,
    is_json: bool,
    path: str,
    app: str,
    environment: str,
) -> int:
    from underway.agent.env_views import EnvLookAsk, EnvView
    from underway.cli.client import connect
    from underway.cli.env_set import change
    from underway.cli.env_show import fetch
    from underway.flows.sync_env import SyncAsk
    from underway.terms.place import read_address
    from underway.terms.secret import Secret

    address = read_address(target)
    root = Path(path).expanduser().absolute()
    view = connect().post("/v1/env/look", EnvView, EnvLookAsk(path=str(root), app=app, environment=environment))
    ours = [each for each in view.variables if each.is_set and _holder(each.from_) not in _NOT_OURS]
    values = {each.name: each.value for each in ours if each.value}  # the agent shows what is no secret
    if hidden := tuple(each.name for each in ours if not each.value):
        values |= fetch(path, app, environment, "web", hidden, f"{way.value} {address.text}")
    here = {name: Secret(value) for name, value in values.items()}

    def keep_here(put: Mapping[str, Secret], gone: Sequence[str]) -> None:
        if put:
            shown = {name: value.reveal() for name, value in put.items()}
            change("set", path, app, environment, None, put=shown, is_forced=True)
        if gone:
            change("unset", path, app, environment, None, names=tuple(gone))

    ask = SyncAsk(way, view.app, view.environment, address, is_pruning)
    return asyncio.run(_carry_through(ask, here, keep_here, root, is_dry=is_dry, is_sure=is_sure, is_json=is_json))


def _holder(origin: str) -> str:
    """`production (vault)` → `vault`."""
    return origin.rpartition("(")[2].rstrip(")")


async def _carry_through(
    ask: Any,
    here: Mapping[str, Any],
    keep_here: Callable[[Mapping[str, Any], Sequence[str]], None],
    root: Path,
    *,
    is_dry: bool,
    is_sure: bool,
    is_json: bool,
) -> int:
    from underway.cli.render.sync import show_compared, show_synced, sync_view
    from underway.cli.render.terminal import Terminal, print_json
    from underway.flows.sync_env import carry_over, compare
    from underway.wiring.home import find_home
    from underway.wiring.sync import place_and_memory

    terminal = Terminal()
    async with place_and_memory(ask.address, find_home(os.environ), os.environ, here, root) as (place, memory):
        seen = await compare(ask, here, place, memory)
        if not is_json:
            show_compared(ask, seen, terminal)
        done = None
        if not is_dry and not seen.move.is_nothing:
            removes = bool(seen.move.unset_there or seen.move.unset_here)
            if removes and not is_sure and not is_json and sys.stdin.isatty():
                if not click.confirm("Remove these as well?", default=False):
                    return Outcome.REFUSED.exit_code
            elif removes and not is_sure:
                raise click.UsageError("--prune removes values: say --yes where nobody can be asked.")
            done = await carry_over(ask, seen, place, memory, keep_here)
        elif not is_dry:
            done = await carry_over(ask, seen, place, memory, keep_here)  # remembers that both sides are equal
        if is_json:
            print_json(sync_view(ask, seen, done))
        elif done is not None:
            show_synced(ask, done, terminal)
    if done is not None and done.failed:
        return Outcome.FAILED.exit_code
    undecided = seen.move.conflicts or seen.move.unreadable or _unfit(seen)
    return Outcome.REFUSED.exit_code if undecided and not is_dry else 0


def _unfit(seen: Any) -> bool:
    return any(each.kind.value == "unfit" for each in seen.differences)


__all__ = ["pull", "push", "sync"]
