"""Many rollouts of one cell (a judge, a world, a fault, a rate of traffic) and what came out of them. Pure, seeded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import msgspec

from underway.guard.policy import Policy
from underway.guard.simulate.helm import Ending
from underway.guard.simulate.leaks import GROWTHS, course
from underway.guard.simulate.peers import PEERS
from underway.guard.simulate.rollout import NO_PROBES, Probing, roll_out
from underway.guard.simulate.worlds import FAULTS, HEALTHY, WORLDS, Fault, World

OURS = "Underway"
JUDGES = (OURS, *PEERS)
RATES = (0.5, 5.0, 50.0, 500.0)
"""Requests a second of the tables."""
THIN_RATES = (0.2, 0.05)
PROBINGS = {
    "none": NO_PROBES,
    "touch it": Probing(per_s=1.0, sees_fault=True),
    "miss it": Probing(per_s=1.0, sees_fault=False),
    "miss it, and may promote": Probing(per_s=1.0, sees_fault=False),
}
"""What probes do: nothing, ask once a second what is broken, or something else."""
MAY_PROMOTE = "miss it, and may promote"
MEMORY = "memory"
"""The world of the cells whose fault is a growth of memory."""


@dataclass(frozen=True)
class Cell:
    """One cell of a table. For the world `MEMORY` the fault is the name of a `leaks.Growth`."""

    judge: str
    world: str
    fault: str
    rps: float
    probes: str = "none"


@dataclass(frozen=True)
class Figures:
    """What came out of `runs` rollouts of one cell: counts, and medians over the rollouts."""

    runs: int
    rolled_back: int
    paused: int
    promoted: int
    seconds: float
    """Median seconds to the roll-back; without one, to the question; without either, to the end."""
    failed: float
    """Median failed requests of users on the candidate, over the rollouts that were rolled back (else over all)."""
    failed_90: float
    """The same, in nine rollouts of ten at most."""
    failed_total: int
    """The same, added up over all rollouts."""
    promoted_at: float | None
    """Median seconds to 100 % of the traffic, over the rollouts that got there."""
    reasons: dict[str, int]


def world_named(name: str) -> World:
    return next(world for world in WORLDS if world.name == name)


def fault_named(name: str) -> Fault:
    return next(fault for fault in (HEALTHY, *FAULTS) if fault.name == name)


def run_one(cell: Cell, policy: Policy, seed: int) -> Ending:
    """One rollout of `cell`. The same cell, policy and seed always end the same way."""
    if cell.world == MEMORY:
        return _grow(cell.fault, seed)
    world, fault = world_named(cell.world), fault_named(cell.fault)
    if cell.judge == OURS:
        if cell.probes == MAY_PROMOTE:
            policy = msgspec.structs.replace(policy, probes_may_promote=True)
        return roll_out(policy, world, fault, cell.rps, seed, PROBINGS[cell.probes])
    return PEERS[cell.judge](world, fault, cell.rps, seed)


def _grow(name: str, seed: int) -> Ending:
    """A course of memory. `failed` is 1 when the limit was reached first, so that the kernel would have ended it."""
    at, reached_at = course(next(growth for growth in GROWTHS if growth.name == name), seed)
    if at is None:
        return Ending("promoted", "an hour", 3600.0, None, reached_at is not None)
    return Ending("rolled-back", "memory", at, None, reached_at is not None and reached_at < at)


def run_some(cell: Cell, policy: Policy, seeds: Sequence[int]) -> list[Ending]:
    return [run_one(cell, policy, seed) for seed in seeds]


def summed_up(endings: Sequence[Ending]) -> Figures:
    """The figures of these rollouts (one at least)."""
    back = [ending for ending in endings if ending.how == "rolled-back"]
    asked = [ending for ending in endings if ending.how == "paused"]
    failed = sorted(ending.failed for ending in back or endings)
    promotions = [ending.promoted_at_s for ending in endings if ending.promoted_at_s is not None]
    return Figures(
        runs=len(endings),
        rolled_back=len(back),
        paused=len(asked),
        promoted=sum(ending.how == "promoted" for ending in endings),
        seconds=median(ending.at_s for ending in back or asked or endings),
        failed=median(failed),
        failed_90=failed[min(int(0.9 * len(failed)), len(failed) - 1)],
        failed_total=sum(ending.failed for ending in endings),
        promoted_at=median(promotions) if promotions else None,
        reasons=dict(Counter(f"{ending.how}: {ending.reason}" for ending in endings)),
    )


def healthy_cells(judges: Iterable[str], worlds: Iterable[str], rates: Iterable[float]) -> list[Cell]:
    """Healthy releases in every world. A peer knows requests, not people, so it has no cell where people matter."""
    rates, worlds = list(rates), list(worlds)
    return [
        Cell(judge, world, HEALTHY.name, rps)
        for judge in judges
        for rps in rates
        for world in worlds
        if judge == OURS or not world_named(world).people
    ]


def fault_cells(
    judges: Iterable[str], faults: Iterable[str], rates: Iterable[float], world: str = "plain"
) -> list[Cell]:
    """Bad releases in one world."""
    rates, faults = list(rates), list(faults)
    return [Cell(judge, world, fault, rps) for judge in judges for rps in rates for fault in faults]


def thin_cells() -> list[Cell]:
    """Healthy and bad releases where hardly anybody comes, with and without probes."""
    faults = (HEALTHY.name, "errors-5", "errors-50")
    return [Cell(OURS, "plain", fault, rps, probes) for rps in THIN_RATES for probes in PROBINGS for fault in faults]


def memory_cells() -> list[Cell]:
    """Memory that grows, healthily or not."""
    return [Cell(OURS, MEMORY, growth.name, 0.0) for growth in GROWTHS]
