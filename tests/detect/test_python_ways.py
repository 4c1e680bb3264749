"""Ways of writing a Python app down that only its own sources tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from underway.detect import Detection
from underway.manifest.env_keys import EnvVar
from underway.manifest.model import Manifest

Look = Callable[[Mapping[str, str]], Detection]

ASGI = 'from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get("/")\ndef page(): ...\n'
SETTINGS = "from pydantic_settings import BaseSettings\n\n\nclass Settings(BaseSettings):\n"
POSTGRES = {"compose.yaml": "services:\n  db:\n    image: postgres:16\n"}


def drafted(detection: Detection) -> Manifest:
    assert detection.manifest is not None, detection.problems
    return detection.manifest


def fastapi(settings: str, packages: str = "", **more: str) -> dict[str, str]:
    """An app whose settings are these lines of a class."""
    files = {"main.py": ASGI, "config.py": SETTINGS + settings, "requirements.txt": f"fastapi\nuvicorn\n{packages}"}
    return {**files, **more}


@pytest.mark.parametrize(
    ("files", "command"),
    [
        pytest.param(
            {
                "src/app/asgi.py": "from __future__ import annotations\n\n\ndef create_app() -> Litestar:\n"
                "    from litestar import Litestar\n    from src.app.core import plugins\n\n"
                "    return Litestar(plugins=plugins)\n",
                "src/app/core.py": "plugins = []\n",
                "requirements.txt": "litestar[standard]\n",
            },
            "uvicorn src.app.asgi:create_app --host 127.0.0.1 --port $PORT --factory",
            id="imports-inside-the-factory-tell-where-it-is-imported-from",
        ),
        pytest.param(
            {
                "config/make.py": "from fastapi import FastAPI\n\n\ndef init_app() -> FastAPI:\n    return FastAPI()\n",
                "config/app.py": "def whole():\n    from config.make import init_app\n\n"
                "    app = init_app()\n    return app\n",
                "run.py": "from config.app import whole\n\napp = whole()\n",
                "requirements.txt": "fastapi\nuvicorn\n",
            },
            "uvicorn run:app --host 127.0.0.1 --port $PORT",
            id="an-app-that-a-function-of-a-function-makes-comes-before-a-bare-factory",
        ),
        pytest.param(
            {
                "server.py": "from aiohttp import web\n\n\ndef create_app() -> web.Application:\n"
                "    return web.Application()\n",
                "requirements.txt": "aiohttp\n",
            },
            "gunicorn 'server:create_app()' --bind 127.0.0.1:$PORT --worker-class aiohttp.GunicornWebWorker",
            id="gunicorn-calls-a-plain-factory-of-aiohttp",
        ),
        pytest.param(
            {
                "server.py": "from aiohttp import web\n\n\nasync def create_app():\n    return web.Application()\n",
                "requirements.txt": "aiohttp\n",
            },
            "gunicorn server:create_app --bind 127.0.0.1:$PORT --worker-class aiohttp.GunicornWebWorker",
            id="and-the-worker-awaits-an-asynchronous-one",
        ),
    ],
)
def test_the_app_is_found_where_its_own_functions_make_it(look: Look, files: dict[str, str], command: str) -> None:
    assert drafted(look(files)).processes["web"].command == command


def test_what_the_dockerfile_installs_is_installed(look: Look) -> None:
    files = {"main.py": ASGI, "requirements.txt": "fastapi==0.1\n", "requirements.lock": "fastapi==0.1\nuvicorn==1\n"}
    docker = (
        "FROM python:3.12\nCOPY requirements.lock /tmp/pip/\nRUN pip install \\\n    -r /tmp/pip/requirements.lock\n"
    )
    build = drafted(look({**files, "Dockerfile": docker})).build.python
    assert build is not None
    assert build.requirements == ("requirements.lock",)
    of_developers = docker.replace("requirements.lock", "requirements-dev.txt")
    build = drafted(look({**files, "requirements-dev.txt": "pytest\n", "Dockerfile": of_developers})).build.python
    assert build is not None
    assert build.requirements == ("requirements.txt",)


def test_two_files_that_the_dockerfile_installs_are_both_installed(look: Look) -> None:
    docker = (
        "FROM python:3.12\nCOPY requirements/base.txt /tmp/base.txt\nCOPY requirements/prod.txt /tmp/prod.txt\n"
        "RUN pip install -r /tmp/base.txt && pip install -r /tmp/prod.txt\n"
    )
    files = {"main.py": ASGI, "requirements/base.txt": "fastapi\nuvicorn\n", "requirements/prod.txt": "gunicorn\n"}
    build = drafted(look({**files, "Dockerfile": docker})).build.python
    assert build is not None
    assert build.requirements == ("requirements/base.txt", "requirements/prod.txt")


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        pytest.param("    mode: Literal['DEV', 'TEST', 'PROD']\n", "MODE", "PROD", id="production-among-the-choices"),
        pytest.param("    log_level: Literal['DEBUG', 'INFO']\n", "LOG_LEVEL", "INFO", id="the-usual-one-of-them"),
        pytest.param("    host: str\n", "HOST", "127.0.0.1", id="where-to-listen"),
        pytest.param("    cache_db: int\n", "CACHE_DB", "0", id="the-first-database-of-a-redis"),
        pytest.param("    test_db_name: str\n", "TEST_DB_NAME", "test", id="a-database-for-tests-alone"),
        pytest.param("    test_db_port: int\n", "TEST_DB_PORT", "9", id="and-a-port-where-nobody-answers"),
    ],
)
def test_required_settings_that_need_no_owner(look: Look, settings: str, name: str, value: str) -> None:
    detection = look(fastapi(settings))
    assert drafted(detection).env[name].value == value
    assert detection.problems == ()


def test_an_enumeration_is_a_list_of_choices(look: Look) -> None:
    kinds = "class Stage(StrEnum):\n    DEV = 'dev'\n    PROD = 'prod'\n\n\n"
    files = fastapi("    environment: Stage\n")
    files["config.py"] = "from enum import StrEnum\n" + kinds + files["config.py"]
    assert drafted(look(files)).env["ENVIRONMENT"].value == "prod"


def test_what_the_code_hands_to_its_settings_is_not_asked_for(look: Look) -> None:
    files = fastapi("    MAIL_KEY: str\n    PAY_KEY: str\n")
    files["config.py"] += '\n\nimport os\n\nsettings = Settings(MAIL_KEY=os.getenv("MAIL_KEY", ""))\n'
    assert [p.remedy.partition("[env]: ")[2].partition(" ")[0] for p in look(files).problems] == ["PAY_KEY"]


def test_the_kind_of_database_is_the_word_that_the_code_compares(look: Look) -> None:
    own = (
        "import os\n\n\ndef kind():\n    chosen = os.getenv('SHOP_DB_TYPE')\n    if chosen == 'postgres':\n"
        "        return 1\n    if chosen == 'sqlite':\n        return 2\n\n\nHOST = os.getenv('SHOP_DB_HOST')\n"
    )
    files = {"main.py": ASGI, "config.py": own, "requirements.txt": "fastapi\nuvicorn\npsycopg2-binary\n", **POSTGRES}
    assert drafted(look(files)).env["SHOP_DB_TYPE"] == EnvVar(value="postgres")


def test_an_engine_that_is_postgresql_already_is_left_alone(look: Look) -> None:
    own = (
        "import os\n\nDB_ENGINE = os.environ.get('DB_ENGINE', 'tortoise.backends.asyncpg')\nH = os.environ['DB_HOST']\n"
    )
    files = {"main.py": ASGI, "config.py": own, "requirements.txt": "fastapi\nuvicorn\nasyncpg\n", **POSTGRES}
    assert "DB_ENGINE" not in drafted(look(files)).env


def test_an_orm_with_a_driver_of_mysql_is_not_given_postgresql(look: Look) -> None:
    files = fastapi("    DB_TYPE: str = 'mysql'\n    DB_HOST: str = 'localhost'\n", "tortoise-orm[asyncmy]\n")
    detection = look(files)
    assert drafted(detection).services.postgres is None
    assert ["MySQL at DB_HOST" in p.why for p in detection.problems] == [True]


def test_the_parts_of_a_primary_server_are_those_of_the_database(look: Look) -> None:
    files = fastapi("    POSTGRESQL_MASTER_HOST: str\n    POSTGRESQL_MASTER_PORT: int\n", "asyncpg\n")
    postgres = drafted(look(files)).services.postgres
    assert postgres is not None
    assert dict(postgres.env) == {"POSTGRESQL_MASTER_HOST": "host", "POSTGRESQL_MASTER_PORT": "port"}


def test_redis_by_the_parts_of_a_cache(look: Look) -> None:
    more = {"compose.yaml": "services:\n  cache:\n    image: redis:7\n"}
    redis = drafted(look(fastapi("    cache_host: str\n    cache_port: int\n", "redis\n", **more))).services.redis
    assert redis is not None
    assert dict(redis.env) == {"CACHE_HOST": "host", "CACHE_PORT": "port"}


@pytest.mark.parametrize(
    ("env_py", "command"),
    [
        ("from advanced_alchemy.base import metadata_registry\n", "litestar --app-dir src --app app:app database"),
        ("from advanced_alchemy.base import BigIntBase\nfrom alembic import context\n", "alembic upgrade head"),
    ],
)
def test_alembic_of_litestar_is_run_by_whoever_made_it(look: Look, env_py: str, command: str) -> None:
    files = {
        "src/app.py": "from litestar import Litestar\nfrom config import settings\n\napp = Litestar()\n",
        "src/config.py": "settings = 1\n",
        "alembic.ini": "[alembic]\nscript_location = alembic\nprepend_sys_path = .\n",
        "alembic/env.py": env_py,
        "alembic/versions/a1.py": "revision = 'a1'\n",
        "requirements.txt": "litestar[standard]\nadvanced-alchemy\nasyncpg\n",
    }
    migrate = drafted(look({**files, **POSTGRES})).migrate
    assert migrate is not None
    assert migrate.command.startswith(command)


def test_piccolo_runs_the_migrations_of_all_its_apps(look: Look) -> None:
    files = fastapi("    db_host: str\n    db_name: str\n", "piccolo[postgres]\n", **{
        "piccolo_conf.py": "DB = 1\n", "tasks/piccolo_migrations/tasks_1.py": "ID = 1\n",
    })  # fmt: skip
    migrate = drafted(look(files)).migrate
    assert migrate is not None
    assert migrate.command == "piccolo migrations forwards all"


def test_two_routes_at_one_path_are_one_smoke_request(look: Look) -> None:
    route = (
        "from fastapi import APIRouter, Depends\n\nrouter = APIRouter()\n\n\n@router.get('/items')\n"
        "def items(db=Depends(get_db)):\n    return db.execute('select 1')\n"
    )
    files = fastapi("    DATABASE_URL: str\n", "asyncpg\n", **{"a.py": route, "b.py": route, **POSTGRES})
    files["main.py"] = (
        "from fastapi import FastAPI\nimport a, b\n\napp = FastAPI()\napp.include_router(a.router)\n"
        "app.include_router(b.router)\n"
    )
    assert [smoke.path for smoke in drafted(look(files)).smokes] == ["/items"]
