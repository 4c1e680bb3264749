"""What the programs of bench/ print, and their sections of docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

ABOUT = """# Benchmarks

Every table here was written by the program above it (`--write docs/benchmarks.md`); `--quick` runs a shorter one.
Each program starts a home of its own with the real command line, agent, proxy and apps on loopback, and ends them.
Clients are strict: they never retry, and a connection that closes before its whole answer is a failed request.
"""


def options(text: str | None) -> argparse.Namespace:
    """The options of every program: `--quick` and `--write FILE`."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a shorter run")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the result into its section of FILE")
    return parser.parse_args()


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def machine() -> str:
    """This machine in a few words."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{os.cpu_count()} cores shared with other work (load {os.getloadavg()[0]:.1f} before it began),"
        f" {memory_gb:.0f} GB memory, Linux on {platform.machine()}, Python {platform.python_version()}."
    )


def put(file: Path | None, name: str, title: str, command: str, on: str, text: str) -> None:
    """Replace the section `name` of `file`, or add it at the end. Without a file nothing happens."""
    if file is None:
        return
    whole = file.read_text() if file.exists() else ABOUT
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    section = f"{begin}\n## {title}\n\n`{command}`. {on}\n\n{text}\n{end}"
    before, found, rest = whole.partition(begin)
    if found:
        file.write_text(before + section + rest.partition(end)[2])
    else:
        file.write_text(f"{whole.rstrip()}\n\n{section}\n")


def spread(values: Sequence[float], unit: str = "s", digits: int = 2) -> str:
    """Median and the largest: "0.41 s (at most 0.52)"."""
    return f"{median(values):.{digits}f} {unit} (at most {max(values):.{digits}f})"
