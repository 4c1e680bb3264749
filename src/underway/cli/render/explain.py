"""What was recognised in a repository, as a tree: each claim with the place it was read from; and what is missing."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from underway.cli.render.problems import show_problems
from underway.cli.render.terminal import Terminal, clean, folded
from underway.manifest.model import MANIFEST_FILE
from underway.terms.environment import NOT_HERE
from underway.terms.problem import Problem

_ORDER = (
    "stack", "server", "build", "python", "node", "worker", "health", "smoke", "migrate", "database", "redis",
    "service", "env", "host", "shared", "static",
)  # fmt: skip
_MOST = 3
"""Claims of one subject in the short form."""
_LINE = "under [env]: "
"""What stands before the line to add in the remedy of a problem about a variable."""
_KEEP = "underway env set"


class Told(Protocol):
    """A claim of detection's, whether it comes from there or from the agent."""

    @property
    def about(self) -> str: ...
    @property
    def says(self) -> str: ...
    @property
    def evidence(self) -> str: ...


def explain(claims: Sequence[Told], terminal: Terminal, *, is_short: bool = False) -> None:
    """One branch per subject, its claims beside it with their evidence. The short form has a few claims of each."""
    subjects = sorted(
        dict.fromkeys(c.about for c in claims), key=lambda s: _ORDER.index(s) if s in _ORDER else len(_ORDER)
    )
    fork, last, through, none = ("├─ ", "└─ ", "│  ", "   ") if terminal.has_unicode else ("|- ", "`- ", "|  ", "   ")
    column = max((len(s) for s in subjects), default=0) + 2
    for number, about in enumerate(subjects):
        is_last = number == len(subjects) - 1
        lead = (last if is_last else fork) + terminal.paint(about, "bold") + " " * (column - len(about))
        below = (none if is_last else through) + " " * column
        leaves = [c for c in claims if c.about == about]
        shown = leaves[:_MOST] if is_short and len(leaves) > _MOST + 1 else leaves
        for claim in shown:
            for line in _leaf(claim.says, claim.evidence, terminal, len(below)):
                terminal.line(lead + line)
                lead = below
        if len(leaves) > len(shown):
            more = f"and {len(leaves) - len(shown)} more: underway init --explain"
            terminal.line(below + terminal.paint(more, "dim"))


def _leaf(says: str, evidence: str, terminal: Terminal, indent: int) -> list[str]:
    """A claim and its evidence, in lines that fit beside `indent` columns."""
    says, evidence = clean(says), clean(evidence)
    room = terminal.wraps_at - indent
    lines = folded(says, max(room, 20), "")
    if not evidence:
        return lines
    painted = terminal.paint(evidence, "dim")
    if len(lines[-1]) + 2 + len(evidence) <= room:
        return [*lines[:-1], f"{lines[-1]}  {painted}"]
    return [*lines, f"  {painted}"]


def show_missing(problems: Sequence[Problem], terminal: Terminal, path: str) -> None:
    """What only the owner can know: each thing with where it is read, then the very lines and commands to answer it.

    Problems that are not about a variable come after, as everywhere.
    """
    asked = [p for p in problems if p.code == "detect.env-missing" and _LINE in p.remedy]
    if asked:
        count = "one value" if len(asked) == 1 else f"{len(asked)} values"
        terminal.line(f"{terminal.mark('failed')} {terminal.paint(f'Missing: {count} that only you know', 'bold')}")
        usual = [p for p in asked if p.why == NOT_HERE.format(name=_line(p).partition(" = ")[0])]
        if len(usual) > 1:
            terminal.line("  the app does not start without them, and they are not in the repository:")
            for problem in usual:
                for line in _leaf(_line(problem).partition(" = ")[0], problem.where, terminal, 4):
                    terminal.line(f"    {line}")
        for problem in [p for p in asked if p not in usual] if len(usual) > 1 else asked:
            for line in _leaf(problem.why, problem.where, terminal, 2):
                terminal.line(f"  {line}")
        _answers(asked, terminal, path)
    show_problems([p for p in problems if p not in asked], terminal)


def _line(problem: Problem) -> str:
    """The line of the manifest that answers it."""
    return problem.remedy.partition(_LINE)[2]


def _answers(asked: Sequence[Problem], terminal: Terminal, path: str) -> None:
    """The one command and the lines that answer all of it: each alone is enough. Both can be pasted as they are."""
    is_here = Path(path).absolute() == Path.cwd()
    lines = [_line(p) for p in asked]
    arrow = terminal.mark("arrow")
    has_secrets = any(p.command.startswith(_KEEP) for p in asked)
    if has_secrets:
        it = "it encrypted, outside the repository (the value is asked for)"
        them = "them encrypted, outside the repository (each value is asked for)"
        terminal.line(f"{arrow} keep {it if len(asked) == 1 else them}:")
        at = "" if is_here else f" --path {shlex.quote(clean(path))}"
        terminal.command(f"{_KEEP} {' '.join(line.partition(' = ')[0] for line in lines)}{at}")
    may_read = "or, where all who have the repository may read it, " if has_secrets else ""
    under, head = (" under the [env] that is there", ()) if _has_env(path) else ("", ("[env]",))
    terminal.line(f"{arrow} {may_read}add to underway.toml{under}:")
    for line in (*head, *lines):
        terminal.command(line)
    for command in dict.fromkeys(p.command for p in asked if p.command and not p.command.startswith("underway ")):
        terminal.line("  such a value is made by:")
        terminal.command(command)
    terminal.line(f"{arrow} or try it first, with made-up values; what needs the real ones fails:")
    at = "" if is_here else f"{shlex.quote(clean(path))} "
    terminal.command(f"underway deploy {at}--allow-missing")
    terminal.line(terminal.paint(f"  [{asked[0].code}]", "dim"))


def _has_env(path: str) -> bool:
    """True where underway.toml has the table already: TOML takes no second one of the same name."""
    try:
        return "env" in tomllib.loads((Path(path) / MANIFEST_FILE).read_text())
    except (OSError, ValueError):
        return False
