"""Problems as a person reads them, and the exit code they mean."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec

from underway.cli.render.terminal import Terminal, clean, print_json
from underway.terms.outcome import EXIT_FAULT, Outcome
from underway.terms.problem import Failure, Problem, Refusal


def show_problems(problems: Sequence[Problem], terminal: Terminal, log_tail: Sequence[str] = ()) -> None:
    """Each problem with its place, reason, remedy and command; then the log lines that explain it."""
    for problem in problems:
        terminal.line(f"{terminal.mark('failed')} {terminal.paint(clean(problem.where), 'bold')}")
        terminal.paragraph(clean(problem.why))
        terminal.paragraph(clean(problem.remedy), f"  {terminal.mark('arrow')} ")
        if problem.command:
            terminal.command(problem.command)
        terminal.line(terminal.paint(f"  [{problem.code}]", "dim"))
    show_log(log_tail, terminal)


def show_log(lines: Sequence[str], terminal: Terminal) -> None:
    if lines:
        terminal.line(terminal.paint("  last lines of its log:", "dim"))
        for line in lines:
            terminal.line(terminal.paint("  | ", "dim") + clean(line))


def exit_with(error: Exception, *, is_json: bool = False) -> int:
    """Tell of an error, on stderr or as one JSON object on stdout, and return the exit code."""
    if is_json:
        print_json({"problems": problems_of(error)})
        return exit_code_of(error)
    log_tail = error.log_tail if isinstance(error, Failure) else ()
    show_problems(_problems(error), Terminal(sys.stderr), log_tail)
    return exit_code_of(error)


def exit_code_of(error: Exception) -> int:
    from underway.cli.work import WorkFailed

    if isinstance(error, WorkFailed):
        return Outcome.FAILED.exit_code
    return Outcome.REFUSED.exit_code if isinstance(error, Refusal) else EXIT_FAULT


def problems_of(error: Exception) -> list[dict[str, str]]:
    """The problems of any error, for JSON."""
    found: list[dict[str, str]] = msgspec.to_builtins(_problems(error))
    return found


def _problems(error: Exception) -> list[Problem]:
    from underway.cli.client import AgentGone

    if isinstance(error, Refusal):
        return list(error.problems)
    if isinstance(error, Failure):
        return [error.problem]
    if isinstance(error, AgentGone):
        return [
            Problem(
                code="agent.gone",
                where="the agent",
                why="the agent ended while it was asked; what runs goes on running",
                remedy="ask again: the next command starts it, and it goes on with what was begun",
                command="underway status",
            )
        ]
    return [
        Problem(
            code="underway.fault",
            where="underway",
            why=f"Underway itself failed: {type(error).__name__}: {error}",
            remedy="what runs goes on running; run it again with --debug and report the traceback",
        )
    ]
