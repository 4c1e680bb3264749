"""Flask: where the app is made, what it keeps, who holds its sockets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from underway.detect import Detection

Look = Callable[[Mapping[str, str]], Detection]

MADE = "from flask import Flask\ndef create_app(config):\n    app = Flask(__name__)\n    return app\n"
APP = "from flask import Flask\napp = Flask(__name__)\n"


@pytest.mark.parametrize("name", ["run.py", "autoapp.py", "shop.py"])
def test_a_short_file_that_calls_the_factory_is_the_app(look: Look, name: str) -> None:
    start = "from app import create_app\nfrom config import Config\napp = create_app(Config)\n"
    files = {"app/__init__.py": MADE, name: start, "config.py": "class Config: ...\n", "requirements.txt": "flask\n"}
    manifest = look(files).manifest
    assert manifest is not None
    assert manifest.processes["web"].command.startswith(f"gunicorn {name[:-3]}:app ")


@pytest.mark.parametrize(
    ("source", "shared"),
    [
        pytest.param('app.config["UPLOAD_FOLDER"] = "uploads"\n', "uploads", id="config"),
        pytest.param('app.config.update(UPLOAD_FOLDER="kept")\n', "kept", id="update"),
        pytest.param('class Config:\n    UPLOAD_FOLDER = "files/in"\n', "files/in", id="class"),
        pytest.param(
            'import os\napp.config["UPLOAD_FOLDER"] = os.path.join(app.root_path, "static/pics")\n',
            "shop/static/pics",
            id="beside-the-package",
        ),
        pytest.param(
            "import os\nclass Config:\n    here = os.path.abspath(os.path.dirname(__file__))\n"
            "    URI = 'sqlite:///' + os.path.join(here, 'db.sqlite3')\n",
            "shop/db.sqlite3",
            id="a-folder-that-a-class-names",
        ),
    ],
)
def test_what_a_flask_app_keeps_is_found(look: Look, source: str, shared: str) -> None:
    manifest = look({"shop/__init__.py": APP + source, "requirements.txt": "flask\n"}).manifest
    assert manifest is not None
    assert shared in manifest.shared


def test_blueprints_that_a_loop_registers_are_asked_for_their_health(look: Look) -> None:
    views = "from flask import Blueprint\nviews = Blueprint('v', __name__)\n@views.route('/health')\ndef h(): ...\n"
    app = f"{APP}from views import views\nfor each in [views]:\n    app.register_blueprint(each)\n"
    manifest = look({"app.py": app, "views.py": views, "requirements.txt": "flask\n"}).manifest
    assert manifest is not None
    assert manifest.health.path == "/health"


SOCKETS = f"{APP}from flask_socketio import SocketIO\nsocketio = SocketIO(app%s)\n"


@pytest.mark.parametrize(
    ("arguments", "requirements", "workers"),
    [
        ("", "flask\nflask-socketio\n", "--workers 1 --threads 100"),
        (", async_mode='threading'", "flask\nflask-socketio\ngevent\n", "--workers 1 --threads 100"),
        ("", "flask\nflask-socketio\ngevent\n", "--worker-class gevent --workers 1"),
        ("", "flask\nflask-socketio\neventlet\ngunicorn==20.1.0\n", "--worker-class eventlet --workers 1"),
        ("", "flask\nflask-socketio\neventlet\n", "--workers 1 --threads 100"),
    ],
)
def test_one_process_holds_the_sockets(look: Look, arguments: str, requirements: str, workers: str) -> None:
    manifest = look({"app.py": SOCKETS % arguments, "requirements.txt": requirements}).manifest
    assert manifest is not None
    assert manifest.processes["web"].command == f"gunicorn app:app --bind 127.0.0.1:$PORT {workers}"


def test_an_app_that_names_its_kind_of_server_and_has_no_client_gets_postgresql(look: Look) -> None:
    source = (
        f"import os\n{APP}URI = '{{}}://{{}}:{{}}@{{}}:{{}}/{{}}'.format(os.getenv('DB_ENGINE', 'mysql'), "
        "os.getenv('DB_USERNAME', 'u'), os.getenv('DB_PASS', 'p'), os.getenv('DB_HOST', 'localhost'), "
        "os.getenv('DB_PORT', 3306), os.getenv('DB_NAME', 'shop'))\n"
    )
    manifest = look({"app.py": source, "requirements.txt": "flask\nflask-sqlalchemy\n"}).manifest
    assert manifest is not None
    assert manifest.services.postgres is not None
    assert manifest.build.python is not None
    assert "psycopg2-binary" in manifest.build.python.extra
    assert {"DB_HOST", "DB_PORT", "DB_NAME"} <= set(manifest.services.postgres.env)
    assert manifest.env["DB_ENGINE"].value == "postgresql"


FASTAPI = "from fastapi import FastAPI\n"


def test_a_folder_of_a_framework_s_name_is_not_where_modules_are_imported_from(look: Look) -> None:
    files = {
        "app/src/__init__.py": "",
        "app/src/web/fastapi/app.py": f"{FASTAPI}from src.web.fastapi.api import r\napp = FastAPI()\n",
        "app/src/web/fastapi/api.py": "from fastapi import APIRouter\nr = APIRouter()\n",
        "app/requirements.txt": "fastapi\nuvicorn\n",
    }
    manifest = look(files).manifest
    assert manifest is not None
    assert manifest.processes["web"].command.startswith("uvicorn src.web.fastapi.app:app ")
    assert manifest.processes["web"].cwd == "app"


def test_settings_that_the_code_makes_with_values_of_its_own_are_not_asked_for(look: Look) -> None:
    source = (
        f"{FASTAPI}from pydantic_settings import BaseSettings\napp = FastAPI()\n"
        "class Place(BaseSettings):\n    name: str\n    key: str\n"
        "class Settings(BaseSettings):\n    token: str\n"
        "settings = Settings()\nplaces = [Place(name=n, key='k') for n in ('a', 'b')]\n"
    )
    found = look({"app.py": source, "requirements.txt": "fastapi\nuvicorn\npydantic-settings\n"})
    assert not [one.why for one in found.problems if "without NAME" in one.why or "without KEY" in one.why]
