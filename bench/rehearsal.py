"""How well a rehearsal predicts: a table of a million rows is written again, first on a copy and then for real.

    python -m bench.rehearsal [ROWS]

Prints the predicted and the measured time of the statement and of the lock, and their ratio, and how long a table of
the size that the lint calls small takes.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import asyncpg

from underway.drivers.database.postgres import PostgresDatabase
from underway.drivers.database.rehearsals import PostgresRehearsals
from underway.drivers.database.schemas import PostgresSchemas
from underway.drivers.database.scratch import PostgresScratches
from underway.lint.lint import SMALL_BYTES
from underway.ports.schemas import Purpose
from underway.terms.home import Home
from underway.terms.secret import Secret

APP = "rehearsed"
STATEMENT = "ALTER TABLE items ALTER COLUMN n TYPE bigint"
PASSWORD = Secret("of-a-bench")


async def main(rows: int) -> dict[str, object]:
    root = Path(tempfile.mkdtemp(prefix="uw-bench-"))
    root.chmod(0o755)
    database = PostgresDatabase(Home(root / "home"))
    try:
        return await measure(database, rows)
    finally:
        await database.stop()
        shutil.rmtree(root, ignore_errors=True)


async def measure(database: PostgresDatabase, rows: int) -> dict[str, object]:
    schemas, rehearsals = PostgresSchemas(database), PostgresRehearsals(database)
    scratches = PostgresScratches(database.home, database)
    address = await database.provision(APP, PASSWORD)

    async def connect(user: str, password: Secret, name: str) -> asyncpg.Connection:
        return await asyncpg.connect(
            host=address.host, port=address.port, user=user, password=password.reveal(), database=name
        )

    live = await connect(address.user, PASSWORD, address.database)
    await live.execute(
        "CREATE TABLE items AS SELECT i AS id, i AS n, md5(i::text) AS name, now() AS at"
        f" FROM generate_series(1, {rows}) i; ALTER TABLE items ADD PRIMARY KEY (id); CREATE INDEX ON items (name);"
    )
    small_rows = rows * SMALL_BYTES // max(await live.fetchval("SELECT pg_total_relation_size('items')"), 1)
    await live.execute(
        "CREATE TABLE small AS SELECT i AS id, i AS n, md5(i::text) AS name, now() AS at"
        f" FROM generate_series(1, {small_rows}) i; ALTER TABLE small ADD PRIMARY KEY (id);"
        " CREATE INDEX ON small (name);"
    )
    began = time.monotonic()
    scratch = await scratches.clone(APP, PASSWORD)
    login = await schemas.open_login(APP, Purpose.MIGRATE, Secret("bench"), lock_timeout_s=5.0, statement_timeout_s=0.0)

    async def work() -> bool:
        connection = await connect(login.address.user, login.password, scratch.at.database)
        await connection.execute(STATEMENT)
        await connection.close()
        return True

    observed = await rehearsals.observe(scratch, work)
    await scratches.drop(scratch)
    rehearsal_s = time.monotonic() - began
    began = time.monotonic()
    await live.execute(STATEMENT)
    real_s = time.monotonic() - began
    began = time.monotonic()
    await live.execute(STATEMENT.replace("items", "small"))
    small_s = time.monotonic() - began
    await live.close()
    (table,) = [table for table in observed.tables if table.is_rewritten]
    (lock,) = [lock for lock in observed.locks if lock.table == "items"]
    (ran,) = observed.statements
    return {
        "rows": rows,
        "table_mb": round(table.was_bytes / 1e6),
        "predicted_rewrite_of": table.table,
        "predicted_rows": table.rows,
        "predicted_lock": f"{lock.mode}, stops {lock.stops}",
        "predicted_s": ran.took_s,
        "predicted_lock_s": lock.held_s,
        "real_s": round(real_s, 3),
        "ratio": round(ran.took_s / real_s, 2),
        "copy_s": round(scratch.took_s, 2),
        "whole_rehearsal_s": round(rehearsal_s, 2),
        "small_table_s": round(small_s, 3),
        "load": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))))
