"""A problem a person can act on, and the exceptions that carry problems between rooms."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, told so that the reader can mend it.

    `code` is stable and documented (`manifest.unknown-key`), `where` locates it (`underway.toml:12
    web.health.path`, a path, a command), `why` gives the reason with its evidence, `remedy` says what to
    do, and `command` is something to run (may be empty).
    """

    code: str
    where: str
    why: str
    remedy: str
    command: str = ""


class Refusal(Exception):
    """What was asked cannot be done and nothing was changed. Carries all problems at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{p.code}: {p.where}: {p.why}" for p in self.problems))


class Failure(Exception):
    """Something that was begun did not succeed. `log_tail` holds the last lines that explain it."""

    def __init__(self, problem: Problem, log_tail: Sequence[str] = ()) -> None:
        self.problem = problem
        self.log_tail = tuple(log_tail)
        super().__init__(f"{problem.code}: {problem.where}: {problem.why}")
