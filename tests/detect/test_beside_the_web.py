"""Smoke requests, tables, workers: what an app needs beside the process that serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from underway.detect import Detection
from underway.manifest.smoke import Expect, Smoke

Look = Callable[[Mapping[str, str]], Detection]

ROUTES = """\
import os
from fastapi import Depends, FastAPI
app = FastAPI()
URL = os.environ["DATABASE_URL"]
@app.get("/health")
def health(): ...
@app.get("{path}")
def listed({arguments}):
    {body}
"""


def api(
    path: str = "/items", arguments: str = "db=Depends(get_db)", body: str = "return db.execute(q)"
) -> dict[str, str]:
    source = ROUTES.format(path=path, arguments=arguments, body=body)
    return {"main.py": source, "requirements.txt": "fastapi\nuvicorn\npsycopg\n"}


def test_a_list_that_anybody_may_ask_for_touches_the_database(look: Look) -> None:
    detection = look(api())
    assert detection.manifest is not None
    assert detection.manifest.smokes == (Smoke(path="/items", expect=Expect(status="below-500")),)
    assert [c.evidence for c in detection.claims if c.about == "smoke"] == ["main.py:7"]


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(api(path="/items/{n}", arguments="n, db=Depends(get_db)"), id="needs-a-number"),
        pytest.param(api(arguments="q, db=Depends(get_db)"), id="needs-a-query"),
        pytest.param(api(arguments="db=Depends(get_db), me=Depends(get_current_user)"), id="needs-an-account"),
        pytest.param(api(arguments="", body="return []"), id="asks-nothing"),
        pytest.param(api(path="/logout"), id="does-something"),
        pytest.param({**api(), "requirements.txt": "fastapi\nuvicorn\n"}, id="no-database"),
    ],
)
def test_no_smoke_request_is_made_up(look: Look, files: dict[str, str]) -> None:
    manifest = look(files).manifest
    assert manifest is not None
    assert manifest.smokes == ()


FLASK = """\
import os
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
app = Flask(__name__)
db = SQLAlchemy(app)
URL = os.environ["DATABASE_URL"]
"""
COMMAND = '@app.cli.command("init-db")\ndef init():\n'
REQUIREMENTS = "flask\ngunicorn\nflask-sqlalchemy\npsycopg\n"
BY_HAND = 'python -c \'from app import app; a = app; x = a.extensions["sqlalchemy"]; '


@pytest.mark.parametrize(
    ("more", "command"),
    [
        pytest.param(
            '@app.cli.command("init-db")\ndef init():\n    db.create_all()\n',
            "PYTHONPATH=. FLASK_APP=app:app flask init-db",
            id="command",
        ),
        pytest.param('if __name__ == "__main__":\n    db.create_all()\n    app.run()\n', "python -c ", id="script"),
        pytest.param(
            'def init_db():\n    db.create_all()\nif __name__ == "__main__":\n    init_db()\n    app.run()\n',
            """python -c 'import importlib; m = importlib.import_module("app"); exec("init_db()", vars(m))'""",
            id="a-function-that-the-script-calls",
        ),
        pytest.param(
            '@app.cli.command("init-db")\ndef init():\n    db.drop_all()\n    db.create_all()\n', BY_HAND, id="drops"
        ),
        pytest.param(
            'if __name__ == "__main__":\n    db.drop_all()\n    db.create_all()\n', BY_HAND, id="script-that-drops"
        ),
        pytest.param('@app.route("/make")\ndef make():\n    db.create_all()\n', BY_HAND, id="at-an-address"),
        pytest.param("", BY_HAND, id="nothing"),
        pytest.param("with app.app_context():\n    db.create_all()\n", "", id="as-it-starts"),
        pytest.param("def tables():\n    db.create_all()\ntables()\n", "", id="by-a-function-as-it-starts"),
        pytest.param("@app.before_request\ndef tables():\n    db.create_all()\n", "", id="before-a-request"),
    ],
)
def test_tables_are_made_by_what_drops_nothing(look: Look, more: str, command: str) -> None:
    manifest = look({"app.py": FLASK + more, "requirements.txt": REQUIREMENTS}).manifest
    assert manifest is not None
    made = manifest.migrate.command if manifest.migrate else ""
    assert made.startswith(command)
    assert bool(made) == bool(command)


def test_what_drops_data_is_named_and_not_run(look: Look) -> None:
    more = f"{COMMAND}    con.executescript('DROP TABLE a; CREATE TABLE a')\n"
    source = FLASK.replace("from flask_sqlalchemy import SQLAlchemy\n", "").replace("db = SQLAlchemy(app)\n", "")
    claims = look({"app.py": source + more, "requirements.txt": REQUIREMENTS}).claims
    assert [(c.evidence, "init-db" in c.says) for c in claims if c.about == "migrate"] == [("app.py:6", True)]


def test_alembic_without_a_migration_leaves_the_tables_to_the_app(look: Look) -> None:
    more = 'if __name__ == "__main__":\n    db.create_all()\n    app.run()\n'
    files = {"app.py": FLASK + more, "requirements.txt": f"{REQUIREMENTS}flask-migrate\nalembic\n"}
    manifest = look({**files, "migrations/alembic.ini": "[alembic]\n", "migrations/env.py": ""}).manifest
    assert manifest is not None
    assert manifest.migrate is not None
    assert "create_all()" in manifest.migrate.command


FASTAPI = "import os\nfrom fastapi import FastAPI\napp = FastAPI()\nR = os.environ['REDIS_URL']\n"


@pytest.mark.parametrize(
    ("files", "workers"),
    [
        pytest.param(
            {"main.py": FASTAPI, "jobs.py": "class WorkerSettings:\n    functions = []\n",
             "requirements.txt": "fastapi\nuvicorn\narq\nredis\n"},
            {"worker": "arq jobs.WorkerSettings"},
            id="arq-that-nothing-starts",
        ),
        pytest.param(
            {"main.py": FASTAPI, "tasks.py": "from celery import Celery\nqueue = Celery('x')\n",
             "requirements.txt": "fastapi\nuvicorn\ncelery\nredis\n"},
            {"worker": "celery -A tasks.queue worker -l info"},
            id="celery-that-nothing-starts",
        ),
        pytest.param(
            {"main.py": FASTAPI, "tasks.py": "from celery import Celery\nqueue = Celery('x')\n",
             "Procfile": "web: uvicorn main:app\njobs: celery -A tasks.queue worker\n",
             "requirements.txt": "fastapi\nuvicorn\ncelery\nredis\n"},
            {"jobs": "celery -A tasks.queue worker"},
            id="as-declared",
        ),
        pytest.param(
            {"manage.py": "import django\n", "main.py": FASTAPI, "docker/uwsgi.ini":
             "[uwsgi]\nmodule = main:app\nattach-daemon = ./manage.py sendmails --fast\n"
             "if-env = SMTP\nattach-daemon = ./manage.py smtpd\nendif =\nhttp-socket = :8000\n",
             "requirements.txt": "fastapi\nuvicorn\nredis\n"},
            {"sendmails": "python manage.py sendmails --fast"},
            id="uwsgi",
        ),
    ],
)  # fmt: skip
def test_workers(look: Look, files: dict[str, str], workers: dict[str, str]) -> None:
    manifest = look(files).manifest
    assert manifest is not None
    assert {n: p.command for n, p in manifest.processes.items() if n != "web"} == workers


def test_a_worker_starts_where_its_package_is(look: Look) -> None:
    """Not in a folder that looks like the image's working directory, which a stage of the build filled."""
    compose = (
        "services:\n"
        "  api:\n    build: {context: .}\n    command: uvicorn app.main:app\n"
        "  queue:\n    build: {context: .}\n    command: celery -A app.tasks worker\n"
    )
    manifest = look(
        {
            "backend/docker-compose.yml": compose,
            "backend/Dockerfile": "FROM python:3.12 AS builder\nWORKDIR /app\nCOPY ./app ./app\n"
            "FROM python:3.12\nWORKDIR /app\nCOPY --from=builder /app/app /app/app\n",
            "backend/app/__init__.py": "",
            "backend/app/main.py": FASTAPI,
            "backend/app/tasks.py": "from celery import Celery\nqueue = Celery('x')\n",
            "backend/requirements.txt": "fastapi\nuvicorn\ncelery\nredis\n",
        }
    ).manifest
    assert manifest is not None
    assert manifest.processes["queue"].cwd == manifest.processes["web"].cwd == "backend"


def test_a_schedule_within_the_app_runs_in_one_process(look: Look) -> None:
    source = "from flask import Flask\nfrom apscheduler.schedulers.background import BackgroundScheduler\n"
    source += "app = Flask(__name__)\nBackgroundScheduler().start()\n"
    manifest = look({"app.py": source, "requirements.txt": "flask\ngunicorn\napscheduler\n"}).manifest
    assert manifest is not None
    assert "--workers 1 --threads 8" in manifest.processes["web"].command
