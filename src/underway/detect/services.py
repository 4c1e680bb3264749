"""PostgreSQL, Redis, and what Underway cannot give."""

from __future__ import annotations

import re

from underway.detect.django import Django
from underway.detect.env_names import is_engine, postgres_part, redis_part
from underway.detect.index import Index
from underway.detect.model import Notes
from underway.detect.python_code import PythonCode
from underway.detect.python_project import PythonProject
from underway.detect.starts import Starts
from underway.detect.variables import Variable

POSTGRES_DRIVERS = (
    "psycopg2", "psycopg2-binary", "psycopg", "psycopg-binary", "asyncpg", "pg8000", "aiopg", "psycopg-pool",
    "databases", "tortoise-orm", "piccolo", "quart-db",
)  # fmt: skip
_ANY_DATABASE = ("databases", "tortoise-orm")
"""Drivers of PostgreSQL only where no driver of another database is beside them."""
REDIS_CLIENTS = (
    "redis", "aioredis", "django-redis", "rq", "django-rq", "arq", "channels-redis", "hiredis", "valkey",
    "fastapi-cache2", "flask-caching", "celery",
)  # fmt: skip
_CANNOT = {
    "mysql": "MySQL", "mariadb": "MariaDB", "mongo": "MongoDB", "elasticsearch": "Elasticsearch", "kafka": "Kafka",
    "rabbitmq": "RabbitMQ", "opensearch": "OpenSearch", "meilisearch": "Meilisearch", "neo4j": "Neo4j",
    "memcached": "memcached", "minio": "MinIO (S3)", "cassandra": "Cassandra", "clickhouse-server": "ClickHouse",
    "qdrant": "Qdrant", "weaviate": "Weaviate", "typesense": "Typesense",
}  # fmt: skip


def image_name(image: str) -> str:
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0].lower()


def needs_postgres(
    project: PythonProject | None,
    starts: Starts,
    variables: dict[str, Variable],
    django: Django | None,
    notes: Notes,
) -> bool:
    """True when the app can use PostgreSQL and its settings or its compose file say it does."""
    driver = next((d for d in POSTGRES_DRIVERS if project is not None and project.brings(d)), "")
    if project is not None and driver in _ANY_DATABASE and project.brings(*_MYSQL_CLIENTS):
        return False
    if project is not None and not driver and django is not None and _is_postgres_alone(project, django):
        says = "PostgreSQL: the settings' engine, and the project's own dependencies lack a driver"
        notes.claim("database", says, django.evidence, "services.postgres")
        return True
    if project is None or not driver:
        return _by_engine(project, variables, notes)
    where = project.where(driver)
    is_read = any(postgres_part(name) or one.part or is_engine(name) for name, one in variables.items())
    if django is not None and not django.uses_postgres_engine and not is_read:
        return False
    if django is not None and django.uses_postgres_engine:
        notes.claim("database", f"PostgreSQL: the settings' engine, with {driver}", where, "services.postgres")
        return True
    for image, evidence in starts.images:
        if image_name(image) in ("postgres", "postgis", "pgvector", "timescaledb", "postgresql"):
            notes.claim(
                "database",
                f"PostgreSQL: compose runs {image}, and the app depends on {driver}",
                evidence,
                "services.postgres",
            )
            return True
    for name, one in variables.items():
        if postgres_part(name) or one.part or is_engine(name):
            notes.claim(
                "database",
                f"PostgreSQL: {name} is read, and the app depends on {driver}",
                one.evidence,
                "services.postgres",
            )
            return True
    return False


_MYSQL_CLIENTS = ("pymysql", "mysqlclient", "aiomysql", "asyncmy", "mysql-connector-python", "flask-mysqldb")


def _is_postgres_alone(project: PythonProject, django: Django) -> bool:
    """True for settings that know no database but PostgreSQL, which do not load without a driver."""
    return django.uses_postgres_engine and not django.sqlite and not project.brings(*_MYSQL_CLIENTS)


def _by_engine(project: PythonProject | None, variables: dict[str, Variable], notes: Notes) -> bool:
    """An app that is told its kind of server and has no client of any: PostgreSQL is one that it can be given."""
    if project is None or project.brings(*_MYSQL_CLIENTS) or not any(postgres_part(name) for name in variables):
        return False
    for name, one in variables.items():
        if is_engine(name) and re.fullmatch(r"(mysql|mariadb|postgres(ql)?)(\+\w+)?", one.default or ""):
            says = f"PostgreSQL: {name} names the kind of server, and no client of any is among the dependencies"
            notes.claim("database", says, one.evidence, "services.postgres")
            return True
    return False


def needs_redis(project: PythonProject | None, starts: Starts, variables: dict[str, Variable], notes: Notes) -> bool:
    """True when a client is installed and a setting of the app's or a compose service names a server."""
    client = next((c for c in REDIS_CLIENTS if project is not None and project.has(c)), "")
    if not client:
        return False
    for image, evidence in starts.images:
        if image_name(image) in ("redis", "valkey", "redis-stack", "keydb", "redis-stack-server"):
            notes.claim(
                "redis", f"Redis: compose runs {image}, and the app depends on {client}", evidence, "services.redis"
            )
            return True
    for name, one in variables.items():
        part = redis_part(name)
        known = one.known_values
        speaks = any(v.startswith(("redis", "valkey")) for v in known)
        if part and (speaks or (one.is_required and "REDIS" in name)):
            notes.claim(
                "redis", f"Redis: {name} is read, and the app depends on {client}", one.evidence, "services.redis"
            )
            return True
    return False


def has_redis_password(variables: dict[str, Variable], given: dict[str, str], notes: Notes) -> bool:
    """False when the app reads the host of a Redis and nothing beside it that could carry a password.

    `CACHE_REDIS_HOST` is answered by `CACHE_REDIS_PASSWORD`, by `REDIS_PASSWORD` and by an address of its own.
    """
    if "REDIS_URL" in variables:
        return True
    secrets = [_lead(name) for name, part in given.items() if part in ("password", "url")]
    for name, part in given.items():
        if part == "host" and not any(_lead(name).startswith(lead) for lead in secrets):
            says = f"without a password: {name} is read, and nothing that could carry one"
            notes.claim("redis", says, variables[name].evidence, "services.redis.password")
            return False
    return True


def _lead(name: str) -> str:
    """`REDIS_CACHE` for `REDIS_CACHE_HOST`."""
    return name.rpartition("_")[0]


def foreign_services(starts: Starts, notes: Notes) -> None:
    """Name what compose runs and Underway does not provide."""
    for image, evidence in starts.images:
        name = image_name(image)
        if name in _CANNOT:
            notes.claim("service", f"{_CANNOT[name]} ({image}) is not provided: give its address in [env]", evidence)


def postgres_scheme(
    index: Index,
    code: PythonCode,
    starts: Starts,
    project: PythonProject | None,
    variables: dict[str, Variable],
    given: dict[str, str],
) -> tuple[str, str]:
    """The scheme for addresses, and why: an example in the repository, compose's value, else what the driver needs."""
    urls = [
        variables[n]
        for n in ("DATABASE_URL", *given)
        if n in variables and (given.get(n) == "url" or n == "DATABASE_URL")
    ]
    for one in urls:
        for value in one.known_values:
            found = re.match(r"(postgres(?:ql)?(?:\+[a-z0-9_]+)?)://", value)
            if found:
                return found[1], f"the example of {one.name}"
    for one in urls:
        value, at = starts.environment.get(one.name, ("", None))
        found = re.match(r"(postgres(?:ql)?(?:\+[a-z0-9_]+)?)://", value)
        if found:
            return found[1], f"what {at} gives {one.name}"
    if project is None or not urls:
        return "postgresql", ""
    makes_async = any(
        call.name.rpartition(".")[2] in ("create_async_engine", "async_engine_from_config")
        for file in code.files.values()
        for call in file.calls
    )
    if project.has("asyncpg") and makes_async and not _rewrites_scheme(index, code):
        return "postgresql+asyncpg", "SQLAlchemy's asyncio engine with asyncpg"
    if project.has("tortoise-orm"):
        return "postgres", "Tortoise ORM knows no other"
    if project.has("sqlalchemy", "flask-sqlalchemy", "sqlmodel") and not project.has("psycopg2", "psycopg2-binary"):
        if project.has("psycopg", "psycopg-binary"):
            return "postgresql+psycopg", "SQLAlchemy with psycopg 3"
        if project.has("pg8000"):
            return "postgresql+pg8000", "SQLAlchemy with pg8000"
    return "postgresql", ""


def with_own_schemes(variables: dict[str, Variable], given: dict[str, str], scheme: str) -> dict[str, str]:
    """Parts by variable; an address whose example has another scheme than `DATABASE_URL` says so."""
    out = dict(given)
    for name, part in given.items():
        for value in variables[name].known_values if part == "url" and name in variables else ():
            found = re.match(r"(postgres(?:ql)?(?:\+[a-z0-9_]+)?)://", value)
            if found and found[1] != scheme:
                out[name] = f"url:{found[1]}"
    return out


def _rewrites_scheme(index: Index, code: PythonCode) -> bool:
    """True when the app itself puts the driver into the address it is given."""
    return any(re.search(r"replace\(\s*['\"]postgres(ql)?://", index.text(path)) for path in code.files)
