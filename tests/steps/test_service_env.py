"""What an app finds in its environment, as the libraries it uses read it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from asyncpg.connect_utils import _parse_connect_dsn_and_args  # the very parser that apps use
from hypothesis import given
from hypothesis import strategies as st
from redis.connection import parse_url

from underway.manifest.services import Postgres, Redis
from underway.ports.services import CacheAddress, DatabaseAddress
from underway.steps.service_env import service_env
from underway.terms.problem import Refusal
from underway.terms.secret import Secret

DATABASE = DatabaseAddress(host="127.0.0.1", port=15432, user="app_my-shop", database="app_my-shop")
CACHE = CacheAddress(host="127.0.0.1", port=18400)


def revealed(found: Mapping[str, Secret]) -> dict[str, str]:
    return {name: secret.reveal() for name, secret in found.items()}


def of_database(postgres: Postgres, password: str = "pw", at: DatabaseAddress = DATABASE) -> dict[str, str]:
    return revealed(service_env(postgres, None, database=at, database_password=Secret(password)))


def test_a_provided_database_comes_as_url_and_in_parts() -> None:
    assert of_database(Postgres()) == {
        "DATABASE_URL": "postgresql://app_my-shop:pw@127.0.0.1:15432/app_my-shop",
        "PGHOST": "127.0.0.1",
        "PGPORT": "15432",
        "PGUSER": "app_my-shop",
        "PGPASSWORD": "pw",
        "PGDATABASE": "app_my-shop",
    }


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg"])
def test_the_url_has_the_scheme_of_the_apps_driver(scheme: str) -> None:
    assert of_database(Postgres(scheme=scheme))["DATABASE_URL"].startswith(f"{scheme}://app_my-shop:")


def test_further_names_get_the_part_they_ask_for() -> None:
    parts = ("url", "host", "port", "user", "password", "database")
    found = of_database(Postgres(scheme="postgres", env={f"DB_{part.upper()}": part for part in parts}))
    usual = ("DATABASE_URL", "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE")
    assert [found[f"DB_{part.upper()}"] for part in parts] == [found[name] for name in usual]


def test_a_provided_redis_comes_as_url_and_in_parts() -> None:
    redis = Redis(env={"CELERY_BROKER_URL": "url", "CACHE_PASSWORD": "password"})
    found = revealed(service_env(None, redis, cache=CACHE, cache_password=Secret("pw")))
    assert found == {
        "REDIS_URL": "redis://:pw@127.0.0.1:18400/0",
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": "18400",
        "REDIS_PASSWORD": "pw",
        "CELERY_BROKER_URL": "redis://:pw@127.0.0.1:18400/0",
        "CACHE_PASSWORD": "pw",
    }


def test_no_service_no_variable() -> None:
    assert service_env(None, None) == {}
    assert service_env(Postgres(), Redis()) == {}


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40))
def test_any_password_is_read_back_by_the_libraries(password: str) -> None:
    url = of_database(Postgres(), password)["DATABASE_URL"]
    _, read = _parse_connect_dsn_and_args(
        dsn=url, host=None, port=None, user=None, password=None, passfile=None, database=None, ssl="disable",
        service=None, servicefile=None, direct_tls=None, server_settings=None, target_session_attrs=None,
        krbsrvname=None, gsslib=None,
    )  # fmt: skip
    assert (read.user, read.password, read.database) == ("app_my-shop", password, "app_my-shop")
    redis = revealed(service_env(None, Redis(), cache=CACHE, cache_password=Secret(password)))
    assert parse_url(redis["REDIS_URL"])["password"] == password


def test_a_redis_without_a_password_is_addressed_without_one() -> None:
    found = revealed(service_env(None, Redis(has_password=False), cache=CACHE, cache_password=Secret("")))
    assert found["REDIS_URL"] == f"redis://{CACHE.host}:{CACHE.port}/0"
    assert "REDIS_PASSWORD" not in found


def test_an_ipv6_host_is_bracketed_in_the_url_alone() -> None:
    at = DatabaseAddress(host="::1", port=5432, user="u", database="d")
    found = of_database(Postgres(), at=at)
    assert found["DATABASE_URL"] == "postgresql://u:pw@[::1]:5432/d"
    assert found["PGHOST"] == "::1"


def test_an_address_of_the_users_own_is_taken_apart_and_gets_the_apps_scheme() -> None:
    own = "postgres://ann%40shop:p%2Fw@db.example.com:6432/live%20data?sslmode=require"
    postgres = Postgres(url=own, scheme="postgresql+asyncpg", env={"DB_NAME": "database"})
    assert of_database(postgres) == {
        "DATABASE_URL": "postgresql+asyncpg" + own.removeprefix("postgres"),
        "PGHOST": "db.example.com",
        "PGPORT": "6432",
        "PGUSER": "ann@shop",
        "PGPASSWORD": "p/w",
        "PGDATABASE": "live data",
        "DB_NAME": "live data",
    }


def test_an_own_address_sets_nothing_that_it_does_not_say() -> None:
    redis = Redis(url="rediss://cache.example.com", env={"CACHE_PASSWORD": "password"})
    assert revealed(service_env(None, redis)) == {
        "REDIS_URL": "rediss://cache.example.com",
        "REDIS_HOST": "cache.example.com",
    }


def test_an_address_may_be_kept_under_a_name() -> None:
    references = {"PROD_DB": Secret("postgresql://u:pw@db/live"), "PROD_CACHE": Secret("redis://:word@cache:6379/2")}
    found = revealed(service_env(Postgres(url="${PROD_DB}"), Redis(url="${PROD_CACHE}"), references=references))
    assert (found["PGHOST"], found["PGPASSWORD"]) == ("db", "pw")
    assert (found["REDIS_URL"], found["REDIS_PASSWORD"]) == ("redis://:word@cache:6379/2", "word")


def test_every_address_that_cannot_be_used_is_said_at_once_and_never_shown() -> None:
    references = {"PROD_CACHE": Secret("redis://:CANARY@cache:not-a-port/0")}
    with pytest.raises(Refusal) as refused:
        service_env(Postgres(url="${PROD_DB}"), Redis(url="${PROD_CACHE}"), references=references)
    problems = refused.value.problems
    assert [(p.code, p.where) for p in problems] == [
        ("services.reference-missing", "services.postgres.url"),
        ("services.url", "services.redis.url"),
    ]
    assert "PROD_DB" in problems[0].why
    assert "CANARY" not in str(refused.value)
