"""What Underway itself costs: time of a redeploy, of its commands, memory, and fifty apps on one agent.

    python -m bench.overhead [--quick] [--write docs/benchmarks.md]

Takes about five minutes, with --quick two. Exits 1 when a target is missed.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.journeys.world import World, make_world

from bench.own_start import own_start_s
from bench.report import machine, options, put, table
from underway.manifest.model import Manifest
from underway.manifest.read import read_manifest
from underway.plan.parts import SETTLE_S

ROOT = Path(__file__).parent.parent
UNDERWAY = Path(sys.executable).with_name("underway")
_TOOK = re.compile(r"^# exit code 0 after ([\d.]+) s$", re.MULTILINE)


@dataclass(frozen=True)
class Figure:
    """One measured value beside what it may be at most."""

    what: str
    value: float
    unit: str
    at_most: float
    """0: no target."""
    how: str

    @property
    def is_met(self) -> bool:
        return not self.at_most or self.value < self.at_most

    def row(self) -> Sequence[str]:
        def said(number: float) -> str:
            return f"{number:.0f} {self.unit}" if self.unit in ("ms", "MB") else f"{number:.2f} {self.unit}"

        return (self.what, said(self.value), f"< {self.at_most:g} {self.unit}" if self.at_most else "", self.how)


@dataclass(frozen=True)
class Subject:
    """An app that is deployed again. `change` makes another version of it without touching its dependencies."""

    name: str
    what: str
    lay_out: Callable[[World], Path]
    change: Callable[[Path, int], None]


def _version(path: Path, number: int) -> None:
    World.write(path, VERSION=f"{number}\n")


def _page(path: Path, number: int) -> None:
    page = path / "web" / "index.html"
    page.write_text(f"{page.read_text()}<!-- {number} -->\n")


def _learning(world: World) -> Path:
    path = world.root / "apps" / "learning"
    shutil.copytree(ROOT / "examples" / "learning", path, ignore=shutil.ignore_patterns(".*", "__pycache__", "tests"))
    return path


SUBJECTS = (
    Subject("streams", "FastAPI", lambda world: world.app("streams", like="streams"), _version),
    Subject("tiny", "asyncio, PostgreSQL, a worker", lambda world: world.app("tiny"), _version),
    Subject("learning", "the example: FastAPI, PostgreSQL, alembic, static files", _learning, _page),
)


def redeploys(world: World, subject: Subject, times: int) -> tuple[Figure, list[Sequence[str]]]:
    """The time of a redeploy that is nobody's but ours, and the rows that say where it goes.

    Taken off: what uv and npm took (from the build's log), the app's own start (measured after each redeploy, so that
    a busy machine slows both alike), and the watch as configured.
    """
    path = subject.lay_out(world)
    first = world.deploy(path)
    assert first["outcome"] == "live", first
    manifest = _manifest(world, path)
    parts: dict[str, list[float]] = defaultdict(list)
    whole_s: list[float] = []
    own_s: list[float] = []
    busy_s: list[float] = []
    agent = world.agent_pid()
    for number in range(times):
        subject.change(path, number + 2)
        began, busy = time.perf_counter(), _cpu_s(agent) + _cpu_of_children_s()
        done = world.deploy(path, "--strategy", "blue-green")
        wall_s = time.perf_counter() - began
        busy_s.append(_cpu_s(agent) + _cpu_of_children_s() - busy)
        assert done["outcome"] == "live", done
        steps = {step["id"]: step["took_s"] for step in done["steps"]}
        assert "migrate" not in steps, "nothing was changed that migrates"
        parts["command, plan, exit"].append(wall_s - done["duration_s"])
        parts["journal, watch past its time"].append(done["duration_s"] - sum(steps.values()) - _watch_s(manifest))
        steps["build"] -= _tools_s(world, subject.name, done["release"])
        own_s.append(own_start_s(world, subject.name, manifest.processes["web"].command, manifest.health.path, 1))
        steps["health"] -= own_s[-1]
        for step, took_s in steps.items():
            parts[step].append(took_s)
        whole_s.append(wall_s)
    total_s = sum(median(took_s) for took_s in parts.values())
    where = ", ".join(f"{name} {median(took) * 1000:.0f}" for name, took in parts.items())
    row = (
        subject.name,
        subject.what,
        f"{median(whole_s):.2f}",
        f"{median(own_s):.2f}",
        f"{_watch_s(manifest):g}",
        f"{median(busy_s):.2f}",
        where,
    )
    how = f"median of {times}; whole command minus uv, own start and watch"
    return Figure(f"Redeploy of {subject.name}", total_s, "s", 1.5, how), [row]


def _manifest(world: World, path: Path) -> Manifest:
    done = world.run("deploy", path, "--dry-run", "--json")
    return read_manifest(json.loads(done.stdout)["manifest"])


def _watch_s(manifest: Manifest) -> float:
    return 0.0 if manifest.release.strategy == "instant" else min(manifest.release.watch_s, SETTLE_S)


def _tools_s(world: World, app: str, release: str) -> float:
    """What the commands of the release's build took, as its log says."""
    releases = json.loads(world.run("releases", app, "--json").stdout)
    key = next(each["build_key"] for each in releases if each["id"] == release)
    log = world.home / "apps" / app / "builds" / key / "build.log"
    return sum(float(took_s) for took_s in _TOOK.findall(log.read_text()))


def commands(times: int) -> list[Figure]:
    """How long the command line takes to say something."""
    return [_command((option,), times, 120) for option in ("--version", "--help")]


def _command(words: Sequence[str], times: int, at_most_ms: float, how: str = "", world: World | None = None) -> Figure:
    """The median time of a command; beside it the least, which other work on the machine disturbs less."""
    took_ms = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run([str(UNDERWAY), *words], check=True, capture_output=True, env=world.env if world else None)
        took_ms.append((time.perf_counter() - began) * 1000)
    said = f"{how}median of {times}, the least {min(took_ms):.0f} ms"
    return Figure(f"`underway {' '.join(words)}`", median(took_ms), "ms", at_most_ms, said)


def memory(world: World, after: str) -> list[Figure]:
    """Of the agent and of Caddy: resident (RSS), and resident with shared pages divided among who shares them (PSS)."""
    agent = _memory_mb(world.agent_pid())
    caddy = _memory_mb(next(p.pid for p in world.processes() if p.name() == "caddy"))
    how = f"{after}; PSS {agent['Pss']:.0f} MB"
    both = f"{after}; PSS {agent['Pss'] + caddy['Pss']:.0f} MB"
    return [
        Figure("Agent, resident", agent["Rss"], "MB", 60, how),
        Figure("Agent and Caddy, resident", agent["Rss"] + caddy["Rss"], "MB", 120, both),
    ]


def _memory_mb(pid: int) -> dict[str, float]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) * 1024 / 1e6 for line in lines}


def many(world: World, count: int, idle_s: float) -> list[Figure]:
    """`count` apps on one agent: how long `status` takes, and what the agent uses while nothing happens."""
    for number in range(count):
        name = f"app-{number}"
        done = world.deploy(world.app(name, like="plain"))
        assert done["outcome"] == "live", done
    status = _command(("status",), 30, 200, f"{count} apps; ", world)
    pid = world.agent_pid()
    time.sleep(3)
    used, began = _cpu_s(pid), time.perf_counter()
    time.sleep(idle_s)
    share = (_cpu_s(pid) - used) / (time.perf_counter() - began) * 100
    how = f"{count} apps"
    return [
        status,
        Figure("Agent's idle CPU", share, "% of a core", 3, f"{how}; over {idle_s:.0f} s"),
        Figure("Agent, resident", _memory_mb(pid)["Rss"], "MB", 0, how),
    ]


def _cpu_s(pid: int) -> float:
    """Processor time of `pid` so far: fields 14 and 15 of proc(5), in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _cpu_of_children_s() -> float:
    """Processor time of the commands that were run so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(is_quick: bool) -> tuple[list[Figure], str]:
    figures = commands(10 if is_quick else 30)
    rows: list[Sequence[str]] = []
    for subject in SUBJECTS:
        with a_world() as world:
            figure, more = redeploys(world, subject, 3 if is_quick else 9)
            figures.append(figure)
            rows += more
            if subject.name == "learning":
                figures += memory(world, "after these redeploys")
    with a_world() as world:
        figures += many(world, 5 if is_quick else 50, 10 if is_quick else 60)
    for figure in figures:
        print(f"{'met   ' if figure.is_met else 'MISSED'} {': '.join(figure.row())}", flush=True)
    head = ("app", "what it is", "whole command s", "own start s", "watch s", "processor s", "where the rest goes, ms")
    said = table(("what", "measured", "target", "how"), (figure.row() for figure in figures))
    about = "“Processor s” is what the command and the agent used themselves in one redeploy."
    return figures, f"{said}\n\n{about}\n\n{table(head, rows)}"


@contextmanager
def a_world() -> Iterator[World]:
    world = make_world()
    try:
        yield world
    finally:
        world.close()


def main() -> int:
    asked, on = options(__doc__), machine()
    figures, text = measure(asked.quick)
    print("\n" + text)
    put(asked.write, "overhead", "Own cost", "python -m bench.overhead", on, text)
    return 0 if all(figure.is_met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
