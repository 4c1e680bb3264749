"""How often evidence gets strong against a release at the very edge of what is fine: `python -m bench.guard_validity`.

`--write` puts the table into docs/guard.md.
"""

from __future__ import annotations

import argparse
from math import sqrt
from multiprocessing import Pool
from pathlib import Path
from random import Random

from underway.guard.simulate.nulls import nulls

DOC = Path(__file__).parent.parent / "docs" / "guard.md"
BEGIN, END = "<!-- validity: begin -->", "<!-- validity: end -->"
THRESHOLDS = (20, 100, 333)
CHUNK = 50


def peaks(number: int, seeds: range) -> list[float]:
    null = nulls()[number]
    return [null.peak(Random(f"{null.name} {null.wanders} {seed}")) for seed in seeds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", action="store_true", help=f"put the table into {DOC.name}")
    options = parser.parse_args()
    runs, every = options.runs, nulls()
    found: dict[tuple[str, bool], list[float]] = {}
    with Pool(options.jobs) as pool:
        parts = [range(at, min(at + CHUNK, runs)) for at in range(0, runs, CHUNK)]
        for number, null in enumerate(every):
            chunks = pool.starmap(peaks, [(number, part) for part in parts])
            found[null.name, null.wanders] = [peak for chunk in chunks for peak in chunk]
            print(f"{number + 1} of {len(every)}", flush=True)
    error = 100 * sqrt(0.05 * 0.95 / runs)
    heads = " | ".join(f"ever {t} (≤ {100 / t:.2g} %)" for t in THRESHOLDS)
    lines = [
        f"Made by `python -m bench.guard_validity --runs {runs} --write`: {runs:,} courses a cell, 150 looks each; per"
        f" cent of the courses whose evidence *ever* reached a strength, with independent requests / in a day that"
        f" wanders. What the theorem allows is in the head; one standard error of 5 % is {error:.1f} %.",
        "",
        f"| exactly at the edge of | {heads} |",
        "|---" * (len(THRESHOLDS) + 1) + "|",
    ]
    for name in dict.fromkeys(null.name for null in every):
        cells = []
        for threshold in THRESHOLDS:
            shares = [sum(peak >= threshold for peak in found[name, wanders]) / runs for wanders in (False, True)]
            cells.append(" / ".join(f"{100 * share:.2g}" for share in shares))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    text = "\n".join(lines)
    if options.write:
        before, rest = DOC.read_text().split(BEGIN)
        _, after = rest.split(END)
        DOC.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
    print(text)


if __name__ == "__main__":
    main()
