"""The connection pool."""

import asyncio
import logging
from typing import Annotated

import asyncpg
from fastapi import Depends
from starlette.requests import HTTPConnection

from app.release import VERSION

log = logging.getLogger("uvicorn.error")

SMALLEST_POOL, LARGEST_POOL = 2, 10
STATEMENT_TIMEOUT_S = 5
PATIENCE_S = 10  # how long the start waits for a database that is still coming up


def plain_dsn(url: str) -> str:
    """The URL as asyncpg wants it: SQLAlchemy's `+driver` part is left out."""
    scheme, separator, rest = url.partition("://")
    return scheme.split("+", 1)[0] + separator + rest


async def open_pool(url: str) -> asyncpg.Pool:
    """A pool of 2 to 10 connections. Raises what the last attempt raised when there is no database within 10 s."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + PATIENCE_S
    while True:
        try:
            return await asyncpg.create_pool(
                plain_dsn(url),
                min_size=SMALLEST_POOL,
                max_size=LARGEST_POOL,
                timeout=5,
                command_timeout=STATEMENT_TIMEOUT_S + 1,
                max_inactive_connection_lifetime=300,
                server_settings={
                    "application_name": f"letter-meadow {VERSION}",
                    "statement_timeout": f"{STATEMENT_TIMEOUT_S}s",
                    "idle_in_transaction_session_timeout": "10s",
                },
            )
        except (OSError, asyncpg.CannotConnectNowError) as error:
            if loop.time() > give_up_at:
                raise
            log.warning("The database does not answer yet (%s), trying again.", error)
            await asyncio.sleep(0.5)


def pool_of(connection: HTTPConnection) -> asyncpg.Pool:
    return connection.app.state.pool


Pool = Annotated[asyncpg.Pool, Depends(pool_of)]
