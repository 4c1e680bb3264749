"""What a study and a replay come to: which tables and pictures stand on their page. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from underway.guard.policy import Policy
from underway.guard.simulate.charts import DotRow, course, dots
from underway.guard.simulate.helm import Ending, Look
from underway.guard.simulate.report import Figure
from underway.guard.simulate.rollout import roll_out
from underway.guard.simulate.study import OURS, Cell, Figures, fault_named, world_named
from underway.guard.simulate.tables import (
    Done,
    Table,
    brief,
    fault_table,
    healthy_table,
    held_table,
    share,
)
from underway.guard.simulate.worlds import HEALTHY

EVIDENCE = (("more errors", 0), ("slower", 1), ("errors over the limit", 3))
"""The kinds of evidence that a picture shows, and their places in `Look.strengths`."""


@dataclass(frozen=True)
class Asked:
    """What a study was asked for: names of judges, worlds and faults, rates in requests a second."""

    judges: tuple[str, ...]
    worlds: tuple[str, ...]
    faults: tuple[str, ...]
    rates: tuple[float, ...]


def tables_of(done: Done, asked: Asked) -> list[Table]:
    tables = []
    if HEALTHY.name in asked.faults:
        tables.append(healthy_table(done, asked.judges, asked.worlds, asked.rates))
        if OURS in asked.judges:
            tables.append(held_table(done, asked.worlds, asked.rates))
    bad = [fault for fault in asked.faults if fault != HEALTHY.name]
    if bad:
        tables.append(fault_table(done, asked.judges, bad, asked.rates, asked.worlds[0]))
    return tables


def figures_of(done: Done, asked: Asked, policy: Policy, seed: int) -> list[Figure]:
    """The dot plots, and the course of the first rollout of each bad release at one rate."""
    figures = []
    if HEALTHY.name in asked.faults:
        figures.append(_false_alarms(done, asked))
    bad = [fault for fault in asked.faults if fault != HEALTHY.name]
    if bad:
        figures.append(_failed_users(done, asked, bad))
    if OURS in asked.judges:
        rps = sorted(asked.rates)[len(asked.rates) // 2]
        for fault in (bad or [HEALTHY.name])[:3]:
            looks: list[Look] = []
            ending = roll_out(policy, world_named(asked.worlds[0]), fault_named(fault), rps, seed, looks=looks)
            says = f"at {rps:g} requests a second, seed {seed}"
            figures.append(one_course(fault_named(fault).says, says, policy, looks, ending))
    return figures


def _false_alarms(done: Done, asked: Asked) -> Figure:
    def back(judge: str, world: str, rps: float) -> float | None:
        found = done.get(Cell(judge, world, HEALTHY.name, rps))
        return None if found is None else 100 * found.rolled_back / found.runs

    rows = [
        DotRow(f"{world_named(world).says}, {rps:g}/s", tuple(back(judge, world, rps) for judge in asked.judges))
        for world in asked.worlds
        for rps in asked.rates
    ]
    says = "in per cent of the rollouts; the promise is to stay left of the dashed line (1 %)."
    svg = dots("Healthy releases taken back", "% taken back", asked.judges, rows, mark=1.0)
    return Figure("Healthy releases taken back", says, svg)


def _failed_users(done: Done, asked: Asked, bad: Sequence[str]) -> Figure:
    rows = [
        DotRow(
            f"{fault_named(fault).says}, {rps:g}/s",
            tuple(
                found.failed if (found := done.get(Cell(judge, asked.worlds[0], fault, rps))) else None
                for judge in asked.judges
            ),
        )
        for fault in bad
        for rps in asked.rates
    ]
    says = "median over the rollouts that were taken back, or over all where none was."
    svg = dots("Failed requests of users", "failed requests", asked.judges, rows)
    return Figure("Failed requests of users before a bad release is gone", says, svg)


def one_course(name: str, says: str, policy: Policy, looks: Sequence[Look], ending: Ending) -> Figure:
    needed = {0: 1 / policy.error_alpha, 1: 1 / policy.latency_alpha, 3: 2 / policy.alpha_limit}
    lines = [(kind, place, needed[place]) for kind, place in EVIDENCE]
    said = f"{ending.how.replace('-', ' ')} ({ending.reason.replace('-', ' ')}) after {brief(ending.at_s)} s, "
    said += f"{ending.failed} failed requests of users on the candidate; {says}."
    return Figure(f"One rollout: {name}", said, course(name, looks, ending, lines))


def replay_table(found: Mapping[str, Figures]) -> Table:
    """What came out of replayed rollouts, for each fault that was added to the recorded traffic."""
    rows = []
    for fault, figures in found.items():
        unfinished = figures.runs - figures.rolled_back - figures.paused - figures.promoted
        gone = f"{brief(figures.seconds)} s" if figures.rolled_back else "–"
        rows.append(
            (
                "nothing (a healthy release)" if fault == HEALTHY.name else fault_named(fault).says,
                f"{figures.runs}",
                share(figures.rolled_back, figures.runs),
                share(figures.paused, figures.runs),
                share(figures.promoted, figures.runs),
                share(unfinished, figures.runs),
                gone,
                brief(figures.failed),
            )
        )
    return Table(
        "What the guard would have done",
        "with releases that bring this into the recorded traffic: taken back, a person asked, gone live, or the"
        " recording ended first (in per cent); median seconds until it was gone, median failed requests of users.",
        ("added", "rollouts", "back", "asked", "live", "open", "gone after", "failed"),
        tuple(rows),
    )
