"""SQLite → PostgreSQL in rows a second, against pgloader in the same run, and the memory that it takes.

`--part pairs` copies a million rows with Underway and with pgloader in turn, several times over. Underway's figure is
the whole command: the schema, the rows, the sequences, and the proof by counts and a checksum of every row; "rows
alone" is what it takes until the last row is in. pgloader loads into the same empty table and proves nothing.
`--part memory` copies ten million rows and watches the resident memory of the process that they go through; with
`--folder` and `--seconds` in several runs, since a copy that was interrupted goes on where it was.
Run it: `python -m bench.copying --part pairs`, `python -m bench.copying --part memory`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import psutil

from bench.lone_home import APP, WORD, On
from bench.report import machine, put, table
from underway.drivers.copying.sqlite import SqliteCopyIn
from underway.drivers.database.tools import ClientTools
from underway.terms.home import Home

_SCHEMA = """
CREATE TABLE IF NOT EXISTS visits (id bigserial PRIMARY KEY, name text NOT NULL, note text, is_new boolean NOT NULL,
  amount double precision, at timestamptz);"""
_NARROW = "CREATE TABLE IF NOT EXISTS visits (id bigserial PRIMARY KEY, name text NOT NULL);"
_OF_PGLOADER = "LOAD DATABASE FROM {file} INTO {url} WITH data only, disable triggers, workers = 4, concurrency = 1;"


@dataclass
class Taken:
    """One copy: seconds until the last row was in and until all was proven, and the memory seen on the way."""

    rows_s: float = 0.0
    whole_s: float = 0.0
    seen: list[tuple[int, float]] = field(default_factory=list)
    """Rows that were in, and megabytes resident then."""


def narrow(path: Path, rows: int) -> Path:
    """An SQLite file with so many short rows."""
    with contextlib.closing(sqlite3.connect(path)) as source:
        source.execute("PRAGMA synchronous = off")
        source.execute("CREATE TABLE visits (id integer PRIMARY KEY, name text NOT NULL)")
        source.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO visits SELECT i, 'visitor ' || i FROM n",
            (rows,),
        )
        source.commit()
    return path


def made(path: Path, rows: int) -> Path:
    """An SQLite file with so many rows of the kinds that apps have."""
    with contextlib.closing(sqlite3.connect(path)) as source:
        source.execute("PRAGMA synchronous = off")
        source.execute(
            "CREATE TABLE visits (id integer PRIMARY KEY, name text NOT NULL, note text, is_new boolean NOT NULL,"
            " amount real, at datetime)"
        )
        source.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO visits"
            " SELECT i, 'visitor ' || i, CASE i % 3 WHEN 0 THEN NULL ELSE 'a note, ü and a\ttab ' || (i * 7919) END,"
            " i % 2, i / 8.0, datetime(1700000000 + i, 'unixepoch') FROM n",
            (rows,),
        )
        source.commit()
    return path


async def ours(on: On, path: Path, taken: Taken) -> Taken:
    began, before_s = time.perf_counter(), taken.rows_s
    me = psutil.Process()

    def progress(done: int, of: int) -> None:
        taken.rows_s = before_s + time.perf_counter() - began
        for child in me.children():
            with contextlib.suppress(psutil.Error):
                if "underway.drivers.copying.load" in child.cmdline():
                    taken.seen.append((done, child.memory_info().rss / 1e6))

    report = await SqliteCopyIn(on.database).from_sqlite(APP, str(path), progress)
    assert report.is_whole, report
    taken.whole_s = time.perf_counter() - began
    return taken


async def theirs(tools: ClientTools, folder: Path, path: Path) -> float | None:
    """Seconds that pgloader takes for the same rows; None where it is not installed."""
    program = shutil.which("pgloader")
    if program is None:
        return None
    await tools.sql("postgres", "DROP DATABASE IF EXISTS bare WITH (FORCE); CREATE DATABASE bare TEMPLATE template0;")
    ended = await tools.sql("bare", _SCHEMA)
    assert ended.exit_code == 0, ended.err
    url = f"postgresql://postgres@127.0.0.1:{tools.port}/bare"
    order = folder / "copy.load"
    order.write_text(_OF_PGLOADER.format(file=f"sqlite://{path}", url=url))
    began = time.perf_counter()
    words = [program, "--root-dir", str(folder / "pgloader"), str(order)]
    env = {**os.environ, "PGPASSWORD": tools.password.reveal()}
    done = await asyncio.to_thread(subprocess.run, words, env=env, capture_output=True, text=True, check=False)
    took_s = time.perf_counter() - began
    counted = await tools.sql("bare", "SELECT count(*) FROM visits;")
    with contextlib.closing(sqlite3.connect(path)) as source:
        wanted = source.execute("SELECT count(*) FROM visits").fetchone()[0]
    assert int(counted.out) == wanted, done.stdout + done.stderr
    return took_s


async def served(root: Path, schema: str) -> tuple[On, ClientTools]:
    on = On(Home(root))
    await on.database.provision(APP, WORD)
    tools = await on.database.client()
    ended = await tools.sql("app_shop", f"SET ROLE app_shop; {schema}")
    assert ended.exit_code == 0, ended.err
    return on, tools


async def pairs(root: Path, rows: int, times: int) -> list[tuple[object, ...]]:
    on, tools = await served(root, _SCHEMA)
    path = made(root / "source.db", rows)
    own: list[Taken] = []
    other: list[float] = []
    try:
        for _ in range(times):
            own.append(await ours(on, path, Taken()))
            took_s = await theirs(tools, root, path)
            other += [took_s] if took_s else []
    finally:
        await on.database.stop()
    lines: list[tuple[object, ...]] = []
    for name, took in (
        ("Underway, rows alone", [it.rows_s for it in own]),
        ("Underway, with the proof of every row", [it.whole_s for it in own]),
        ("pgloader, which proves nothing", other),
    ):
        rate = f"{rows / median(took):,.0f} ({rows / max(took):,.0f} to {rows / min(took):,.0f})" if took else "-"
        lines.append((name, len(took), rate, f"{median(took):.1f}" if took else "not installed"))
    return lines


async def memory(root: Path, rows: int, limit_s: float) -> list[tuple[object, ...]] | None:
    """None when the time was over before the copy: the next run in the same folder goes on where it was."""
    path, notes = root / "source.db", root / "seen.json"
    if not path.exists():
        narrow(path.with_suffix(".tmp"), rows).rename(path)
    on, _ = await served(root, _NARROW)
    taken = Taken(**json.loads(notes.read_text())) if notes.exists() else Taken()
    began, before_s = time.perf_counter(), taken.whole_s
    try:
        await asyncio.wait_for(ours(on, path, taken), limit_s)
    except TimeoutError:
        return None
    finally:
        taken.whole_s = before_s + time.perf_counter() - began
        notes.write_text(json.dumps(asdict(taken)))
        await on.database.stop()
    seen = [(int(done), mb) for done, mb in taken.seen]
    tenths = [seen[min(len(seen) - 1, len(seen) * n // 10)] for n in (1, 3, 5, 7, 9, 10)]
    lines: list[tuple[object, ...]] = [(f"after {done:,} rows", f"{mb:.1f} MB") for done, mb in tenths]
    lines.append(("at most", f"{max(mb for _, mb in seen):.1f} MB"))
    lines.append(("rows a second, until the last is in", f"{rows / taken.rows_s:,.0f}"))
    lines.append(("whole copy with its proof", f"{taken.whole_s:.0f} s"))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("pairs", "memory"), default="pairs")
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep what there is here, and go on with it in the next run")
    parser.add_argument("--seconds", type=float, default=86_400.0, help="stop after these, to go on with --folder")
    parser.add_argument("--quick", action="store_true", help="a shorter run")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the result into its section of FILE")
    options = parser.parse_args()
    on = machine()
    root = options.folder or Path(tempfile.mkdtemp(prefix="uw-bench-", dir="/tmp"))
    root.mkdir(exist_ok=True)
    root.chmod(0o755)
    try:
        if options.part == "pairs":
            rows = options.rows or (100_000 if options.quick else 1_000_000)
            lines = asyncio.run(pairs(root, rows, 2 if options.quick else 3))
            text = table(("copy", "times", "rows a second", "seconds (median)"), lines)
            title = f"SQLite → PostgreSQL, {rows:,} rows"
        else:
            rows = options.rows or (1_000_000 if options.quick else 10_000_000)
            found = asyncio.run(memory(root, rows, options.seconds))
            if found is None:
                print("the time is over; the next run in the same folder goes on")
                return
            text = table(("resident memory", "value"), found)
            title = f"SQLite → PostgreSQL, the memory of {rows:,} rows"
    finally:
        if not options.folder:
            shutil.rmtree(root, ignore_errors=True)
    print(text)
    command = f"python -m bench.copying --part {options.part}"
    put(options.write, f"copy-{options.part}", title, command, on, text)


if __name__ == "__main__":
    main()
