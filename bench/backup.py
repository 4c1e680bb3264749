"""Backup and restore in MB/s, against bare pg_dump and pg_restore on the same server in the same run.

Each measure is taken in turn with its bare counterpart, several times over, so that other work on the machine
falls on both. A backup is the dump with its checksum, the counts of every table and the digest of the schema; a
restore is checksums compared, the dump restored beside the live database, and what was restored counted.
Run it: `python -m bench.backup`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.lone_home import APP, WORD, On
from bench.report import machine, options, put, table
from underway.drivers.database.tools import ClientTools
from underway.steps.back_up import BackupAsk, take_backup
from underway.terms.backup import Backup, Reason, differences
from underway.terms.home import Home
from underway.terms.release import release_id


async def measure(root: Path, rows: int, times: int) -> list[tuple[object, ...]]:
    on = On(Home(root))
    await on.database.provision(APP, WORD)
    tools = await on.database.client()
    fill = "CREATE TABLE t (n bigint PRIMARY KEY, a text, b timestamptz, c double precision);"
    fill += " INSERT INTO t SELECT n, md5(n::text) || md5((n * 7)::text), now(), random()"
    fill += f" FROM generate_series(1, {rows}) n; CREATE INDEX ON t (a);"
    for script in (fill, "ALTER TABLE t OWNER TO app_shop; ANALYZE t; CHECKPOINT;"):
        ended = await tools.sql("app_shop", script)
        assert ended.exit_code == 0, ended.err
    size = int((await tools.sql("app_shop", "SELECT pg_database_size('app_shop');")).out)
    ours: dict[str, list[float]] = {"backup": [], "restore": []}
    bare: dict[str, list[float]] = {"backup": [], "restore": []}
    for number in range(times + 1):
        file = root / f"bare-{number}.dump"
        took: dict[str, float] = {}
        made: list[Backup] = []

        async def backup(number: int = number, took: dict[str, float] = took, made: list[Backup] = made) -> None:
            began = time.perf_counter()
            ask = BackupAsk(app=APP, id=release_id(time.time(), number), reason=Reason.ASKED, has_postgres=True)
            made.append(await take_backup(ask, on))
            took["backup"] = time.perf_counter() - began

        async def bare_backup(file: Path = file, took: dict[str, float] = took) -> None:
            words = ("--format=custom", f"--file={file}", "--dbname=app_shop")
            took["bare backup"] = await _bare(tools, "pg_dump", *words)

        async def restore(took: dict[str, float] = took, made: list[Backup] = made) -> None:
            began = time.perf_counter()
            assert await on.backups.damage(APP, made[0].id) == ""
            part = made[0].parts[0]
            found = await on.dumps.restore_beside(APP, on.backups.file(APP, made[0].id, part.file))
            assert differences(part, found) == ()
            took["restore"] = time.perf_counter() - began

        async def bare_restore(file: Path = file, took: dict[str, float] = took) -> None:
            began = time.perf_counter()
            await tools.sql("postgres", "DROP DATABASE IF EXISTS bare; CREATE DATABASE bare TEMPLATE template0;")
            jobs = f"--jobs={min(4, os.cpu_count() or 1)}"
            await _bare(tools, "pg_restore", jobs, "--dbname=bare", str(file))
            took["bare restore"] = time.perf_counter() - began

        for pair in ((backup, bare_backup), (restore, bare_restore)):
            for one in pair if number % 2 else reversed(pair):  # each is as often the first as the second
                await one()
        on.backups.remove(APP, made[0].id)
        file.unlink()
        if number:  # the first warms the caches
            for what in ours:
                ours[what].append(took[what])
                bare[what].append(took[f"bare {what}"])
    await on.database.stop()
    lines: list[tuple[object, ...]] = []
    for what, name in (("backup", "pg_dump -Fc"), ("restore", "dropdb, createdb and pg_restore")):
        over = [(mine / theirs - 1) * 100 for mine, theirs in zip(ours[what], bare[what], strict=True)]
        mb = size / 1e6
        lines.append(
            (
                what,
                f"{mb / median(ours[what]):.0f} MB/s ({_from_to(ours[what])})",
                f"{name}: {mb / median(bare[what]):.0f} MB/s ({_from_to(bare[what])})",
                f"{median(over):+.1f} % ({min(over):+.1f} to {max(over):+.1f})",
            )
        )
    lines.append(("database", f"{size / 1e6:.0f} MB, {rows:,} rows", f"{times} pairs", ""))
    return lines


def _from_to(took_s: list[float]) -> str:
    """Seconds: the median, the shortest and the longest."""
    return f"{median(took_s):.2f} s, {min(took_s):.2f} to {max(took_s):.2f}"


async def _bare(tools: ClientTools, program: str, *words: str) -> float:
    """Seconds that the program takes by itself, its output on the disk."""
    began = time.perf_counter()
    argv = [tools.installation.program(program), *words]
    await asyncio.to_thread(subprocess.run, argv, env=tools.env, check=True, cwd="/")
    for word in words:
        if word.startswith("--file="):
            await asyncio.to_thread(_sync, word.removeprefix("--file="))
    return time.perf_counter() - began


def _sync(path: str) -> None:
    """As ours does it: a dump is there once it is on the disk."""
    with open(path, "rb") as made:
        os.fsync(made.fileno())


def main() -> None:
    chosen = options(__doc__)
    on = machine()
    root = Path(tempfile.mkdtemp(prefix="uw-bench-", dir="/tmp"))
    root.chmod(0o755)
    try:
        lines = asyncio.run(measure(root, 200_000 if chosen.quick else 1_000_000, 4 if chosen.quick else 12))
    finally:
        shutil.rmtree(root, ignore_errors=True)
    text = table(("what", "Underway", "bare", "overhead (median of pairs, and their range)"), lines)
    print(text)
    put(chosen.write, "backup", "Backup and restore", "python -m bench.backup", on, text)


if __name__ == "__main__":
    main()
