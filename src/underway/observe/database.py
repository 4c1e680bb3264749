"""One reading of a database, for whoever asks: command line, API, dashboard."""

from __future__ import annotations

from underway.ports.database_stats import DatabaseStats
from underway.terms.database_health import DatabaseHealth


async def read_database(app: str, stats: DatabaseStats) -> DatabaseHealth:
    """How the app's database is now. Raises `Failure` (`postgres.stats`)."""
    return await stats.read(app)
