"""What differs between here and a place, and what was done about it. No value is shown."""

from __future__ import annotations

from typing import Any

import msgspec

from underway.cli.render.problems import show_problems
from underway.cli.render.terminal import Terminal, clean
from underway.environment.drift import Kind, Way
from underway.flows.sync_env import Compared, SyncAsk, Synced

_SIGNS = {
    Kind.ADD: "+ only here  ",
    Kind.CHANGE: "~ differs    ",
    Kind.UNKNOWN: "? unknown    ",
    Kind.EXTRA: "- only there ",
    Kind.THEIRS: "· theirs     ",
    Kind.UNFIT: "✗ unfit      ",
}


def show_compared(ask: SyncAsk, seen: Compared, terminal: Terminal) -> None:
    """The drift, then the plan."""
    same = sum(each.kind is Kind.SAME for each in seen.differences)
    terminal.line(terminal.paint(f"{ask.app} {ask.environment} and {clean(ask.address.says)}", "bold"))
    for each in seen.differences:
        if each.kind is not Kind.SAME:
            why = terminal.paint(f"  {each.because}", "dim") if each.because else ""
            terminal.line(f"  {_SIGNS[each.kind]} {clean(each.name)}{why}")
    terminal.line(terminal.paint(f"  {same} the same", "dim"))
    todo = seen.move
    for says, names in (
        ("to set there", todo.set_there),
        ("to remove there", todo.unset_there),
        ("to set here", todo.set_here),
        ("to remove here", todo.unset_here),
        ("left; --prune removes", todo.left),
        ("changed on both sides, or nobody knows: push or pull decides", todo.conflicts),
        ("not given back by the place", todo.unreadable),
    ):
        if names:
            terminal.line(f"  {says}: {clean(', '.join(names))}")


def show_synced(ask: SyncAsk, done: Synced, terminal: Terminal) -> None:
    """What was done and what was not, name by name."""
    for says, names in (
        ("set there", done.set_there),
        ("removed there", done.unset_there),
        ("set here", done.set_here),
        ("removed here", done.unset_here),
    ):
        if names:
            terminal.line(f"{terminal.mark('done')} {says}: {clean(', '.join(names))}")
    if done.failed:
        names_failed = ", ".join(each.name for each in done.failed)
        terminal.line(f"{terminal.mark('failed')} not done: {clean(names_failed)}")
        told = {(each.problem.code, each.problem.why): each.problem for each in done.failed}
        show_problems([problem for problem in told.values() if problem.code != "place.untried"], terminal)
    if done.set_there or done.unset_there:
        effect = ask.address.traits.effect.value
        terminal.line(terminal.paint(f"  {ask.address.traits.title} uses it {effect}", "dim"))
    elif not (done.set_here or done.unset_here or done.failed) and ask.way in Way:
        terminal.line(f"{terminal.mark('done')} nothing to do")


def sync_view(ask: SyncAsk, seen: Compared, done: Synced | None) -> dict[str, Any]:
    """The same for scripts."""
    return {
        "app": ask.app,
        "environment": ask.environment,
        "place": ask.address.text,
        "way": ask.way.value,
        "differences": [
            {"name": each.name, "kind": each.kind.value, "because": each.because, "moved": each.moved.value}
            for each in seen.differences
        ],
        "plan": msgspec.to_builtins(seen.move),
        "done": msgspec.to_builtins(done) if done is not None else None,
        "effect": ask.address.traits.effect.value,
    }
