"""Figures as tables that a page, a terminal and a report can show. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from underway.guard.simulate.leaks import GROWTHS
from underway.guard.simulate.study import MEMORY, OURS, PROBINGS, THIN_RATES, Cell, Figures
from underway.guard.simulate.worlds import FAULTS, HEALTHY, WORLDS

Done = Mapping[Cell, Figures]
NOTHING = "–"


@dataclass(frozen=True)
class Table:
    """A title, a sentence that explains the cells, the heads and the rows. `**` around a word makes it bold."""

    title: str
    says: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def measured(table: Table, named: int = 1) -> Table:
    """The table without rows and columns in which nothing was measured; the first `named` columns are names."""
    columns = [
        column
        for column in range(len(table.heads))
        if column < named or any(row[column] != NOTHING for row in table.rows)
    ]
    rows = [row for row in table.rows if any(cell != NOTHING for cell in row[named:])]
    return Table(
        table.title,
        table.says,
        tuple(table.heads[column] for column in columns),
        tuple(tuple(row[column] for column in columns) for row in rows),
    )


def markdown(table: Table) -> str:
    lines = [
        f"**{table.title}** {table.says}".rstrip(),
        "",
        "| " + " | ".join(table.heads) + " |",
        "|---" * len(table.heads) + "|",
        *("| " + " | ".join(row) + " |" for row in table.rows),
    ]
    return "\n".join(lines)


def share(count: int, of: int) -> str:
    """A share in per cent, two digits."""
    value = 100 * count / of
    return "0" if not count else f"{value:.2g}" if value < 10 else f"{value:.0f}"


def brief(value: float) -> str:
    """A count or seconds: 0.3, 4, 4.5, 1,217, 18 k."""
    if value >= 10_000:
        return f"{value / 1000:.0f} k"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")


def rates_said(rates: Sequence[float]) -> str:
    return " / ".join(f"{rps:g}" for rps in rates)


def bound(runs: int) -> float:
    """The share, in per cent, that `runs` rollouts without a single case rule out with 95 % confidence: 3/n."""
    return 300 / runs


def interval(count: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, in per cent (Wilson 1927)."""
    z, p = 1.96, count / of
    middle, spread = p + z * z / (2 * of), z * sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    scale = 100 / (1 + z * z / of)
    return max(0.0, scale * (middle - spread)), min(100.0, scale * (middle + spread))


def healthy_table(done: Done, judges: Sequence[str], worlds: Sequence[str], rates: Sequence[float]) -> Table:
    rows = []
    for world in (world for world in WORLDS if world.name in worlds):
        row = [world.says]
        for judge in judges:
            found = [done.get(Cell(judge, world.name, HEALTHY.name, rps)) for rps in rates]
            row.append(_joined([share(f.rolled_back, f.runs) if f else NOTHING for f in found]))
        rows.append(tuple(row))
    return Table(
        "Healthy releases taken back,",
        f"in per cent of the rollouts, at {rates_said(rates)} requests a second:",
        ("world", *judges),
        tuple(rows),
    )


def _joined(parts: Sequence[str]) -> str:
    return NOTHING if set(parts) == {NOTHING} else " / ".join(parts)


def held_table(done: Done, worlds: Sequence[str], rates: Sequence[float]) -> Table:
    rows = []
    for world in (world for world in WORLDS if world.name in worlds):
        found = [done.get(Cell(OURS, world.name, HEALTHY.name, rps)) for rps in rates]
        paused = _joined([share(f.paused, f.runs) if f else NOTHING for f in found])
        times = _joined([f"{f.promoted_at:,.0f}" if f and f.promoted_at else NOTHING for f in found])
        rows.append((world.says, paused, times))
    return Table(
        "What else happens to a healthy release under Underway,",
        f"at {rates_said(rates)} requests a second:",
        ("world", "a person is asked, %", "median seconds to 100 % of the traffic"),
        tuple(rows),
    )


def fault_table(done: Done, judges: Sequence[str], faults: Sequence[str], rates: Sequence[float], world: str) -> Table:
    rows = []
    for fault in (fault for fault in FAULTS if fault.name in faults):
        for rps in rates:
            row = [fault_cell(done.get(Cell(judge, world, fault.name, rps))) for judge in judges]
            rows.append((fault.says, f"{rps:g}", *row))
    return Table(
        "Bad releases:",
        "went live, % (+ a person was asked, %) · median seconds until it was gone (or the person asked)"
        " · **median failed requests of users**",
        ("fault", "requests a second", *judges),
        tuple(rows),
    )


def fault_cell(found: Figures | None) -> str:
    if found is None:
        return NOTHING
    missed = share(found.promoted, found.runs)
    if found.paused:
        missed += f" (+{share(found.paused, found.runs)})"
    if not found.rolled_back and not found.paused:
        return missed
    return f"{missed} · {brief(found.seconds)} s · **{brief(found.failed)}**"


def thin_table(done: Done) -> Table:
    rows = []
    for rps in THIN_RATES:
        for probes in PROBINGS:
            healthy = done.get(Cell(OURS, "plain", HEALTHY.name, rps, probes))
            rows.append(
                (
                    f"{rps:g}",
                    probes,
                    thin_cell(healthy),
                    fault_cell(done.get(Cell(OURS, "plain", "errors-5", rps, probes))),
                    fault_cell(done.get(Cell(OURS, "plain", "errors-50", rps, probes))),
                )
            )
    return Table(
        "Thin traffic:",
        "the healthy release went live, % (+ a person was asked, %) · median seconds to 100 %; the bad ones as above."
        " Probes come once a second.",
        ("requests a second", "probes", "healthy", "errors → 5 %", "errors → 50 %"),
        tuple(rows),
    )


def thin_cell(found: Figures | None) -> str:
    if found is None:
        return NOTHING
    live = share(found.promoted, found.runs) + (f" (+{share(found.paused, found.runs)})" if found.paused else "")
    return f"{live} · {found.promoted_at:,.0f} s" if found.promoted_at else live


def memory_table(done: Done) -> Table:
    rows = []
    for growth in GROWTHS:
        found = done.get(Cell(OURS, MEMORY, growth.name, 0.0))
        if found is None:
            continue
        before = f"{100 - 100 * found.failed_total / found.runs:.0f}" if found.rolled_back > found.runs / 2 else NOTHING
        seconds = f"{found.seconds:,.0f}" if found.rolled_back else NOTHING
        rows.append((growth.says, share(found.rolled_back, found.runs), before, seconds))
    return Table(
        "Memory,",
        "watched for an hour, limit 1 GB, 150 MB at the start:",
        ("memory", "taken back, %", "before the limit was reached, %", "median seconds"),
        tuple(rows),
    )
