"""How often the guard is wrong and how fast it is right, beside its peers: `python -m bench.guard --quick`.

Every cell is a world (or a fault in the plain world) at a rate of traffic; every run of it is seeded with its number,
so the tables are the same on every machine. `--write` puts them into docs/guard.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from underway.guard.policy import Policy
from underway.guard.simulate.peers import PEERS
from underway.guard.simulate.rollout import Ending, roll_out
from underway.guard.simulate.worlds import FAULTS, HEALTHY, WORLDS, Fault, World

RATES = (0.5, 5.0, 50.0, 500.0)
OURS = "Underway"
DOC = Path(__file__).parent.parent / "docs" / "guard.md"
BEGIN, END = "<!-- simulated: begin -->", "<!-- simulated: end -->"


@dataclass(frozen=True)
class Cell:
    judge: str
    world: str
    fault: str
    rps: float


@dataclass(frozen=True)
class Figures:
    """What came out of `runs` rollouts of one cell: counts, and medians over the rollouts."""

    runs: int
    rolled_back: int
    paused: int
    promoted: int
    seconds: float
    """Median seconds to the roll-back, or to the end where none was rolled back."""
    failed: float
    """Median failed requests of users on the candidate, over the rollouts that were rolled back (else over all)."""
    promoted_at: float | None
    reasons: dict[str, int]


def world_named(name: str) -> World:
    return next(world for world in WORLDS if world.name == name)


def fault_named(name: str) -> Fault:
    return next(fault for fault in (HEALTHY, *FAULTS) if fault.name == name)


def one(cell: Cell, seed: int) -> Ending:
    world, fault = world_named(cell.world), fault_named(cell.fault)
    if cell.judge == OURS:
        return roll_out(Policy(), world, fault, cell.rps, seed)
    return PEERS[cell.judge](world, fault, cell.rps, seed)


def run_chunk(cell: Cell, seeds: Sequence[int]) -> list[Ending]:
    return [one(cell, seed) for seed in seeds]


def summed_up(endings: Sequence[Ending]) -> Figures:
    back = [ending for ending in endings if ending.how == "rolled-back"]
    counted = back or endings
    promotions = [ending.promoted_at_s for ending in endings if ending.promoted_at_s is not None]
    reasons: dict[str, int] = {}
    for ending in endings:
        key = f"{ending.how}: {ending.reason}"
        reasons[key] = reasons.get(key, 0) + 1
    return Figures(
        runs=len(endings),
        rolled_back=len(back),
        paused=sum(ending.how == "paused" for ending in endings),
        promoted=sum(ending.how == "promoted" for ending in endings),
        seconds=median(ending.at_s for ending in counted),
        failed=median(ending.failed for ending in counted),
        promoted_at=median(promotions) if promotions else None,
        reasons=reasons,
    )


def cells(judges: Iterable[str], rates: Iterable[float], only: Sequence[str]) -> list[Cell]:
    rates = list(rates)
    chosen = []
    for judge in judges:
        for rps in rates:
            chosen += [Cell(judge, world.name, HEALTHY.name, rps) for world in WORLDS]
            chosen += [Cell(judge, WORLDS[0].name, fault.name, rps) for fault in FAULTS]
    chosen = [cell for cell in chosen if cell.judge == OURS or not world_named(cell.world).people]
    chosen.sort(key=lambda cell: (cell.fault != HEALTHY.name, -cell.rps))
    return [cell for cell in chosen if not only or cell.world in only or cell.fault in only]


def runs_of(cell: Cell, options: argparse.Namespace) -> int:
    if options.quick:
        return 30
    if options.runs:
        return int(options.runs)
    if cell.judge != OURS:
        return 300
    return 1000


def measure(chosen: Sequence[Cell], options: argparse.Namespace) -> dict[Cell, Figures]:
    """Run every cell that is not in the store yet, in `--jobs` processes."""
    done = load(options.store)
    with ProcessPoolExecutor(options.jobs) as pool:
        for cell in chosen:
            runs = runs_of(cell, options)
            if cell in done and done[cell].runs >= runs:
                continue
            began = time.monotonic()
            size = max(1, min(50, runs // options.jobs))
            chunks = [range(at, min(at + size, runs)) for at in range(0, runs, size)]
            endings = [ending for part in pool.map(run_chunk, [cell] * len(chunks), chunks) for ending in part]
            done[cell] = summed_up(endings)
            save(options.store, done)
            print(
                f"{cell.judge:20} {cell.rps:5g} rps {cell.world:12} {cell.fault:12} "
                f"{time.monotonic() - began:6.1f} s  {done[cell].reasons}",
                file=sys.stderr,
                flush=True,
            )
    return done


def load(store: Path | None) -> dict[Cell, Figures]:
    if store is None or not store.exists():
        return {}
    return {Cell(**row["cell"]): Figures(**row["figures"]) for row in json.loads(store.read_text())}


def save(store: Path | None, done: dict[Cell, Figures]) -> None:
    if store is not None:
        rows = [{"cell": asdict(cell), "figures": asdict(figures)} for cell, figures in done.items()]
        store.write_text(json.dumps(rows, indent=1))


def share(count: int, of: int) -> str:
    value = 100 * count / of
    return "0" if not count else f"{value:.2g}" if value < 10 else f"{value:.0f}"


def brief(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:.0f} k"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")


def healthy_table(done: dict[Cell, Figures], judges: Sequence[str]) -> list[str]:
    """False roll-backs of healthy releases in per cent, at each rate."""
    lines = [
        "| world | " + " | ".join(judges) + " |",
        "|---" * (len(judges) + 1) + "|",
    ]
    for world in WORLDS:
        row = []
        for judge in judges:
            found = [done.get(Cell(judge, world.name, HEALTHY.name, rps)) for rps in RATES]
            row.append(" / ".join(share(f.rolled_back, f.runs) if f else "–" for f in found))
        lines.append(f"| {world.says} | " + " | ".join(row) + " |")
    return lines


def paused_table(done: dict[Cell, Figures]) -> list[str]:
    """What else happened to healthy releases under the guard: paused for a person, and the time to 100 %."""
    lines = ["| world | paused, % at 0.5 / 5 / 50 / 500 rps | seconds to 100 % |", "|---|---|---|"]
    for world in WORLDS:
        found = [done.get(Cell(OURS, world.name, HEALTHY.name, rps)) for rps in RATES]
        paused = " / ".join(share(f.paused, f.runs) if f else "–" for f in found)
        times = " / ".join(f"{f.promoted_at:.0f}" if f and f.promoted_at else "–" for f in found)
        lines.append(f"| {world.says} | {paused} | {times} |")
    return lines


def fault_table(done: dict[Cell, Figures], judges: Sequence[str]) -> list[str]:
    """Missed (+ paused) per cent · median seconds · median failed requests of users."""
    lines = ["| fault | rps | " + " | ".join(judges) + " |", "|---" * (len(judges) + 2) + "|"]
    for fault in FAULTS:
        for rps in RATES:
            row = [fault_cell(done.get(Cell(judge, WORLDS[0].name, fault.name, rps))) for judge in judges]
            lines.append(f"| {fault.says} | {rps:g} | " + " | ".join(row) + " |")
    return lines


def fault_cell(found: Figures | None) -> str:
    if found is None:
        return "–"
    missed = share(found.promoted, found.runs)
    if found.paused:
        missed += f" (+{share(found.paused, found.runs)})"
    if not found.rolled_back:
        return missed
    return f"{missed} · {brief(found.seconds)} s · **{brief(found.failed)}**"


def report(done: dict[Cell, Figures]) -> str:
    judges = [OURS, *PEERS]
    runs = sorted({figures.runs for cell, figures in done.items() if cell.judge == OURS})
    theirs = sorted({figures.runs for cell, figures in done.items() if cell.judge != OURS})
    sizes = (
        f"{' or '.join(map(str, runs))} runs a cell for Underway, {' or '.join(map(str, theirs)) or 'no'} for the rest"
    )
    return "\n".join(
        [
            f"Made by `make bench-guard` ({sizes}; every run seeded).",
            "",
            "Healthy releases rolled back, in per cent, at 0.5 / 5 / 50 / 500 requests a second:",
            "",
            *healthy_table(done, judges),
            "",
            "What else happens to a healthy release under Underway:",
            "",
            *paused_table(done),
            "",
            "Bad releases: missed % (+ paused for a person %) · median seconds until it is gone · **median failed"
            " requests of users**:",
            "",
            *fault_table(done, judges),
        ]
    )


def write(text: str) -> None:
    before, rest = DOC.read_text().split(BEGIN)
    _, after = rest.split(END)
    DOC.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="30 runs a cell: a look, not a proof")
    parser.add_argument("--runs", type=int, default=0, help="runs a cell (default 2,000 up to 5 rps, else 1,000)")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--rates", type=float, nargs="+", default=list(RATES))
    parser.add_argument("--only", nargs="+", default=[], help="names of worlds and faults")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--store", type=Path, help="keep figures in this JSON file and go on from it")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {DOC.name}")
    options = parser.parse_args()
    judges = [OURS] if options.no_peers else [OURS, *PEERS]
    text = report(measure(cells(judges, options.rates, options.only), options))
    if options.write:
        write(text)
    print(text)


if __name__ == "__main__":
    main()
