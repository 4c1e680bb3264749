"""How often the guard is wrong and how fast it is right, beside its peers: `python -m bench.guard --quick`.

Every cell of the tables is a world (or a fault in the plain world) at a rate of traffic; every rollout is seeded with
its number, so the tables are the same on every machine. Finished cells are kept with a digest of the code they came
from (its meaning, not its comments): a cell is made again only when that changed. `--write` puts the tables into
docs/guard.md.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import sys
import time
from dataclasses import asdict
from functools import cache
from pathlib import Path

from underway.cli.guard_jobs import measure
from underway.guard.policy import Policy
from underway.guard.simulate.study import (
    JUDGES,
    MEMORY,
    OURS,
    RATES,
    Cell,
    Figures,
    fault_cells,
    healthy_cells,
    memory_cells,
    thin_cells,
)
from underway.guard.simulate.tables import (
    bound,
    fault_table,
    healthy_table,
    held_table,
    markdown,
    measured,
    memory_table,
    thin_table,
)
from underway.guard.simulate.worlds import FAULTS, HEALTHY, WORLDS

ROOT = Path(__file__).parent.parent
DOC = ROOT / "docs" / "guard.md"
STORE = ROOT / "bench" / "guard-figures.json"
GUARD = ROOT / "src" / "underway" / "guard"
BEGIN, END = "<!-- simulated: begin -->", "<!-- simulated: end -->"
RUNS, QUICK_RUNS, SEED = 1000, 30, 0
WORLD_NAMES = tuple(world.name for world in WORLDS)
FAULT_NAMES = tuple(fault.name for fault in FAULTS)
THAT_DECIDE = (
    *("baseline", "carry", "clients", "decide", "errors", "evidence", "fold", "latency", "limits", "memory"),
    *(
        "observe",
        "policy",
        "rates",
        "shares",
        "wager",
        "simulate/helm",
        "simulate/rollout",
        "simulate/times",
        "simulate/worlds",
    ),
)
"""The modules on which a rollout's end depends: the guard without its words, and the simulated day."""


@cache
def digest(*modules: str) -> str:
    """Of what these modules mean: comments and docstrings do not count."""
    found = hashlib.sha256()
    for name in modules:
        tree = ast.parse((GUARD / f"{name}.py").read_text())
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                node.body = [x for x in body if not _is_text(x)] or [ast.Pass()]
        found.update(ast.unparse(tree).encode())
    return found.hexdigest()[:12]


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def digest_of(cell: Cell) -> str:
    if cell.world == MEMORY:
        return digest("memory", "simulate/leaks")
    if cell.judge != OURS:
        return digest("simulate/peers", "simulate/worlds")
    return digest(*THAT_DECIDE)


FIRST_FAULTS = ("crash", "errors-50", "errors-5", "slower-100")
HARD_WORLDS = ("bursts", "unlike-5-10", "unlike-2-5")


def cells() -> list[Cell]:
    """All cells, those first that are quoted most or were hard to get right."""
    faults, healthy = fault_cells([OURS], FAULT_NAMES, RATES), healthy_cells([OURS], WORLD_NAMES, RATES)
    theirs = [*healthy_cells(JUDGES[1:], WORLD_NAMES, RATES), *fault_cells(JUDGES[1:], FAULT_NAMES, RATES)]
    ordered = [
        *(cell for cell in faults if cell.fault in FIRST_FAULTS),
        *(cell for cell in healthy if cell.world in HARD_WORLDS and cell.rps >= 50),
        *(cell for cell in healthy if cell.world not in ("people", "sick-client")),
        *faults,
        *healthy,
        *thin_cells(),
        *theirs,
        *memory_cells(),
    ]
    return list(dict.fromkeys(ordered))


class Store:
    """Finished cells in a JSON file, each with the digest of the code that made it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        rows = json.loads(path.read_text()) if path.exists() else []
        self.rows = {(Cell(**row["cell"]), row["digest"]): Figures(**row["figures"]) for row in rows}

    def find(self, cell: Cell) -> Figures | None:
        return self.rows.get((cell, digest_of(cell)))

    def keep(self, cell: Cell, figures: Figures) -> None:
        self.rows[cell, digest_of(cell)] = figures
        rows = [{"cell": asdict(c), "digest": d, "figures": asdict(f)} for (c, d), f in self.rows.items()]
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(rows, indent=0))
        draft.replace(self.path)


def chosen(options: argparse.Namespace) -> list[Cell]:
    found = [cell for cell in cells() if not (options.no_peers and cell.judge != OURS)]
    if options.rates:
        found = [cell for cell in found if cell.rps in options.rates]
    if options.only:
        found = [cell for cell in found if cell.world in options.only or cell.fault in options.only]
    return found


def report(done: dict[Cell, Figures]) -> str:
    tables = [
        measured(healthy_table(done, JUDGES, WORLD_NAMES, RATES)),
        measured(held_table(done, WORLD_NAMES, RATES)),
        measured(fault_table(done, JUDGES, FAULT_NAMES, RATES, "plain"), named=2),
        measured(thin_table(done), named=2),
        measured(memory_table(done)),
    ]
    return "\n\n".join([sizes(done), *(markdown(table) for table in tables if table.rows)])


def sizes(done: dict[Cell, Figures]) -> str:
    """How many rollouts a cell stands for, honestly, cell by cell where they differ."""
    runs = sorted({figures.runs for figures in done.values()})
    most = runs[-1] if runs else 0
    missing = len(set(cells()) - set(done))
    parts = [
        f"Made by `make bench-guard` (guard {digest(*THAT_DECIDE)}, seeds {SEED} to {SEED + most - 1}):"
        f" {most:,} rollouts a cell. 0 of {most:,} means: below {bound(most):.1f} % with 95 % confidence."
    ]
    for fewer in runs[:-1]:
        few = [cell for cell, figures in done.items() if figures.runs == fewer]
        names = dict.fromkeys(_name(cell) if cell.judge == OURS else f"all of {cell.judge}" for cell in few)
        parts.append(f"Only {fewer:,} rollouts: {'; '.join(names)}.")
    if missing:
        parts.append(f"{missing} of {len(cells())} cells are not measured with this guard yet; they are left out or –.")
    return " ".join(parts)


def _name(cell: Cell) -> str:
    return f"{cell.judge}, {cell.world if cell.fault == HEALTHY.name else cell.fault} at {cell.rps:g}"


def write(text: str) -> None:
    before, rest = DOC.read_text().split(BEGIN)
    _, after = rest.split(END)
    DOC.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RUNS} rollouts a cell: a look, not a proof")
    parser.add_argument("--runs", type=int, default=0, help=f"rollouts a cell (default {RUNS:,})")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--rates", type=float, nargs="+", default=[])
    parser.add_argument("--only", nargs="+", default=[], help="names of worlds and faults")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--store", type=Path, default=STORE, help="keep figures in this JSON file and go on from it")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {DOC.name}")
    options = parser.parse_args()
    runs = QUICK_RUNS if options.quick else options.runs or RUNS
    store = Store(options.store)
    done: dict[Cell, Figures] = {}
    wanted: list[tuple[Cell, int]] = []
    for cell in chosen(options):
        found = store.find(cell)
        if found is not None:
            done[cell] = found
        if found is None or found.runs < runs:
            wanted.append((cell, runs))
    began = time.monotonic()
    for number, (cell, figures) in enumerate(measure(wanted, Policy(), SEED, options.jobs), 1):
        store.keep(cell, figures)
        done[cell] = figures
        spent = time.monotonic() - began
        print(f"{number}/{len(wanted)} {spent:6.0f} s  {_name(cell)}: {figures.reasons}", file=sys.stderr, flush=True)
    text = report(done)
    if options.write:
        write(text)
    print(text)


if __name__ == "__main__":
    main()
