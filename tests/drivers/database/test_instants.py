"""What was written since a backup: counted in the rows, whatever the server's counters say by then."""

from __future__ import annotations

import asyncio
import itertools

import asyncpg
import pytest

from underway.drivers.database.dumps import PostgresDumps
from underway.drivers.database.instants import PostgresInstants
from underway.terms.secret import Secret

BASE = """
CREATE TABLE notes (id int PRIMARY KEY, text text); INSERT INTO notes SELECT i, 'old' FROM generate_series(1, 100) i;
CREATE TABLE "Odd name" (id int); CREATE SCHEMA side; CREATE TABLE side.tags (id int);
CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('one');
"""
_names = (f"instants-{number}" for number in itertools.count())


@pytest.fixture
def counted(served, tmp_path):
    """Counts what `work(connect, instant, held)` wrote to a database since its backup. `before` comes before the backup
    and returns `held`; `work` returns the spans of its migrations."""

    def count(work, before=None):
        async def run():
            database, app, password = served(), next(_names), Secret("instants-of-a-test")
            address = await database.provision(app, password)
            opened = []

            async def connect():
                opened.append(
                    await asyncpg.connect(
                        host=address.host,
                        port=address.port,
                        user=address.user,
                        database=address.database,
                        password=password.reveal(),
                    )
                )
                return opened[-1]

            try:
                instants = PostgresInstants(database)
                await (await connect()).execute(BASE)
                held = await before(connect) if before else None
                part = await PostgresDumps(database).dump(app, str(tmp_path))
                spans = await work(connect, lambda: instants.now(app), held)
                return await instants.since(app, part.instant, part.tables, spans or ())
            finally:
                for connection in opened:
                    connection.terminate()
                await database.drop(app)

        return asyncio.run(run())

    return count


def test_nothing_is_said_to_be_written_when_nothing_was(counted):
    async def read(connect, instant, held):
        assert await (await connect()).fetchval("SELECT count(*) FROM notes") == 100

    since = counted(read)

    assert (since.rows, since.gone, since.unsure, since.uncounted, since.why_not) == ({}, {}, {}, (), "")


def test_it_is_counted_at_once_what_was_inserted_changed_and_deleted(counted):
    async def write(connect, instant, held):
        connection = await connect()
        await connection.execute("INSERT INTO notes VALUES (101, 'new'), (102, 'new')")
        await connection.execute("UPDATE notes SET text = 'other' WHERE id = 1")
        await connection.execute("DELETE FROM notes WHERE id IN (2, 3)")
        await connection.execute('INSERT INTO "Odd name" VALUES (1); INSERT INTO side.tags VALUES (1), (2)')
        with pytest.raises(asyncpg.UniqueViolationError):  # rolled back: the counters would have it
            await connection.execute("INSERT INTO notes VALUES (200, 'x'), (101, 'x')")

    since = counted(write)

    assert since.rows == {"notes": 3, "Odd name": 1, "side.tags": 2}
    assert since.gone == {"notes": 3}
    assert not since.unsure


def test_a_transaction_that_was_open_when_the_backup_was_made_is_later(counted):
    async def begin(connect):
        connection = await connect()
        await connection.execute("BEGIN")
        await connection.execute("INSERT INTO notes VALUES (101, 'before the backup, and not in it')")
        ended = await connect()  # begun later, over sooner: it is in the backup
        await ended.execute("INSERT INTO side.tags VALUES (1)")
        return connection

    async def commit(connect, instant, held):
        await held.execute("COMMIT")

    since = counted(commit, before=begin)

    assert since.rows == {"notes": 1}
    assert not since.gone


def test_what_a_migration_wrote_is_told_apart(counted):
    async def migrate(connect, instant, held):
        connection = await connect()
        await connection.execute("INSERT INTO notes VALUES (101, 'while it was tried on a copy')")
        began = await instant()
        await connection.execute("UPDATE alembic_version SET version_num = 'two'")
        await connection.execute("UPDATE notes SET text = 'filled' WHERE id <= 10")
        ended = await instant()
        await connection.execute("INSERT INTO notes VALUES (102, 'after it')")
        return [(began, ended)]

    since = counted(migrate)

    assert since.rows == {"notes": 2}
    assert since.unsure == {"notes": 10}
    assert not since.gone, "those that the migration wrote again are there"


def test_a_table_that_is_locked_is_named_and_not_called_unchanged(counted):
    async def lock(connect, instant, held):
        await (await connect()).execute("INSERT INTO side.tags VALUES (1)")
        connection = await connect()
        await connection.execute("BEGIN; LOCK TABLE notes")

    since = counted(lock)

    assert since.uncounted == ("notes",)
    assert since.rows == {"side.tags": 1}


def test_in_another_database_nothing_is_counted(served, tmp_path):
    async def run():
        database, app = served(), next(_names)
        try:
            await database.provision(app, Secret("instants-of-a-test"))
            part = await PostgresDumps(database).dump(app, str(tmp_path))
            await database.drop(app)
            await database.provision(app, Secret("instants-of-a-test"))
            return await PostgresInstants(database).since(app, part.instant, part.tables, ())
        finally:
            await database.drop(app)

    assert "replaced" in asyncio.run(run()).why_not
