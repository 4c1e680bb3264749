"""What was recognised in a repository, as a tree: each claim with the place it was read from."""

from __future__ import annotations

from collections.abc import Sequence

from underway.cli.render.terminal import Terminal, clean
from underway.detect.model import Claim

_ORDER = (
    "stack", "server", "build", "python", "node", "worker", "health", "smoke", "migrate", "database", "redis",
    "service", "env", "host", "shared", "static",
)  # fmt: skip


def explain(claims: Sequence[Claim], terminal: Terminal) -> None:
    """One branch per subject, one leaf per claim, its evidence after it."""
    subjects = sorted(
        dict.fromkeys(c.about for c in claims), key=lambda s: _ORDER.index(s) if s in _ORDER else len(_ORDER)
    )
    fork, last, through, none = ("├─ ", "└─ ", "│  ", "   ") if terminal.has_unicode else ("|- ", "`- ", "|  ", "   ")
    for number, about in enumerate(subjects):
        is_last = number == len(subjects) - 1
        terminal.line(f"{last if is_last else fork}{terminal.paint(about, 'bold')}")
        leaves = [c for c in claims if c.about == about]
        for at, claim in enumerate(leaves):
            lead = (none if is_last else through) + (last if at == len(leaves) - 1 else fork)
            where = f"  {terminal.paint(clean(claim.evidence), 'dim')}" if claim.evidence else ""
            terminal.line(f"{lead}{clean(claim.says)}{where}")
