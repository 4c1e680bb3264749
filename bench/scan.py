"""How long a scan takes, cold and with its memory, and what it finds in public repositories.

    python -m bench.scan                 # a made repository of 10,000 files and 300 commits
    python -m bench.scan FOLDER...       # clones: counts of leaks and doubtful ones in each

Prints wall-clock and processor time: on a busy machine the second is what holds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from underway.drivers.leaks.search import FileLeakSearch
from underway.flows.scan import ScanReport, scan
from underway.terms.home import Home

FILES = 10_000
COMMITS = 300


def make(root: Path) -> None:
    """10,000 files of 1 to 4 kB, and 300 commits that change one each."""
    for number in range(FILES):
        path = root / f"pkg{number // 200:02}" / f"module{number}.py"
        path.parent.mkdir(exist_ok=True)
        lines = (
            f"def f{number}_{line}(value):\n    return value * {line} + {number}\n" for line in range(20 + number % 60)
        )
        path.write_text("".join(lines))
    _git(root, "init", "-q", "-b", "main")
    _git(root, "add", "-A")
    _git(root, "commit", "-q", "-m", "start")
    for number in range(COMMITS):
        path = root / f"pkg{number % 50:02}" / f"module{(number % 50) * 200}.py"
        path.write_text(path.read_text() + f"# change {number}\n")
        _git(root, "commit", "-q", "-am", f"change {number}")


def _git(root: Path, *args: str) -> None:
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "gc.auto=0")
    subprocess.run(["git", *who, *args], cwd=root, check=True, capture_output=True)


def timed(search: FileLeakSearch, root: str, *, with_history: bool = True) -> tuple[ScanReport, float, float]:
    began, used = time.monotonic(), _processor_s()
    report = scan(search, root, with_history=with_history, today=date.today())  # noqa: DTZ011 - as the command does
    return report, time.monotonic() - began, _processor_s() - used


def _processor_s() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def made() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "repo"
        root.mkdir()
        make(root)
        home = Home(Path(folder) / "home")
        print("| scan of 10,000 files, 301 commits | wall s | processor s | from memory |")
        print("|---|---|---|---|")
        for says, change in (
            ("the first on a machine (rules are compiled)", ""),
            ("again, nothing changed", ""),
            ("again, one file changed", "x = 1\n"),
        ):
            if change:
                (root / "pkg00/module1.py").write_text(change)
            report, wall_s, processor_s = timed(FileLeakSearch(home), str(root))
            print(f"| {says} | {wall_s:.2f} | {processor_s:.2f} | {report.searched.from_cache:,} |")
        fresh = Home(Path(folder) / "other")
        (fresh.cache / "scan").mkdir(parents=True)
        shutil.copytree(home.cache / "scan/rules", fresh.cache / "scan/rules")
        _, wall_s, processor_s = timed(FileLeakSearch(fresh), str(root))
        print(f"| the first of this repository, rules compiled | {wall_s:.2f} | {processor_s:.2f} | 0 |")


def real(folders: list[str]) -> None:
    with tempfile.TemporaryDirectory() as home:
        search = FileLeakSearch(Home(Path(home)))
        print("| repository | files | versions | leaks | doubtful | s |")
        print("|---|---|---|---|---|---|")
        for folder in folders:
            report, wall_s, _ = timed(search, folder)
            seen = report.searched
            name = Path(folder).name
            counts = f"{seen.files:,} | {seen.blobs:,} | {len(report.leaks)} | {len(report.doubtful)}"
            print(f"| {name} | {counts} | {wall_s:.1f} |")
            for leak in report.leaks:
                print(f"    {leak.rule} {leak.path}:{leak.line} {leak.variable} {leak.commit[:8]} ({leak.because})")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        real(sys.argv[1:])
    else:
        made()
