"""A rehearsal tells what a migration really did to a copy."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from bench.rehearsal import main

from underway.drivers.database.rehearsals import PostgresRehearsals
from underway.drivers.database.schemas import PostgresSchemas
from underway.drivers.database.scratch import PostgresScratches
from underway.ports.schemas import Purpose
from underway.terms.secret import Secret

PASSWORD = Secret("of-the-rehearsed-app")


def rehearse(served, app, setup, statements, *, is_atomic=False):
    """What was observed of `statements` on a copy of a database that `setup` made."""

    async def run():
        database = served()
        schemas, rehearsals = PostgresSchemas(database), PostgresRehearsals(database)
        scratches = PostgresScratches(database.home, database)
        address = await database.provision(app, PASSWORD)

        async def connect(user, password, name):
            return await asyncpg.connect(
                host=address.host, port=address.port, user=user, password=password.reveal(), database=name
            )

        live = await connect(address.user, PASSWORD, address.database)
        try:
            await live.execute(setup)
            scratch = await scratches.clone(app, PASSWORD)
            login = await schemas.open_login(
                app, Purpose.MIGRATE, Secret("one"), lock_timeout_s=5, statement_timeout_s=0
            )

            async def work():
                connection = await connect(login.address.user, login.password, scratch.at.database)
                try:
                    if is_atomic:
                        async with connection.transaction():
                            for statement in statements:
                                await connection.execute(statement)
                    else:
                        for statement in statements:
                            await connection.execute(statement)
                finally:
                    await connection.close()
                return True

            observed = await rehearsals.observe(scratch, work)
            before = (await schemas.shape(app)).digest
            await scratches.drop(scratch)
            for statement in statements:
                await live.execute(statement)
            return before, observed, (await schemas.shape(app)).digest
        finally:
            await live.close()
            await database.drop(app)

    was, observed, now = asyncio.run(run())
    assert (observed.was_schema, observed.now_schema) == (was, now), "the live database became what the copy became"
    return observed


def test_a_rewrite_is_seen_with_its_lock_its_rows_and_its_size(served):
    observed = rehearse(
        served,
        "rehearse-rewrite",
        "CREATE TABLE items AS SELECT i AS id, i AS n, md5(i::text) AS name FROM generate_series(1, 200000) i;"
        "CREATE TABLE calm (id int)",
        ["ALTER TABLE items ALTER COLUMN n TYPE bigint", "ALTER TABLE calm ADD COLUMN x int DEFAULT 1"],
    )
    (change,) = [table for table in observed.tables if table.is_rewritten]
    assert change.table == "items"
    assert change.rows == pytest.approx(200_000, rel=0.05)
    locks = {lock.table: lock for lock in observed.locks}
    assert locks["items"].stops == "everything"
    assert locks["items"].held_s > 0.02
    assert locks["calm"].stops == "everything"
    assert [ran.statement for ran in observed.statements] == [
        "ALTER TABLE items ALTER COLUMN n TYPE bigint",
        "ALTER TABLE calm ADD COLUMN x int DEFAULT 1",
    ]
    assert locks["items"].held_s <= observed.took_s
    assert not observed.is_additive
    assert "items.n is bigint, was integer" in observed.changes


def test_what_a_way_there_and_back_loses_is_counted(served):
    async def run():
        database = served()
        scratches, rehearsals = PostgresScratches(database.home, database), PostgresRehearsals(database)
        await database.provision("there-and-back", PASSWORD)
        tools = await database.client()
        made = """SET ROLE "app_there-and-back"; CREATE TYPE mood AS ENUM ('ok', 'bad');
            CREATE TABLE same (id int, at timestamptz, m mood);
            INSERT INTO same SELECT 1, now(), 'ok' FROM generate_series(1, 3);
            CREATE TABLE "odd table" (id int, "odd ""column" text, other int);
            INSERT INTO "odd table" SELECT i, CASE WHEN i <= 4 THEN 'x' END, i FROM generate_series(1, 9) i;
            CREATE TABLE gone (id int); INSERT INTO gone VALUES (1), (2);"""
        ended = await tools.sql("app_there-and-back", made)
        assert not ended.exit_code, ended.err
        scratch = await scratches.clone("there-and-back", PASSWORD)
        try:
            await rehearsals.hold(scratch)
            assert await rehearsals.lost(scratch) == ()
            changed = """ALTER TABLE same ALTER m TYPE text; DROP TYPE mood; ALTER TABLE same ALTER m SET DEFAULT 'ok';
                ALTER TABLE "odd table" DROP COLUMN "odd ""column"; UPDATE "odd table" SET other = 0 WHERE id > 7;
                DROP TABLE gone;"""
            ended = await tools.sql(scratch.at.database, changed)
            assert not ended.exit_code, ended.err
            return await rehearsals.lost(scratch)
        finally:
            await scratches.drop(scratch)
            await database.drop("there-and-back")

    lost = {it.table: (it.rows, it.columns) for it in asyncio.run(run())}
    assert lost == {"odd table": (2, {'odd "column': 4}), "gone": (2, {})}


def test_what_only_adds_is_told_so_and_values_do_not_show(served):
    observed = rehearse(
        served,
        "rehearse-adds",
        "CREATE TABLE items AS SELECT i AS id, '' AS name FROM generate_series(1, 50000) i;"
        "CREATE TYPE mood AS ENUM ('ok')",
        [
            "CREATE TABLE more (id int PRIMARY KEY, item int CHECK (item > 0))",
            "CREATE INDEX CONCURRENTLY i ON items (id)",
            "ALTER TABLE items ADD COLUMN note text DEFAULT 'Ada'",
            "ALTER TYPE mood ADD VALUE 'fine'",
            "UPDATE items SET name = 'Ada' || id",
        ],
    )
    assert observed.is_additive, observed.changes
    assert not [table for table in observed.tables if table.is_rewritten]
    assert {table.table: table.rows_written for table in observed.tables}["items"] == 50_000
    assert not any("Ada" in ran.statement for ran in observed.statements)
    assert any("CONCURRENTLY" in ran.statement for ran in observed.statements)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE items DROP COLUMN name",
        "ALTER TABLE items RENAME COLUMN name TO title",
        "ALTER TABLE items ADD COLUMN need int NOT NULL",
        "ALTER TABLE items ADD CONSTRAINT c CHECK (id > 5) NOT VALID",
        "CREATE UNIQUE INDEX u ON items (id)",
        "DROP TABLE items",
        "DROP VIEW seen",
        "ALTER TABLE items ALTER COLUMN id SET NOT NULL",
    ],
)
def test_what_takes_away_or_asks_for_more_is_not_called_additive(served, statement):
    setup = (
        "CREATE TABLE items (id int, name text); CREATE TABLE other (x int); CREATE VIEW seen AS SELECT x FROM other"
    )
    assert not rehearse(served, "rehearse-takes", setup, [statement]).is_additive


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_rewrite_of_a_million_rows_takes_what_was_predicted_within_a_factor_of_two():
    found = asyncio.run(main(1_000_000))
    assert found["predicted_rewrite_of"] == "items"
    assert found["predicted_lock"] == "AccessExclusiveLock, stops everything"
    assert found["predicted_lock_s"] == pytest.approx(found["predicted_s"], rel=0.2)
    assert 0.5 <= found["ratio"] <= 2
