"""Rollouts in several processes at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context, parent_process
from multiprocessing.pool import Pool
from threading import Thread

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
            alone: list[Ending] = []
            for part in _parts(seed, runs):
                alone += run_some(cell, policy, part)
                ran(len(part))
            yield cell, summed_up(alone)
        return
    tasks = [(cell, policy, part) for cell, runs in wanted for part in _parts(seed, runs)]
    missing = {cell: len(_parts(seed, runs)) for cell, runs in wanted}
    found: dict[Cell, dict[int, list[Ending]]] = {cell: {} for cell, _ in wanted}
    with _workers(jobs) as pool:
        for cell, start, endings in pool.imap_unordered(_run_part, tasks):
            found[cell][start] = endings
            ran(len(endings))
            missing[cell] -= 1
            if not missing[cell]:
                parts = found.pop(cell)
                yield cell, summed_up([ending for start in sorted(parts) for ending in parts[start]])


def _workers(jobs: int, recording: Recording | None = None) -> Pool:
    """Processes that end when they are no longer wanted. Ctrl-C is for the one that asked, which ends them; when that
    one is killed, they end with it."""
    return get_context().Pool(jobs, initializer=_begin, initargs=(recording,))


def _begin(recording: Recording | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    if recording is not None:
        _hold(recording)


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # in the middle of a part, which may take minutes and which nobody waits for any more


def _run_part(task: tuple[Cell, Policy, range]) -> tuple[Cell, int, list[Ending]]:
    cell, policy, part = task
    return cell, part.start, run_some(cell, policy, part)


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
        with _workers(jobs, recording) as pool:
            for ending in pool.imap(_one_recorded, asked, chunksize=4):
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
