"""One reading of a database, for whoever asks: command line, API, dashboard, alerts."""

from __future__ import annotations

import msgspec

from underway.ports.database_stats import DatabaseStats
from underway.ports.replicas import Replicas
from underway.terms.database_health import LATE_S, DatabaseHealth, Follower


async def read_database(app: str, stats: DatabaseStats, replicas: Replicas) -> DatabaseHealth:
    """How the app's database is now, with what follows it and its SQLite files. Raises `Failure` (`postgres.stats`)."""
    health = await stats.read(app)
    return msgspec.structs.replace(health, followers=(*health.followers, *replicas.behind(app)))


def late(followers: tuple[Follower, ...]) -> tuple[Follower, ...]:
    """Those that are so far behind that a person should know."""
    return tuple(it for it in followers if (it.behind_s or 0.0) > LATE_S)
