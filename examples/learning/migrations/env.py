"""Runs the migrations over asyncpg, the driver the app itself uses."""

import asyncio
import os
from logging.config import fileConfig

import asyncpg
from alembic import context
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.db import plain_dsn

# Two deploys must not migrate at once; the number is arbitrary and only has to stay the same.
MIGRATION_LOCK = 7_405_861_203

if context.config.config_file_name:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)


def made_by_newer_release(connection: Connection) -> set[str]:
    """Revisions of the database that this release does not know. Migrations only ever add, so it can live with them:
    without this an older release could not be deployed again."""
    known = {one.revision for one in ScriptDirectory.from_config(context.config).walk_revisions()}
    found = set(MigrationContext.configure(connection).get_current_heads())
    connection.rollback()  # ends the transaction that reading began: each migration has its own
    return found - known


def run(connection: Connection) -> None:
    if newer := made_by_newer_release(connection):
        print(f"The database is at {', '.join(sorted(newer))}, made by a newer release. It is left as it is.")
        return
    context.configure(connection=connection, target_metadata=None, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


async def migrate() -> None:
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        raise SystemExit("DATABASE_URL is not set: name the database to migrate.")

    async def connect() -> asyncpg.Connection:
        # A migration that waits for a lock makes the live app wait behind it: give up early instead.
        return await asyncpg.connect(plain_dsn(url), timeout=10, server_settings={"lock_timeout": "5s"})

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=pool.NullPool)
    async with engine.connect() as lock, engine.connect() as connection:
        await lock.execute(text("set lock_timeout = '60s'"))
        await lock.execute(text(f"select pg_advisory_lock({MIGRATION_LOCK})"))
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(migrate())
