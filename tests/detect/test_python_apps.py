"""Where a Python app is, and what serves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from underway.detect import Detection
from underway.manifest.build import PythonBuild
from underway.manifest.model import Manifest, Process

Look = Callable[[Mapping[str, str]], Detection]

FASTAPI = 'from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get("/health")\ndef health(): ...\n'
PYPROJECT = '[project]\nname = "letters"\nrequires-python = ">=3.11"\ndependencies = ["fastapi", "uvicorn"]\n'


def drafted(detection: Detection) -> Manifest:
    assert detection.manifest is not None, detection.problems
    return detection.manifest


def web(detection: Detection) -> Process:
    return drafted(detection).processes["web"]


def evidence_of(detection: Detection, about: str) -> list[str]:
    return [c.evidence for c in detection.claims if c.about == about]


UVICORN = "uvicorn {} --host 127.0.0.1 --port $PORT"
GUNICORN = "gunicorn {} --bind 127.0.0.1:$PORT --workers 2 --threads 4"


@pytest.mark.parametrize(
    ("files", "command", "cwd"),
    [
        pytest.param(
            {"main.py": FASTAPI, "pyproject.toml": PYPROJECT, "uv.lock": ""}, UVICORN.format("main:app"), ".", id="root"
        ),
        pytest.param(
            {
                "backend/app/main.py": FASTAPI,
                "backend/app/__init__.py": "",
                "backend/requirements.txt": "fastapi\nuvicorn\n",
            },
            UVICORN.format("app.main:app"),
            "backend",
            id="package-in-a-subfolder",
        ),
        pytest.param(
            {
                "backend/app/main.py": "from app.core import settings\n" + FASTAPI,
                "backend/app/core.py": "",
                "backend/requirements.txt": "fastapi\nuvicorn\n",
            },
            UVICORN.format("app.main:app"),
            "backend",
            id="imports-name-the-root-where-there-is-no-init",
        ),
        pytest.param(
            {"src/shop/main.py": FASTAPI, "src/shop/__init__.py": "", "pyproject.toml": PYPROJECT, "uv.lock": ""},
            UVICORN.format("shop.main:app") + " --app-dir src",
            ".",
            id="src-layout",
        ),
        pytest.param(
            {
                "shop/main.py": "from shop.setup import make\n\napp = make(debug=False)\n",
                "shop/setup.py": "from fastapi import FastAPI\n\ndef make(debug):\n    return FastAPI(debug=debug)\n",
                "shop/__init__.py": "",
                "pyproject.toml": PYPROJECT,
                "uv.lock": "",
            },
            UVICORN.format("shop.main:app"),
            ".",
            id="made-by-a-function-of-another-file",
        ),
        pytest.param(
            {
                "shop/app.py": "from litestar import Litestar\n\n"
                "def create_app() -> Litestar:\n    return Litestar([])\n",
                "shop/__init__.py": "",
                "requirements.txt": "litestar\nuvicorn\n",
            },
            UVICORN.format("shop.app:create_app") + " --factory",
            ".",
            id="factory",
        ),
        pytest.param(
            {
                "app.py": "from starlette.applications import Starlette as S\n\napplication = S()\n",
                "requirements.txt": "starlette\nuvicorn\n",
            },
            UVICORN.format("app:application"),
            ".",
            id="renamed-import",
        ),
        pytest.param(
            {"app.py": "import flask\napp = flask.Flask(__name__)\n", "requirements.txt": "flask\ngunicorn\n"},
            GUNICORN.format("app:app"),
            ".",
            id="flask",
        ),
        pytest.param(
            {
                "shop/__init__.py": "from flask import Flask\ndef create_app(config=None):\n"
                "    return Flask(__name__)\n",
                "requirements.txt": "flask\ngunicorn\n",
            },
            GUNICORN.format("'shop:create_app()'"),
            ".",
            id="flask-factory",
        ),
        pytest.param(
            {
                "main.py": "import sys\nif __name__ == '__main__':\n    app = None\n",
                "server/api.py": FASTAPI,
                "tests/app.py": FASTAPI,
                "docs/main.py": FASTAPI,
                "requirements.txt": "fastapi\nuvicorn\n",
            },
            UVICORN.format("api:app"),
            "server",
            id="tests-and-documents-are-no-app",
        ),
        pytest.param(
            {"main.py": FASTAPI, "requirements.txt": "fastapi\ngranian\n"},
            "granian main:app --interface asgi --host 127.0.0.1 --port $PORT",
            ".",
            id="granian-where-it-is-the-servers-choice",
        ),
    ],
)
def test_the_app_is_found_by_parsing(look: Look, files: dict[str, str], command: str, cwd: str) -> None:
    assert web(look(files)) == Process(command=command, cwd=cwd)


TWO = {
    "a/main.py": FASTAPI,
    "b/main.py": FASTAPI,
    "requirements.txt": "fastapi\nuvicorn\ngunicorn\n",
}


@pytest.mark.parametrize(
    ("extra", "command", "cwd", "evidence"),
    [
        (
            {"Procfile": "web: uvicorn --host 0.0.0.0 --port $PORT b.main:app\n"},
            UVICORN.format("b.main:app"),
            ".",
            "Procfile:1",
        ),
        (
            {"Procfile": "web: cd b && exec uvicorn main:app --port ${PORT:-8000}\n"},
            UVICORN.format("main:app"),
            "b",
            "Procfile:1",
        ),
        (
            {
                "Dockerfile": "FROM python:3.12\nWORKDIR /code\nCOPY ./b /code\n"
                'CMD ["uvicorn", "main:app", "--port", "80"]\n'
            },
            UVICORN.format("main:app"),
            "b",
            "Dockerfile:4",
        ),
        (
            {
                "b/Dockerfile": "FROM python:3.12\nWORKDIR /app\nCOPY . .\nCMD poetry run uvicorn main:app\n",
                "compose.yaml": "services:\n  api:\n    build: ./b\n",
            },
            UVICORN.format("main:app"),
            "b",
            "b/Dockerfile:4",
        ),
        (
            {
                "docker-compose.yml": "services:\n  web:\n    build: .\n    command: >\n"
                "      sh -c 'python -m uvicorn b.main:app'\n"
            },
            UVICORN.format("b.main:app"),
            ".",
            "docker-compose.yml:4",
        ),
        (
            {
                "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nENTRYPOINT ["./scripts/start.sh"]\n',
                "scripts/start.sh": "#!/bin/sh\nset -e\nexec uvicorn \\\n  b.main:app --host 0.0.0.0\n",
            },
            UVICORN.format("b.main:app"),
            ".",
            "scripts/start.sh:3",
        ),
        (
            {
                "Dockerfile": "FROM python:3.12\nCOPY . /app\nWORKDIR /app\n"
                'CMD ["fastapi", "run", "b/main.py", "--port", "80"]\n'
            },
            UVICORN.format("main:app"),
            "b",
            "Dockerfile:4",
        ),
    ],
)
def test_what_the_repository_starts_itself_wins(
    look: Look, extra: dict[str, str], command: str, cwd: str, evidence: str
) -> None:
    detection = look({**TWO, **extra})
    assert web(detection) == Process(command=command, cwd=cwd)
    assert evidence in evidence_of(detection, "stack")


@pytest.mark.parametrize("path", ["migrations/env.py", "scripts/app.py", "gunicorn.conf.py"])
def test_other_files_that_make_an_app_are_passed_over(look: Look, path: str) -> None:
    detection = look({path: FASTAPI, "deep/er/main.py": FASTAPI, "requirements.txt": "fastapi\nuvicorn\n"})
    assert web(detection).command == UVICORN.format("main:app")


def test_the_configuration_of_a_server_is_not_its_app(look: Look) -> None:
    files = {
        "config/gunicorn.py": "workers = 2\n",
        "hello/app.py": "from flask import Flask\ndef create_app():\n    return Flask('x')\n",
        "requirements.txt": "flask\ngunicorn\n",
        "Dockerfile": 'FROM python:3.12\nCMD ["gunicorn", "-c", "python:config.gunicorn", "hello.app:create_app()"]\n',
    }
    assert web(look(files)).command == GUNICORN.format("'hello.app:create_app()'")


def test_declared_workers_become_instances_up_to_the_processors(look: Look) -> None:
    files = {
        "main.py": FASTAPI,
        "requirements.txt": "fastapi\nuvicorn",
        "Procfile": "web: uvicorn main:app --workers 8",
    }
    assert web(look(files)).instances == 2


def test_gunicorn_with_uvicorn_workers_is_served_by_uvicorn(look: Look) -> None:
    files = {
        "main.py": FASTAPI,
        "requirements.txt": "fastapi\nuvicorn\ngunicorn\n",
        "Procfile": "web: gunicorn main:app -w 2 -k uvicorn.workers.UvicornWorker\n",
    }
    assert web(look(files)).command == UVICORN.format("main:app")


def test_a_missing_server_is_added_and_told(look: Look) -> None:
    detection = look({"app.py": "from flask import Flask\napp = Flask('x')\n", "requirements.txt": "flask==3\n"})
    build = drafted(detection).build.python
    assert build is not None
    assert build.extra == ("gunicorn",)
    assert any("gunicorn is added" in c.says for c in detection.claims)


DJANGO = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")\n',
    "config/__init__.py": "",
    "config/settings.py": "from pathlib import Path\n"
    'BASE_DIR = Path(__file__).resolve().parent.parent\nALLOWED_HOSTS = ["*"]\n',
    "config/wsgi.py": "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n",
    "requirements.txt": "django\ngunicorn\n",
}


def test_django(look: Look) -> None:
    manifest = drafted(look(DJANGO))
    assert manifest.processes["web"] == Process(command=GUNICORN.format("config.wsgi:application"))
    assert manifest.migrate is not None
    assert manifest.migrate.command == "python manage.py migrate --noinput"


def test_django_in_a_subfolder(look: Look) -> None:
    inner = {f"backend/{path}": text for path, text in DJANGO.items()}
    manifest = drafted(look(inner))
    assert manifest.processes["web"].cwd == "backend"
    assert manifest.migrate is not None
    assert manifest.migrate.cwd == "backend"
    assert manifest.build.python == PythonBuild(
        "pip", dir="backend", requirements=("backend/requirements.txt",), version="", extra=()
    )


@pytest.mark.parametrize(
    "named",
    [
        {"Dockerfile": "FROM python:3.12\nENV DJANGO_SETTINGS_MODULE=config.production\nCMD gunicorn config.wsgi\n"},
        {
            "config/wsgi.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.production")\n'
            "application = 1\n"
        },
        {"Procfile": "web: DJANGO_SETTINGS_MODULE=config.production gunicorn config.wsgi\n"},
    ],
)
def test_django_settings_in_use_are_what_production_names(look: Look, named: dict[str, str]) -> None:
    manifest = drafted(look({**DJANGO, "config/production.py": "from .settings import *\n", **named}))
    assert manifest.env["DJANGO_SETTINGS_MODULE"].value == "config.production"


def test_settings_that_nothing_names_are_found_and_named(look: Look) -> None:
    files = {
        "manage.py": "from django.core.management import execute_from_command_line\n",
        "shop/settings/__init__.py": "",
        "shop/settings/base.py": "ROOT_URLCONF = 'shop.urls'\nINSTALLED_APPS = []\n",
        "shop/settings/test.py": "from .base import *\n",
        "shop/wsgi.py": "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n",
        "requirements.txt": "django\ngunicorn\n",
    }
    assert drafted(look(files)).env["DJANGO_SETTINGS_MODULE"].value == "shop.settings.base"


def test_a_production_module_is_preferred_to_a_local_one(look: Look) -> None:
    files = {
        **DJANGO,
        "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")\n',
        "config/settings/__init__.py": "",
        "config/settings/base.py": 'ALLOWED_HOSTS = ["*"]\n',
        "config/settings/local.py": "from .base import *\nimport os\nX = os.environ['ONLY_LOCAL']\n",
        "config/settings/production.py": "from .base import *\nimport os\nX = os.environ['ONLY_PRODUCTION_URL']\n",
    }
    del files["config/settings.py"]
    detection = look(files)
    assert drafted(detection).env["DJANGO_SETTINGS_MODULE"].value == "config.settings.production"
    assert [p.where for p in detection.problems] == ["config/settings/production.py:3"]


def test_django_static_files_are_gathered_and_served(look: Look) -> None:
    settings = DJANGO["config/settings.py"] + 'STATIC_URL = "assets/"\nSTATIC_ROOT = BASE_DIR / "staticfiles"\n'
    manifest = drafted(look({**DJANGO, "config/settings.py": settings}))
    assert manifest.build.commands == ("python manage.py collectstatic --noinput",)
    assert manifest.static is not None
    assert (manifest.static.dir, manifest.static.url) == ("staticfiles", "/assets/")
    with_whitenoise = {**DJANGO, "config/settings.py": settings, "requirements.txt": "django\ngunicorn\nwhitenoise\n"}
    assert drafted(look(with_whitenoise)).static is None


def test_a_front_end_and_django_static_files_are_served_from_one_folder(look: Look) -> None:
    settings = DJANGO["config/settings.py"] + 'STATIC_URL = "assets/"\nSTATIC_ROOT = BASE_DIR / "staticfiles"\n'
    files = {
        **DJANGO,
        "config/settings.py": settings,
        "frontend/package.json": '{"scripts": {"build": "react-scripts build"}, "dependencies":'
        ' {"react-scripts": "5"}}',
        "frontend/package-lock.json": '{"lockfileVersion": 3}',
        "frontend/public/index.html": "<div id=root></div>",
    }
    moved = {path if path.startswith("frontend/") else f"backend/{path}": text for path, text in files.items()}
    manifest = drafted(look(moved))
    assert manifest.static is not None
    assert (manifest.static.dir, manifest.static.url) == ("frontend/build", "/")
    assert manifest.build.node is not None
    assert manifest.build.commands == (
        "cd backend && python manage.py collectstatic --noinput",
        "mkdir -p frontend/build/assets && cp -R backend/staticfiles/. frontend/build/assets",
    )


@pytest.mark.parametrize(
    ("branch", "is_run"),
    [
        ("if not DEBUG:\n    STATIC_ROOT = 'out'\n", True),
        ("if DEBUG:\n    X = 1\nelse:\n    STATIC_ROOT = 'out'\n", True),
        ("if MODE in ['PRODUCTION']:\n    STATIC_ROOT = 'out'\nelse:\n    X = 1\n", False),
        ("if MODE == 'live':\n    STATIC_ROOT = 'a'\nelse:\n    STATIC_ROOT = 'out'\n", True),
    ],
)
def test_collectstatic_runs_only_where_the_settings_say_where_to(look: Look, branch: str, is_run: bool) -> None:
    settings = DJANGO["config/settings.py"] + "MODE = os.getenv('MODE')\n" + branch
    detection = look({**DJANGO, "config/settings.py": settings})
    assert bool(drafted(detection).build.commands) is is_run
    assert any("collectstatic is not run" in claim.says for claim in detection.claims) is not is_run


def test_what_django_compressor_makes_offline_is_made_by_the_build(look: Look) -> None:
    settings = DJANGO["config/settings.py"] + "STATIC_ROOT = 'out'\nCOMPRESS_OFFLINE = True\n"
    commands = drafted(look({**DJANGO, "config/settings.py": settings})).build.commands
    assert commands == ("python manage.py collectstatic --noinput", "python manage.py compress --force")


def test_a_database_fixed_in_one_branch_is_not_the_only_one(look: Look) -> None:
    fixed = 'DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "ci", "HOST": "127.0.0.1"}}\n'
    read = 'import dj_database_url\nDATABASES = {"default": dj_database_url.config()}\n'
    files = {**DJANGO, "requirements.txt": "django\ngunicorn\npsycopg\n"}
    both = DJANGO["config/settings.py"] + read + "if os.environ.get('CI'):\n    " + fixed
    assert look({**files, "config/settings.py": both}).problems == ()
    alone = look({**files, "config/settings.py": DJANGO["config/settings.py"] + fixed})
    assert any("fix the database's address" in c.says for c in alone.claims)


def test_a_worker_that_procfile_and_compose_name_is_one(look: Look) -> None:
    line = "celery -A shop.tasks beat -l info"
    files = {
        "requirements.txt": "fastapi\nuvicorn\ncelery\nredis\n",
        "main.py": FASTAPI,
        "Procfile": f"web: uvicorn main:app\nbeat: REMAP_SIGTERM=SIGQUIT {line}\n",
        "docker-compose.yml": f"services:\n  beats:\n    build: .\n    command: {line}\n",
    }
    assert sorted(drafted(look(files)).processes) == ["beat", "web"]


def test_settings_of_several_files_are_read_together(look: Look) -> None:
    files = {
        **DJANGO,
        "config/settings/__init__.py": "from .prod import *\n",
        "config/settings/prod.py": "from .base import *\nfrom .custom import *\n",
        "config/settings/base.py": DJANGO["config/settings.py"] + 'STATIC_ROOT = "assets"\n',
        "config/settings/custom.py": 'MEDIA_ROOT = "uploads"\n',
    }
    del files["config/settings.py"]
    manifest = drafted(look(files))
    assert manifest.static is not None
    assert manifest.static.dir == "assets"
    assert manifest.shared == ("uploads",)


@pytest.mark.parametrize(
    ("files", "manager"),
    [
        ({"pyproject.toml": PYPROJECT, "uv.lock": ""}, "uv"),
        ({"pyproject.toml": '[tool.poetry.dependencies]\nfastapi = "*"\nuvicorn = "*"\n', "poetry.lock": ""}, "poetry"),
        ({"pyproject.toml": PYPROJECT, "pdm.lock": ""}, "pdm"),
        ({"Pipfile": '[packages]\nfastapi = "*"\nuvicorn = "*"\n', "Pipfile.lock": "{}"}, "pipenv"),
        ({"requirements.txt": "fastapi\nuvicorn\n"}, "pip"),
        ({"requirements/base.txt": "fastapi\n", "requirements/production.txt": "-r base.txt\nuvicorn\n"}, "pip"),
        ({"pyproject.toml": PYPROJECT}, "setuptools"),
        ({"setup.py": "setup(install_requires=['fastapi', 'uvicorn'])\n"}, "setuptools"),
    ],
)
def test_managers(look: Look, files: dict[str, str], manager: str) -> None:
    build = drafted(look({"main.py": FASTAPI, **files})).build.python
    assert build is not None
    assert build.manager == manager
    assert build.extra == ()


def test_a_lock_in_the_root_serves_an_app_below(look: Look) -> None:
    files = {
        "pyproject.toml": '[tool.uv.workspace]\nmembers = ["backend"]\n',
        "uv.lock": "",
        "backend/pyproject.toml": PYPROJECT,
        "backend/main.py": FASTAPI,
    }
    assert drafted(look(files)).build.python == PythonBuild("uv", dir="backend")


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({".python-version": "3.12.4\n"}, "3.12"),
        ({"runtime.txt": "python-3.11.9\n"}, "3.11"),
        ({"Dockerfile": "FROM node:20 AS web\nFROM python:3.12-slim\n"}, "3.12"),
        ({".github/workflows/ci.yml": "      python-version: '3.12'\n"}, "3.12"),
        ({".python-version": "3.14\n"}, "3.13"),
        ({"pyproject.toml": PYPROJECT.replace(">=3.11", ">=3.11,<3.13"), ".python-version": "3.13"}, "3.12"),
        ({}, ""),
    ],
)
def test_interpreters(look: Look, files: dict[str, str], version: str) -> None:
    build = drafted(look({"main.py": FASTAPI, "pyproject.toml": PYPROJECT, "uv.lock": "", **files})).build.python
    assert build is not None
    assert build.version == version


def test_an_interpreter_that_is_not_here_is_told_with_the_command(look: Look) -> None:
    project = PYPROJECT.replace(">=3.11", ">=3.14,<4")
    (problem,) = look({"main.py": FASTAPI, "pyproject.toml": project, "uv.lock": ""}).problems
    assert (problem.code, problem.where) == ("detect.python-missing", "pyproject.toml:3")
    assert problem.command == "uv python install 3.14"


def test_nothing_of_the_repository_is_run(look: Look, tmp_path: object) -> None:
    trap = f"import pathlib\npathlib.Path({str(tmp_path)!r}, 'ran').touch()\n"
    look({"main.py": trap + FASTAPI, "setup.py": trap, "manage.py": trap, "requirements.txt": "fastapi\n"})
    assert not (tmp_path / "ran").exists()


def test_an_app_that_tests_something_is_not_the_app(look: Look) -> None:
    app = "from fastapi import FastAPI\napp = FastAPI()\n"
    manifest = drafted(
        look({"test_app.py": app, "app/main.py": app, "app/__init__.py": "", "requirements.txt": "fastapi"})
    )
    assert manifest.processes["web"].command.startswith("uvicorn app.main:app ")


@pytest.mark.parametrize(
    ("requirements", "extra"),
    [
        ("Flask==2.2.3\nFlask-Cors==3.0.10\n", ("werkzeug<3",)),
        ("Flask==2.2.3\nWerkzeug==2.2.2\n", ()),
        ("Flask==3.0.0\n", ()),
        ("Flask==3.0.0\npasslib[bcrypt]==1.7.4\n", ("bcrypt<5",)),
        ("Flask==3.0.0\npasslib[argon2]==1.7.4\n", ()),
        ("fastapi==0.100.1\n", ("pydantic<2.12",)),
        ("fastapi==0.120\n", ()),
        ("fastapi==0.88.0\n", ()),
        ("flask==3.0\nsqlalchemy\npsycopg2-binary\n", ("sqlalchemy<2.1",)),
        ("flask==3.0\nsqlalchemy\npsycopg2-binary\npsycopg\n", ()),
        ("flask==3.0\nsqlalchemy==2.0.3\npsycopg2-binary\n", ()),
        ("Flask>=2\n", ()),
        ("Flask==1.1.2\nFlask-SQLAlchemy==2.5.1\nJinja2==2.11.3\n",
         ("werkzeug<2.1", "itsdangerous<2.1", "markupsafe<2.1", "sqlalchemy<2")),
    ],
)  # fmt: skip
def test_what_a_pinned_package_cannot_work_with_is_held_back(
    look: Look, requirements: str, extra: tuple[str, ...]
) -> None:
    name = "FastAPI" if requirements.startswith("fastapi") else "Flask"
    files = {"app.py": f"from {name.lower()} import {name}\napp = {name}(__name__)\n", "requirements.txt": requirements}
    manifest = drafted(look(files))
    assert manifest.build.python is not None
    assert manifest.build.python.extra == (*extra, "uvicorn" if name == "FastAPI" else "gunicorn")


def test_an_app_that_is_made_by_a_function_which_calls_the_factory(look: Look) -> None:
    files = {
        "backend/__init__.py": "from flask import Flask\ndef create_app(config):\n    return Flask(__name__)\n",
        "backend/app.py": "from backend import create_app\ndef deploy():\n    return create_app(1)\napp = deploy()\n",
        "backend/requirements.txt": "flask\ngunicorn\n",
    }
    assert drafted(look(files)).processes["web"].command.startswith("gunicorn backend.app:app ")


def test_none_of_the_environment_is_no_number(look: Look) -> None:
    files = {
        "app.py": "import os\nfrom flask import Flask\nA = int(os.getenv('SPAN_A'))\n"
        "B = os.getenv('LIST_B').split(';')\nC = int(os.getenv('SPAN_C', 5))\napp = Flask(__name__)\n",
        "requirements.txt": "flask==3.1\n",
        ".env": "SPAN_A=15\n",
    }
    detection = look(files)
    assert drafted(detection).env["SPAN_A"].value == "15"
    assert [p.where for p in detection.problems] == ["app.py:4"]


def test_flask_migrate_goes_to_every_head(look: Look) -> None:
    files = {
        "app.py": "from flask import Flask\napp = Flask(__name__)\n",
        "requirements.txt": "flask==3.1\nflask-migrate\n",
        "migrations/versions/a.py": "revision = 'a'\ndown_revision = None\n",
        "migrations/versions/b.py": "revision = 'b'\ndown_revision = 'a'\n",
        "migrations/versions/c.py": "revision = 'c'\ndown_revision = 'a'\n",
    }
    migrate = drafted(look(files)).migrate
    assert migrate is not None
    assert migrate.command.endswith("flask db upgrade heads")


def test_the_app_of_a_worker_is_not_the_one_that_serves(look: Look) -> None:
    source = (
        "from celery import Celery\nfrom flask import Flask\n"
        "def create_celery_app(app=None):\n    app = app or create_app()\n    return Celery(app.import_name)\n"
        "def create_app():\n    return Flask(__name__)\n"
        "celery_app = create_celery_app()\n"
    )
    manifest = drafted(look({"hello/app.py": source, "hello/__init__.py": "", "requirements.txt": "flask\ncelery\n"}))
    assert "hello.app:create_app()" in manifest.processes["web"].command


@pytest.mark.parametrize(
    ("guard", "missing", "stage"),
    [
        ("if not ENV:\n    raise RuntimeError\nDEBUG = ENV == 'dev'\n", 1, "production"),
        ("if ENV:\n    ENV = ENV.strip()\nelse:\n    raise RuntimeError\nIS = ENV == 'prod'\n", 1, "prod"),
        ("if ENV:\n    raise RuntimeError\n", 0, None),
        ("if ENV is None:\n    import sys\n    sys.exit(1)\n", 2, None),
    ],
)
def test_a_source_that_ends_without_a_variable(look: Look, guard: str, missing: int, stage: str | None) -> None:
    files = {
        "app.py": f"import os\nfrom flask import Flask\nENV = os.getenv('ENV')\n{guard}\nKEY = os.getenv('MAPS_KEY')\n"
        "if not KEY:\n    raise ValueError('no key')\napp = Flask(__name__)\n",
        "requirements.txt": "flask==3.1\n",
    }
    detection = look(files)
    env = drafted(detection).env
    assert (env["ENV"].value or None if "ENV" in env else None) == stage
    assert {p.where for p in detection.problems} == {f"app.py:{guard.count(chr(10)) + 5}"} | (
        {"app.py:3"} if missing == 2 else set()
    )
