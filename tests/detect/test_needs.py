"""What an app needs: services, variables, migrations, health, shared files, workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from underway.detect import Detection
from underway.manifest.env_keys import EnvVar
from underway.manifest.model import Manifest, Migrate

Look = Callable[[Mapping[str, str]], Detection]

APP = {"main.py": "from fastapi import FastAPI\nimport settings\napp = FastAPI()\n"}
REQUIREMENTS = "fastapi\nuvicorn\n"
BASE = "import os\nhere = os.path.abspath(os.path.dirname(__file__))\n"
SETTINGS = "from pydantic_settings import BaseSettings, SettingsConfigDict\nfrom pydantic import Field\n"


def fastapi(settings: str = "", requirements: str = "", **files: str) -> dict[str, str]:
    named = {name.replace("__", "/"): text for name, text in files.items()}
    return {**APP, "settings.py": settings, "requirements.txt": REQUIREMENTS + requirements, **named}


def drafted(detection: Detection) -> Manifest:
    assert detection.manifest is not None, detection.problems
    return detection.manifest


@pytest.mark.parametrize(
    "settings",
    [
        'import os\nX = os.environ["SECRET_KEY"]\n',
        'from os import environ\nX = environ.get("SECRET_KEY", "changeme")\n',
        'import os\nX = os.getenv("SECRET_KEY", "dev")\n',
        'from decouple import config\nX = config("SECRET_KEY")\n',
        'import environ\nenv = environ.Env()\nX = env("SECRET_KEY")\n',
        'from environs import Env\nenv = Env()\nX = env.str("SECRET_KEY")\n',
        'from starlette.config import Config\nconfig = Config(".env")\nX = config("SECRET_KEY")\n',
        SETTINGS + "class Settings(BaseSettings):\n    secret_key: str\n",
        SETTINGS + "import secrets\nclass S(BaseSettings):\n    SECRET_KEY: str = secrets.token_urlsafe(32)\n",
        SETTINGS + "class S(BaseSettings):\n    key: str = Field(..., alias='SECRET_KEY')\n",
        SETTINGS + "class B(BaseSettings): pass\nclass S(B):\n"
        "    model_config = SettingsConfigDict(env_prefix='SECRET_')\n    key: str\n",
        'import os\ndef envstr(name, default=""):\n'
        '    return os.getenv(name, default)\nX = envstr("SECRET_KEY", "x")\n',
    ],
)
def test_the_apps_own_secret_is_generated_once(look: Look, settings: str) -> None:
    detection = look(fastapi(settings))
    assert drafted(detection).env["SECRET_KEY"] == EnvVar(generate="urlsafe", secret=True)
    assert detection.problems == ()


@pytest.mark.parametrize(
    "settings",
    [
        'import os\nX = os.environ["STRIPE_API_KEY"]\n',
        'from decouple import config\nX = config("STRIPE_API_KEY")\n',
        SETTINGS + "class Settings(BaseSettings):\n    STRIPE_API_KEY: str\n",
    ],
)
def test_what_only_its_owner_knows_is_asked_for_with_its_line(look: Look, settings: str) -> None:
    detection = look(fastapi(settings))
    (problem,) = detection.problems
    assert problem.code == "detect.env-missing"
    assert problem.where == f"settings.py:{settings.count(chr(10))}"
    assert 'STRIPE_API_KEY = "…"' in problem.remedy
    assert drafted(detection).env["STRIPE_API_KEY"] == EnvVar(required=True, secret=True)


@pytest.mark.parametrize(
    "settings",
    [
        'import os\nX = os.environ.get("STRIPE_API_KEY")\n',
        'import os\nif os.environ.get("USE_STRIPE"):\n    X = os.environ["STRIPE_API_KEY"]\n',
        'import os\ndef pay():\n    return os.environ["STRIPE_API_KEY"]\n',
        'from decouple import config\nX = config("STRIPE_API_KEY", default="")\n',
        SETTINGS + "class Settings(BaseSettings):\n    STRIPE_API_KEY: str | None = None\n",
    ],
)
def test_what_the_app_starts_without_is_not_asked_for(look: Look, settings: str) -> None:
    detection = look(fastapi(settings))
    assert detection.problems == ()
    assert "STRIPE_API_KEY" not in drafted(detection).env


@pytest.mark.parametrize(
    ("name", "is_own"),
    [
        ("AUTH_CONFIRM_EMAIL_SECRET", True),
        ("EMAIL_VERIFICATION_SECRET", True),
        ("JWT_REFRESH_SECRET", True),
        ("APP_CONFIG__ACCESS_TOKEN__RESET_PASSWORD_TOKEN_SECRET", True),
        ("TWITTER_ACCESS_TOKEN_SECRET", False),
        ("EMAIL_SECRET", False),
        ("STRIPE_WEBHOOK_SECRET", False),
        ("GOOGLE_CLIENT_SECRET", False),
    ],
)
def test_a_secret_of_the_apps_own_is_made_and_one_of_others_is_asked_for(look: Look, name: str, is_own: bool) -> None:
    detection = look(fastapi(f"import os\nX = os.environ[{name!r}]\n"))
    assert bool(drafted(detection).env[name].generate) is is_own
    assert bool(detection.problems) is not is_own


@pytest.mark.parametrize(
    ("folder", "command"),
    [
        ("", "PYTHONPATH=. FLASK_APP=main:app flask db upgrade"),
        ("shop/", "PYTHONPATH=. FLASK_APP=main:app flask db upgrade --directory shop/migrations"),
    ],
)
def test_flask_migrate_where_its_migrations_are(look: Look, folder: str, command: str) -> None:
    migrate = drafted(
        look(
            {
                "main.py": "from flask import Flask\napp = Flask(__name__)\n",
                "requirements.txt": "flask\nflask-migrate\n",
                f"{folder}migrations/env.py": "",
                f"{folder}migrations/versions/1_a.py": "",
            }
        )
    ).migrate
    assert migrate is not None
    assert migrate.command == command
    assert f"{folder}migrations/versions" in migrate.paths


def test_a_database_in_the_temporary_folder_is_told(look: Look) -> None:
    detection = look(fastapi("URL = 'sqlite:////tmp/shop.db'\n"))
    assert any("lost when the machine starts anew" in c.says for c in detection.claims if c.about == "database")


def test_a_fernet_key_is_asked_for_since_it_has_a_form(look: Look) -> None:
    settings = "import os\nfrom cryptography.fernet import Fernet\nX = Fernet(os.environ['ENCRYPTION_KEY'])\n"
    (problem,) = look(fastapi(settings)).problems
    assert "Fernet" in problem.why
    assert problem.command.startswith("openssl rand")


def test_a_default_after_or_is_a_default(look: Look) -> None:
    settings = "import os\nA = os.environ.get('REDIS_URL') or 'redis://'\nB = os.environ.get('SECRET_KEY') or 'guess'\n"
    detection = look(fastapi(settings, "redis\n"))
    assert drafted(detection).services.redis is not None
    assert any("everybody can read" in c.says for c in detection.claims)


@pytest.mark.parametrize(
    ("names", "has_password"),
    [
        pytest.param(["REDIS_HOST", "REDIS_PORT"], False, id="nothing-carries-one"),
        pytest.param(["REDIS_HOST", "REDIS_PASSWORD"], True, id="a-password"),
        pytest.param(["CACHE_REDIS_HOST", "REDIS_URL"], True, id="the-usual-address"),
        pytest.param(["REDIS_CACHE_HOST", "REDIS_PASSWORD"], True, id="one-password-for-several-hosts"),
        pytest.param(["REDIS_QUEUE_HOST", "REDIS_CACHE_HOST", "REDIS_CACHE_URL"], False, id="an-address-of-another"),
    ],
)
def test_a_redis_asks_for_a_password_only_of_an_app_that_can_send_one(
    look: Look, names: list[str], has_password: bool
) -> None:
    settings = "import os\n" + "".join(f"{name} = os.environ['{name}']\n" for name in names)
    detection = look(fastapi(settings, "redis\n"))
    redis = drafted(detection).services.redis
    assert redis is not None
    assert redis.has_password is has_password
    told = [c for c in detection.claims if c.about == "redis" and "without a password" in c.says]
    assert [c.evidence for c in told] == ([] if has_password else ["settings.py:2"])


def test_a_number_is_no_secret_although_its_name_has_token(look: Look) -> None:
    settings = SETTINGS + "class S(BaseSettings):\n    TOKEN_EXPIRE_MINUTES: int\n    BOT_TOKEN: str\n"
    detection = look({**fastapi(settings), ".env.example": "TOKEN_EXPIRE_MINUTES=30\nBOT_TOKEN=3141\n"})
    assert drafted(detection).env["TOKEN_EXPIRE_MINUTES"] == EnvVar(value="30")
    assert [p.why for p in detection.problems] == [
        "the app does not start without BOT_TOKEN, and its value is not in the repository"
    ]


def test_a_required_plain_setting_takes_the_examples_value(look: Look) -> None:
    files = fastapi(SETTINGS + "class S(BaseSettings):\n    project_name: str\n")
    detection = look({**files, ".env.example": '# who\nPROJECT_NAME="Letter Meadow"  # shown\n'})
    assert drafted(detection).env["PROJECT_NAME"] == EnvVar(value="Letter Meadow")
    assert any(c.evidence == ".env.example:2" for c in detection.claims)


def test_what_a_name_alone_settles_is_not_asked_for(look: Look) -> None:
    settings = (
        SETTINGS + "class S(BaseSettings):\n    ALGORITHM: str\n    ACCESS_TOKEN_EXPIRE_MINUTES: int\n    DEBUG: bool\n"
        "    ACCESS_TOKEN_EXPIRE_DAYS: int\n"
    )
    detection = look(fastapi(settings))
    env = drafted(detection).env
    assert (env["ALGORITHM"].value, env["ACCESS_TOKEN_EXPIRE_MINUTES"].value, env["DEBUG"].value) == (
        "HS256",
        "30",
        "False",
    )
    assert env["ACCESS_TOKEN_EXPIRE_DAYS"] == EnvVar(required=True, type="float"), (
        "its name speaks of a token and holds none"
    )
    assert len(detection.problems) == 1


def test_mail_is_handed_in_where_it_usually_is(look: Look) -> None:
    detection = look(fastapi("import os\nPORT = int(os.environ['EMAIL_PORT'])\nTLS = os.environ['EMAIL_USE_TLS']\n"))
    env = drafted(detection).env
    assert (env["EMAIL_PORT"].value, env["EMAIL_USE_TLS"].value, detection.problems) == ("587", "True", ())


def test_an_example_that_is_no_number_is_not_given_where_one_is_read(look: Look) -> None:
    settings = SETTINGS + "class S(BaseSettings):\n    WORKERS: int\n    TEST_DB_PORT: int\n"
    detection = look({**fastapi(settings), ".env.example": "WORKERS=how-many\nTEST_DB_PORT=port\n"})
    assert drafted(detection).env["WORKERS"] == EnvVar(required=True, type="float")
    assert drafted(detection).env["TEST_DB_PORT"] == EnvVar(value="9")
    assert [p.why for p in detection.problems] == [
        "the app does not start without WORKERS, and its value is not in the repository"
    ]


@pytest.mark.parametrize(
    "settings",
    [
        'import environ, os\nenv = environ.Env()\nX = env.str("DATA_DIR", os.path.join("a", "data"))\n',
        'from environs import Env\nenv = Env()\nD = "/data"\nX = env.path("DATA_DIR", D)\n',
        'import environ\nenv = environ.Env()\nX = env.bool("DATA_DIR", False)\n',
    ],
)
def test_a_default_may_come_second(look: Look, settings: str) -> None:
    assert look(fastapi(settings)).problems == ()


@pytest.mark.parametrize(
    ("settings", "value"),
    [
        ('import os\nALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")\n', "${hosts}"),
        ('import os\nALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "a b").split()\n', "${hosts_spaced}"),
        ('import os, json\nX = json.loads(os.environ.get("ALLOWED_HOSTS", "[]"))\n', "${hosts_json}"),
        ('import environ\nenv = environ.Env()\nX = env.list("ALLOWED_HOSTS", default=[])\n', "${hosts}"),
        (SETTINGS + "class S(BaseSettings):\n    ALLOWED_HOSTS: list[str] = []\n", "${hosts_json}"),
    ],
)
def test_host_checks_get_the_apps_own_names(look: Look, settings: str, value: str) -> None:
    assert drafted(look(fastapi(settings))).env["ALLOWED_HOSTS"].value == value


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        (
            'import os\nX = os.environ.get("CSRF_TRUSTED_ORIGINS", "").split(",")\n',
            "CSRF_TRUSTED_ORIGINS",
            "${origins}",
        ),
        (
            SETTINGS + "class S(BaseSettings):\n    BACKEND_CORS_ORIGINS: list[str] = []\n",
            "BACKEND_CORS_ORIGINS",
            "${origins_json}",
        ),
        ('import os\nX = os.environ.get("SITE_URL", "http://localhost:8000")\n', "SITE_URL", "${url}"),
        ('import os\nX = os.environ["DOMAIN"]\n', "DOMAIN", "${host}"),
    ],
)
def test_addresses_of_its_own_are_set(look: Look, settings: str, name: str, value: str) -> None:
    assert drafted(look(fastapi(settings))).env[name].value == value


def test_a_check_that_accepts_all_is_left_alone(look: Look) -> None:
    settings = SETTINGS + "class S(BaseSettings):\n    ALLOWED_HOSTS: list[str] = ['*']\n"
    assert drafted(look(fastapi(settings))).env == {}


@pytest.mark.parametrize(
    ("settings", "spelling"),
    [
        ('import os\nDEBUG = os.environ.get("DEBUG", "True") == "True"\n', "False"),
        ('import os\nDEBUG = int(os.getenv("DEBUG", "1"))\n', "0"),
    ],
)
def test_debug_is_switched_off(look: Look, settings: str, spelling: str) -> None:
    assert drafted(look(fastapi(settings))).env["DEBUG"].value == spelling


@pytest.mark.parametrize(
    ("settings", "requirements", "files", "scheme", "env"),
    [
        ('import os\nX = os.environ["DATABASE_URL"]\n', "psycopg2-binary\n", {}, "postgresql", {}),
        (
            "import os\nfrom sqlalchemy.ext.asyncio import create_async_engine\n"
            'X = create_async_engine(os.environ["DATABASE_URL"])\n',
            "sqlalchemy\nasyncpg\n",
            {},
            "postgresql+asyncpg",
            {},
        ),
        ('import os\nX = os.environ["DATABASE_URL"]\n', "tortoise-orm\nasyncpg\n", {}, "postgres", {}),
        ('import os\nX = os.environ["DATABASE_URL"]\n', "sqlalchemy\npsycopg\n", {}, "postgresql+psycopg", {}),
        (
            'import os\nX = os.environ["DATABASE_URL"]\n',
            "asyncpg\n",
            {".env.example": "DATABASE_URL=postgres://u:p@db/x\n"},
            "postgres",
            {},
        ),
        (
            'import os\nX = os.environ["SQLALCHEMY_DATABASE_URI"]\n',
            "psycopg2\n",
            {},
            "postgresql",
            {"SQLALCHEMY_DATABASE_URI": "url"},
        ),
        (
            'import os\nX = os.environ["DATABASE_URL"]\nY = os.environ["DATABASE_ASYNC_URL"]\n',
            "psycopg2\nasyncpg\n",
            {".env.example": "DATABASE_URL=postgresql://u@h/x\nDATABASE_ASYNC_URL=postgresql+asyncpg://u@h/x\n"},
            "postgresql",
            {"DATABASE_ASYNC_URL": "url:postgresql+asyncpg"},
        ),
        (
            SETTINGS + "class S(BaseSettings):\n    POSTGRES_SERVER: str\n    POSTGRES_PORT: int = 5432\n"
            "    POSTGRES_USER: str\n    POSTGRES_PASSWORD: str = 'changethis'\n"
            "    POSTGRES_DB: str = 'app'\n    POSTGRES_URI: str = ''\n",
            "psycopg\n",
            {},
            "postgresql",
            {
                "POSTGRES_SERVER": "host",
                "POSTGRES_PORT": "port",
                "POSTGRES_USER": "user",
                "POSTGRES_PASSWORD": "password",
                "POSTGRES_DB": "database",
            },
        ),
        (
            SETTINGS + "from pydantic import BaseModel\nclass Db(BaseModel):\n"
            "    hostname: str\n    password: str\n    name: str = 'x'\n"
            "class S(BaseSettings):\n"
            "    model_config = SettingsConfigDict(env_nested_delimiter='__')\n    database: Db\n",
            "asyncpg\n",
            {},
            "postgresql",
            {"DATABASE__HOSTNAME": "host", "DATABASE__PASSWORD": "password", "DATABASE__NAME": "database"},
        ),
        (
            'import os\nX = os.environ["DATABASE_URL"]\n',
            "psycopg\n",
            {
                "compose.yml": "services:\n  web:\n    build: .\n    environment:\n      DATABASE_URL: postgres://u:p@db/x\n"
            },
            "postgres",
            {},
        ),
        (
            'import os\nX = os.getenv("PROD_DB_HOSTNAME")\nY = os.getenv("PROD_DB_NAME")\n',
            "psycopg2\n",
            {},
            "postgresql",
            {"PROD_DB_HOSTNAME": "host", "PROD_DB_NAME": "database"},
        ),
        (
            "from decouple import config\nDATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql',"
            " 'NAME': config('SHOPNAME', default='x'), 'PORT': config('SHOPPORT', cast=int, default=5432),"
            " 'HOST': config('PGDB_HOST', default='db'), 'PASSWORD': config('PGDB_WORD', default='p')},"
            " 'other': {'ENGINE': 'django.db.backends.postgresql', 'HOST': config('FAR_AWAY', default='db')}}\n",
            "psycopg\n",
            {},
            "postgresql",
            {"SHOPNAME": "database", "SHOPPORT": "port", "PGDB_HOST": "host", "PGDB_WORD": "password"},
        ),
    ],
)
def test_postgres_in_the_spelling_the_app_reads(
    look: Look, settings: str, requirements: str, files: dict[str, str], scheme: str, env: dict[str, str]
) -> None:
    detection = look({**fastapi(settings, requirements), **files})
    postgres = drafted(detection).services.postgres
    assert postgres is not None
    assert (postgres.scheme, dict(postgres.env)) == (scheme, env)
    assert detection.problems == ()


def test_without_a_driver_there_is_no_postgres(look: Look) -> None:
    settings = 'import os\nX = os.getenv("DATABASE_URL", "sqlite:///./data/app.db")\n'
    manifest = drafted(look(fastapi(settings, "sqlalchemy\n")))
    assert manifest.services.postgres is None
    assert manifest.shared == ("data/app.db",)


def test_an_engine_that_is_chosen_by_a_word_is_chosen(look: Look) -> None:
    settings = 'import os\nif os.getenv("DB") == "postgres":\n    HOST = os.getenv("DB_HOST")\n'
    manifest = drafted(look(fastapi(settings, "psycopg\n")))
    assert manifest.env["DB"].value == "postgres"


@pytest.mark.parametrize(
    ("settings", "env"),
    [
        ('import os\nX = os.environ["REDIS_URL"]\n', {}),
        ('import os\nX = os.getenv("CELERY_BROKER_URL", "redis://localhost")\n', {"CELERY_BROKER_URL": "url"}),
        (
            'import os\nX = os.environ["REDIS_HOST"]\nY = os.getenv("REDIS_PORT", 6379)\n',
            {"REDIS_HOST": "host", "REDIS_PORT": "port"},
        ),
    ],
)
def test_redis(look: Look, settings: str, env: dict[str, str]) -> None:
    redis = drafted(look(fastapi(settings, "redis\n"))).services.redis
    assert redis is not None
    assert dict(redis.env) == env


def test_a_broker_that_is_no_redis_is_left_alone(look: Look) -> None:
    settings = 'import os\nX = os.getenv("CELERY_BROKER_URL", "amqp://localhost")\n'
    assert drafted(look(fastapi(settings, "celery\nredis\n"))).services.redis is None


def test_a_service_that_underway_lacks_is_named(look: Look) -> None:
    compose = "services:\n  db:\n    image: mongo:7\n"
    detection = look(
        {
            **fastapi('import os\nX = os.environ["MONGO_URL"]\n'),
            "compose.yml": compose,
            ".env.example": "MONGO_URL=mongodb://db/x\n",
        }
    )
    assert any("MongoDB" in c.says and c.evidence == "compose.yml:3" for c in detection.claims)
    (problem,) = detection.problems
    assert "MongoDB" in problem.why


@pytest.mark.parametrize(
    ("files", "path", "evidence"),
    [
        (
            {
                "compose.yml": "services:\n  a:\n    build: .\n    healthcheck:\n"
                "      test: curl -f http://localhost:80/api/ok || exit 1\n"
            },
            "/api/ok",
            "compose.yml:5",
        ),
        (
            {
                "compose.yml": "services:\n  a:\n    build: .\n    healthcheck:\n"
                '      test: ["CMD", "curl", "http://127.0.0.1/live"]\n'
            },
            "/live",
            "compose.yml:5",
        ),
        (
            {
                "Dockerfile": "FROM python\nHEALTHCHECK --interval=5s \\\n"
                "  CMD wget -qO- http://localhost:8000/healthz\n"
            },
            "/healthz",
            "Dockerfile:2",
        ),
        (
            {"main.py": "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/up')\ndef f(): ...\n"},
            "/up",
            "main.py:3",
        ),
        (
            {
                "main.py": "from fastapi import FastAPI\nfrom api import router\nimport settings\napp = FastAPI()\n"
                "app.include_router(router, prefix=settings.API)\n",
                "settings.py": "API = '/api/v1'\n",
                "api.py": "from fastapi import APIRouter\nimport utils\nrouter = APIRouter()\n"
                "router.include_router(utils.router)\n",
                "utils.py": "from fastapi import APIRouter\nrouter = APIRouter(prefix='/utils')\n"
                "@router.get('/health-check/')\ndef f(): ...\n",
            },
            "/api/v1/utils/health-check/",
            "utils.py:3",
        ),
    ],
)
def test_health(look: Look, files: dict[str, str], path: str, evidence: str) -> None:
    detection = look({**fastapi(), **files})
    health = drafted(detection).health
    assert (health.path, health.status) == (path, "200-299")
    assert evidence in [c.evidence for c in detection.claims if c.about == "health"]


def test_a_database_healthcheck_is_not_the_apps(look: Look) -> None:
    compose = (
        "services:\n  db:\n    image: postgres:16\n    healthcheck:\n      test: pg_isready -d http://localhost/x\n"
    )
    assert drafted(look({**fastapi(), "compose.yml": compose})).health.path == "/"


def test_without_a_health_route_any_answer_below_500_counts_and_that_is_said(look: Look) -> None:
    detection = look(fastapi())
    health = drafted(detection).health
    assert (health.path, health.status) == ("/", "below-500")
    assert any("below 500" in c.says for c in detection.claims if c.about == "health")


ALEMBIC = {"alembic.ini": "[alembic]\nscript_location = migrations\n", "migrations/versions/1_a.py": ""}


def test_alembic(look: Look) -> None:
    assert drafted(look({**fastapi("", "alembic\n"), **ALEMBIC})).migrate == Migrate(
        "alembic upgrade head", paths=("migrations/versions", "requirements.txt")
    )


def test_alembic_below_the_root(look: Look) -> None:
    inner = {f"backend/{p}": t for p, t in {**fastapi("", "alembic\n"), **ALEMBIC}.items()}
    migrate = drafted(look(inner)).migrate
    assert migrate is not None
    assert (migrate.command, migrate.cwd) == ("alembic upgrade head", "backend")
    assert migrate.paths[0] == "backend/migrations/versions"


@pytest.mark.parametrize(
    ("ini", "env", "command"),
    [
        ("script_location = m\n", "from source import tables\n", "PYTHONPATH=. alembic upgrade head"),
        ("script_location = m\nprepend_sys_path = .\n", "from source import tables\n", "alembic upgrade head"),
        ("script_location = m\n", "import sys\nsys.path.append('.')\nfrom a import b\n", "alembic upgrade head"),
    ],
)
def test_an_old_alembic_finds_the_app(look: Look, ini: str, env: str, command: str) -> None:
    files = {"alembic.ini": f"[alembic]\n{ini}", "m/env.py": env, "m/versions/1.py": ""}
    migrate = drafted(look({**fastapi(requirements="alembic\nsqlalchemy\n"), **files})).migrate
    assert migrate is not None
    assert migrate.command == command


def test_alembic_imports_the_app_from_where_the_server_does(look: Look) -> None:
    files = {
        "requirements.txt": "fastapi\nuvicorn\nalembic\npsycopg2\n",
        "todos/app/main.py": "from fastapi import FastAPI\nfrom app import tables\napp = FastAPI()\n",
        "todos/app/tables.py": "",
        "alembic.ini": "[alembic]\nscript_location = todos/migrations\nprepend_sys_path = .\n",
        "todos/migrations/env.py": "from app.tables import Base\n",
        "todos/migrations/versions/1.py": "",
    }
    migrate = drafted(look(files)).migrate
    assert migrate is not None
    assert (migrate.command, migrate.cwd) == ("PYTHONPATH=todos alembic upgrade head", ".")


def test_alembic_without_a_migration_runs_nothing(look: Look) -> None:
    files = {**fastapi("", "alembic\n"), "alembic.ini": ALEMBIC["alembic.ini"], "migrations/env.py": ""}
    detection = look(files)
    assert drafted(detection).migrate is None
    assert any(c.about == "migrate" for c in detection.claims)


def test_the_release_line_of_a_procfile_migrates(look: Look) -> None:
    procfile = "release: alembic upgrade head && python -m seed\nweb: uvicorn main:app\n"
    migrate = drafted(look({**fastapi("", "alembic\n"), **ALEMBIC, "Procfile": procfile})).migrate
    assert migrate is not None
    assert migrate.command == "alembic upgrade head && python -m seed"


@pytest.mark.parametrize(
    "line", ["alembic upgrade head && python manage.py flush", "alembic downgrade base && alembic upgrade head"]
)
def test_what_drops_data_is_never_run(look: Look, line: str) -> None:
    files = {**fastapi("", "alembic\n"), **ALEMBIC, "Procfile": f"release: {line}\nweb: uvicorn main:app\n"}
    migrate = drafted(look(files)).migrate
    assert migrate is not None
    assert migrate.command == "alembic upgrade head"


@pytest.mark.parametrize(
    ("seed", "command"), [("add()\n", "bash scripts/prestart.sh"), ("metadata.drop_all()\n", "alembic upgrade head")]
)
def test_a_prestart_script_is_used_unless_it_could_drop_data(look: Look, seed: str, command: str) -> None:
    script = "#!/bin/sh\nset -e\nalembic upgrade head\npython seed.py\n"
    files = {**fastapi("", "alembic\n"), **ALEMBIC, "scripts/prestart.sh": script, "seed.py": seed}
    migrate = drafted(look(files)).migrate
    assert migrate is not None
    assert migrate.command == command


@pytest.mark.parametrize(
    ("settings", "shared"),
    [
        ("from pathlib import Path\nUPLOAD_DIR = Path(__file__).parent / 'uploads'\n", ("uploads",)),
        ("UPLOAD_FOLDER = 'static/uploads'\n", ("static/uploads",)),
        ("UPLOAD_FOLDER = '/srv/uploads'\n", ()),
        ("X = 'sqlite+aiosqlite:///./shop.db'\n", ("shop.db",)),
        (BASE + "X = os.environ.get('URL') or 'sqlite:///' + os.path.join(here, 'shop.sqlite')\n", ("shop.sqlite",)),
        (BASE + "X = f'sqlite:///{here}/shop.db'\n", ("shop.db",)),
        (BASE + "X = f'sqlite:///{os.path.join(here, \"shop.db\")}'\n", ("shop.db",)),
        (BASE + "FILE = os.path.join(here, 'shop.db')\nX = 'sqlite:///' + FILE\n", ("shop.db",)),
        (
            BASE + "A = 'sqlite:///' + os.path.join(here, 'dev.db')\nB = 'sqlite:///' + os.path.join(here, 'x.db')\n",
            ("x.db",),
        ),
        ("import sqlite3\nFILE = 'shop.db'\ndef connect():\n    return sqlite3.connect(FILE)\n", ("shop.db",)),
        ("import sqlite3\nX = sqlite3.connect(':memory:')\nY = 'sqlite://'\n", ()),
        (BASE + "X = 'sqlite:////srv/shop.db'\n", ()),
    ],
)
def test_what_the_app_writes_outlives_releases(look: Look, settings: str, shared: tuple[str, ...]) -> None:
    assert drafted(look(fastapi(settings))).shared == shared


def test_workers_of_procfile_and_compose(look: Look) -> None:
    procfile = (
        "web: uvicorn main:app\nworker: celery -A tasks worker -l info\n"
        "beat: celery -A tasks beat\nflower: celery flower\n"
    )
    processes = drafted(look({**fastapi("", "celery\n"), "Procfile": procfile})).processes
    assert {name: p.command for name, p in processes.items() if name != "web"} == {
        "worker": "celery -A tasks worker -l info",
        "beat": "celery -A tasks beat",
    }


def test_a_line_of_evidence_is_on_every_claim_about_a_file(look: Look) -> None:
    detection = look({**fastapi('import os\nX = os.environ["SECRET_KEY"]\n', "alembic\n"), **ALEMBIC})
    for claim in detection.claims:
        assert claim.evidence or claim.about == "health"


def test_the_sqlite_file_of_the_example_is_used_and_outlives_releases(look: Look) -> None:
    settings = 'import environ\nenv = environ.Env()\nDATABASES = {"default": env.db_url()}\n'
    example = {".env.example": "DATABASE_URL=sqlite:///data/db.sqlite3\n"}
    manifest = drafted(look({**fastapi(settings), **example}))
    assert manifest.env["DATABASE_URL"] == EnvVar(value="sqlite:///data/db.sqlite3")
    assert "data/db.sqlite3" in manifest.shared


def test_debug_that_only_the_example_has_on_is_off(look: Look) -> None:
    settings = 'import environ\nenv = environ.Env()\nDEBUG = env.bool("DEBUG")\n'
    manifest = drafted(look({**fastapi(settings), ".env.example": "DEBUG=True\n"}))
    assert manifest.env["DEBUG"] == EnvVar(value="False")


def test_of_the_stages_that_a_type_allows_production_is_chosen(look: Look) -> None:
    settings = (
        SETTINGS + "from typing import Literal\nclass S(BaseSettings):\n    MODE: Literal['DEV', 'TEST', 'PROD']\n"
    )
    found = look({**fastapi(settings), ".env.example": "MODE=DEV\n"})
    assert drafted(found).env["MODE"] == EnvVar(value="PROD")
    assert drafted(look(fastapi(settings))).env["MODE"] == EnvVar(value="PROD")


def test_what_a_validator_takes_the_length_of_is_empty_and_not_missing(look: Look) -> None:
    settings = (
        "from typing import Optional\nfrom pydantic import BaseSettings, HttpUrl, validator\nclass S(BaseSettings):\n"
        "    TRACE_DSN: Optional[HttpUrl] = None\n    @validator('TRACE_DSN', pre=True)\n"
        "    def may_be_blank(cls, v: str):\n        if len(v) == 0:\n            return None\n        return v\n"
        "    OTHER_DSN: Optional[HttpUrl] = None\n"
    )
    env = drafted(look(fastapi(settings))).env
    assert env["TRACE_DSN"] == EnvVar(value="")
    assert "OTHER_DSN" not in env


FASTAPI = "from fastapi import FastAPI\nimport settings\napp = FastAPI()\n"


def test_services_of_others_that_must_be_chosen_are_not_used(look: Look) -> None:
    settings = "import os\nUSE_S3 = os.environ['USE_S3'] == 'True'\nUSE_SES = os.environ['USE_SES'] == 'True'\n"
    detection = look({"requirements.txt": "fastapi\nuvicorn\n", "settings.py": settings, "main.py": FASTAPI})
    assert detection.problems == ()
    assert detection.manifest is not None
    assert {name: one.value for name, one in detection.manifest.env.items()} == {"USE_S3": "False", "USE_SES": "False"}


def test_a_server_that_the_names_speak_of_is_asked_for(look: Look) -> None:
    settings = "import os\nHOST = os.getenv('MYSQL_HOST')\nNAME = os.getenv('MYSQL_DATABASE')\n"
    files = {"requirements.txt": "fastapi\nuvicorn\naiomysql\n", "settings.py": settings, "main.py": FASTAPI}
    [problem, *_] = look(files).problems
    assert problem.why == "the app needs MySQL at MYSQL_HOST, and Underway does not provide MySQL"
