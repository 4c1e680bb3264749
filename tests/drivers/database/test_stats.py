"""How a database is, read from a real one while others use it."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import pytest

from underway.drivers.database import stats as driver
from underway.drivers.database.stats import PostgresStats
from underway.terms.secret import Secret


def test_a_session_that_lets_others_wait_is_told_and_no_value_shows(served):
    async def run():
        database, app, password = served(), "stats-app", Secret("of-the-stats-app")
        address = await database.provision(app, password)

        async def connect():
            return await asyncpg.connect(
                host=address.host,
                port=address.port,
                user=address.user,
                database=address.database,
                password=password.reveal(),
            )

        holder, waiter = await connect(), await connect()
        try:
            await holder.execute("CREATE TABLE people (id int, phone bigint, name text)")
            await holder.execute("INSERT INTO people SELECT i, i, 'x' FROM generate_series(1, 5000) i")
            await holder.execute("DELETE FROM people WHERE id > 100")
            transaction = holder.transaction()
            await transaction.start()
            await holder.execute("LOCK TABLE people")
            waiting = asyncio.ensure_future(
                waiter.execute("UPDATE people SET name = 'Ada Lovelace' WHERE phone = 4917012345")
            )
            deadline = time.monotonic() + 20
            while True:
                found = await PostgresStats(database).read(app)
                if any(it.waits_for for it in found.transactions):
                    break
                assert time.monotonic() < deadline, found
                await asyncio.sleep(0.05)
            bounds = await PostgresStats(database).connections(app)
            await transaction.rollback()
            await waiting
            return found, bounds
        finally:
            await holder.close()
            await waiter.close()
            await database.drop(app)

    found, (most, left) = asyncio.run(run())

    (blocked,) = [it for it in found.transactions if it.waits_for]
    assert blocked.waits_for == "people"
    assert "Ada" not in blocked.statement
    assert "4917012345" not in blocked.statement
    assert "UPDATE people SET name" in blocked.statement
    (blocker,) = [it for it in found.transactions if it.blocks]
    assert blocker.blocks == 1
    assert found.connections >= 2
    assert found.size_bytes > 1_000_000
    assert found.app_connections == most
    assert 0 < left < found.max_connections
    assert driver.LONG_S > 1


def test_the_statements_that_took_longest_are_told_without_their_values(served):
    async def run():
        database, app, password = served(), "stats-slow", Secret("of-the-slow-app")
        if "pg_stat_statements" not in (await database.installation()).extensions():
            pytest.skip("this PostgreSQL has no pg_stat_statements")
        address = await database.provision(app, password)
        connection = await asyncpg.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            database=address.database,
            password=password.reveal(),
        )
        try:
            await connection.execute("CREATE TABLE people (id int, name text)")
            for name in ("Ada", "Grace"):
                await connection.execute(f"SELECT pg_sleep(0.1) FROM generate_series(1, 2) WHERE '{name}' <> 'x'")
            await connection.execute("ALTER TABLE people ADD COLUMN note text DEFAULT 'Ada'")
            return await PostgresStats(database).read(app)
        finally:
            await connection.close()
            await database.drop(app)

    found = asyncio.run(run())

    assert found.has_statements
    slowest = found.slow[0]
    assert "pg_sleep" in slowest.statement
    assert slowest.calls == 2, "the same statement with other values is one"
    assert slowest.mean_ms >= 200
    assert not [it for it in found.slow if "Ada" in it.statement or "pg_stat_activity" in it.statement]
