"""Applies what is new in migrations/*.sql, in one transaction each."""

import asyncio
import os
from pathlib import Path

import asyncpg


async def main():
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    await connection.execute("CREATE TABLE IF NOT EXISTS applied (name text PRIMARY KEY)")
    for path in sorted(Path(__file__).with_name("migrations").glob("*.sql")):
        async with connection.transaction():
            if not await connection.fetchval("SELECT 1 FROM applied WHERE name = $1", path.name):
                await connection.execute(path.read_text())
                await connection.execute("INSERT INTO applied VALUES ($1)", path.name)
                print("applied", path.name)


asyncio.run(main())
