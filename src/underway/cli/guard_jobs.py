"""Rollouts in several processes at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

from underway.guard.policy import Policy
from underway.guard.simulate.helm import Ending
from underway.guard.simulate.study import Cell, Figures, run_some, summed_up

CHUNK = 25
"""Rollouts that one process makes at a time."""


def default_jobs() -> int:
    """All processors but one: somebody else uses this machine too."""
    return max(1, (os.cpu_count() or 2) - 1)


def measure(
    wanted: Sequence[tuple[Cell, int]],
    policy: Policy,
    seed: int,
    jobs: int,
    ran: Callable[[int], None] = lambda _: None,
) -> Iterator[tuple[Cell, Figures]]:
    """Make so many rollouts of each cell, seeded `seed`, `seed` + 1, …; yield a cell when all of it is done.

    The figures do not depend on `jobs`. `ran` is told the number of rollouts as they end.
    """
    if jobs <= 1:
        for cell, runs in wanted:
            endings: list[Ending] = []
            for part in _parts(seed, runs):
                endings += run_some(cell, policy, part)
                ran(len(part))
            yield cell, summed_up(endings)
        return
    with ProcessPoolExecutor(jobs) as pool:
        try:
            yield from _in_pool(pool, wanted, policy, seed, ran)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _in_pool(
    pool: ProcessPoolExecutor,
    wanted: Sequence[tuple[Cell, int]],
    policy: Policy,
    seed: int,
    ran: Callable[[int], None],
) -> Iterator[tuple[Cell, Figures]]:
    at: dict[Future[list[Ending]], tuple[Cell, int]] = {}
    open_parts: dict[Cell, dict[int, list[Ending]]] = {}
    missing: dict[Cell, int] = {}
    for cell, runs in wanted:
        parts = _parts(seed, runs)
        missing[cell], open_parts[cell] = len(parts), {}
        for part in parts:
            at[pool.submit(run_some, cell, policy, part)] = (cell, part.start)
    for future in as_completed(at):
        cell, start = at[future]
        open_parts[cell][start] = future.result()
        ran(len(open_parts[cell][start]))
        missing[cell] -= 1
        if not missing[cell]:
            found = open_parts.pop(cell)
            yield cell, summed_up([ending for start in sorted(found) for ending in found[start]])


def _parts(seed: int, runs: int) -> list[range]:
    return [range(at, min(at + CHUNK, seed + runs)) for at in range(seed, seed + runs, CHUNK)]
