"""Rollouts in several processes at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

from underway.guard.policy import Policy
from underway.guard.simulate.access_log import Recording
from underway.guard.simulate.helm import Ending
from underway.guard.simulate.recorded import beginnings, roll_out_recorded
from underway.guard.simulate.study import Cell, Figures, fault_named, run_some, summed_up

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


Begun = tuple[float, Ending]
"""When a replayed rollout began (Unix time), and how it ended."""
_held: list[Recording] = []
"""The recording of this process: large, so it is handed over once."""


def measure_recorded(
    recording: Recording,
    policy: Policy,
    faults: Sequence[str],
    rollouts: int,
    seed: int,
    jobs: int,
    ran: Callable[[int], None] = lambda _: None,
) -> dict[str, list[Begun]]:
    """Let releases with each of these faults begin at the same moments of `recording`."""
    moments = list(enumerate(beginnings(recording, rollouts, seed), seed))
    asked = [(policy, fault, at, number) for fault in faults for number, at in moments]
    endings: list[Ending] = []
    if jobs <= 1:
        _hold(recording)
        for ask in asked:
            endings.append(_one_recorded(ask))
            ran(1)
    else:
        with ProcessPoolExecutor(jobs, initializer=_hold, initargs=(recording,)) as pool:
            for ending in pool.map(_one_recorded, asked, chunksize=4):
                endings.append(ending)
                ran(1)
    found: dict[str, list[Begun]] = {fault: [] for fault in faults}
    for (_, fault, at, _), ending in zip(asked, endings, strict=True):
        found[fault].append((at, ending))
    return found


def _hold(recording: Recording) -> None:
    _held[:] = [recording]


def _one_recorded(ask: tuple[Policy, str, float, int]) -> Ending:
    policy, fault, at, seed = ask
    return roll_out_recorded(policy, _held[0], fault_named(fault), at, seed)
