"""What became of each name, for places that take them one by one or all at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from underway.ports.places import Told
from underway.terms.problem import Failure, Problem

_HOPELESS = frozenset({"place.token", "place.limit"})


async def one_by_one(names: Iterable[str], act: Callable[[str], Awaitable[None]]) -> list[Told]:
    """Act on each name. After a fault of the token or the limit the rest is not tried: it would fail as well."""
    told: list[Told] = []
    stopped: Problem | None = None
    failures = 0
    for name in names:
        if stopped is not None:
            told.append(Told(name, _untried(stopped)))
            continue
        try:
            await act(name)
            told.append(Told(name))
            failures = 0
        except Failure as failure:
            told.append(Told(name, failure.problem))
            failures += 1
            if failure.problem.code in _HOPELESS or (failure.problem.code == "place.unreachable" and failures >= 2):
                stopped = failure.problem
    return told


async def all_at_once(names: Sequence[str], act: Callable[[], Awaitable[None]]) -> list[Told]:
    """One request for all of them: done, or none."""
    if not names:
        return []
    try:
        await act()
    except Failure as failure:
        return [Told(name, failure.problem) for name in names]
    return [Told(name) for name in names]


def _untried(because: Problem) -> Problem:
    return Problem(
        code="place.untried",
        where=because.where,
        why=f"not tried after: {because.why}",
        remedy=because.remedy,
        command=because.command,
    )
