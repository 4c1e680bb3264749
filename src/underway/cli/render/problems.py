"""Problems as a person reads them, and the exit code they mean."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from underway.cli.render.terminal import Terminal, clean
from underway.terms.outcome import EXIT_FAULT, Outcome
from underway.terms.problem import Failure, Problem, Refusal


def show_problems(problems: Sequence[Problem], terminal: Terminal, log_tail: Sequence[str] = ()) -> None:
    """Each problem with its place, reason, remedy and command; then the log lines that explain it."""
    for problem in problems:
        terminal.line(f"{terminal.mark('failed')} {terminal.paint(clean(problem.where), 'bold')}")
        terminal.line(f"  {clean(problem.why)}")
        terminal.line(f"  {terminal.mark('arrow')} {clean(problem.remedy)}")
        if problem.command:
            terminal.line(f"      {terminal.paint(clean(problem.command), 'blue')}")
        terminal.line(terminal.paint(f"  [{problem.code}]", "dim"))
    show_log(log_tail, terminal)


def show_log(lines: Sequence[str], terminal: Terminal) -> None:
    if lines:
        terminal.line(terminal.paint("  last lines of its log:", "dim"))
        for line in lines:
            terminal.line(terminal.paint("  | ", "dim") + clean(line))


def exit_with(error: Exception) -> int:
    """Tell of an error on stderr and return the exit code."""
    from underway.cli.client import AgentGone

    terminal = Terminal(sys.stderr)
    if isinstance(error, Refusal):
        show_problems(error.problems, terminal)
        return Outcome.REFUSED.exit_code
    if isinstance(error, Failure):
        show_problems([error.problem], terminal, error.log_tail)
        return EXIT_FAULT
    if isinstance(error, AgentGone):
        why = "the agent ended while it was asked; what runs goes on running"
        remedy, command = "ask again: the next command starts it, and it goes on with what was begun", "underway status"
        problem = Problem(code="agent.gone", where="the agent", why=why, remedy=remedy, command=command)
        show_problems([problem], terminal)
        return EXIT_FAULT
    show_problems(
        [
            Problem(
                code="underway.fault",
                where="underway",
                why=f"Underway itself failed: {type(error).__name__}: {error}",
                remedy="what runs goes on running; run it again with --debug and report the traceback",
            )
        ],
        terminal,
    )
    return EXIT_FAULT
