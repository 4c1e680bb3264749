"""How an act ended, and the exit code that says so."""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """The outcome of a deploy or a rollback. Values are stable: scripts and CI depend on them."""

    LIVE = "live"
    REFUSED = "refused"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    UNWELL = "unwell"
    """It is live and was judged bad, and the release before it cannot take over: it does not run on the database."""
    DONE = "done"
    """An act that makes nothing live did what was asked (down, retire)."""

    @property
    def exit_code(self) -> int:
        """0 live · 3 refused, nothing changed · 4 failed before traffic moved · 5 rolled back after it · 6 live and
        unwell."""
        return {
            Outcome.LIVE: 0,
            Outcome.DONE: 0,
            Outcome.REFUSED: 3,
            Outcome.FAILED: 4,
            Outcome.ROLLED_BACK: 5,
            Outcome.UNWELL: 6,
        }[self]


EXIT_FAULT = 1
"""A fault of Underway itself."""
EXIT_INTERRUPTED = 130
"""Ctrl-C (128 + SIGINT): the command stopped watching. What it began goes on in the agent."""
EXIT_PIPE = 141
"""What reads the output went away (128 + SIGPIPE). What was begun goes on in the agent."""
EXIT_USAGE = 2
"""The command line is wrong."""
