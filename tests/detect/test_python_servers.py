"""What servers of Python other than Django say: settings of pydantic's, newer syntax, scripts that start them."""

from __future__ import annotations

from typing import Any

import pytest

from underway.detect.python_syntax import syntax_tree

PYDANTIC = "[project]\nname = 'shop'\ndependencies = ['fastapi', 'uvicorn', 'pydantic-settings']\n"
FASTAPI = "from fastapi import FastAPI\nimport settings\napp = FastAPI()\n"


def missing(detection: Any) -> set[str]:
    return {p.why.split("without ")[1].split(",")[0] for p in detection.problems if "without " in p.why}


@pytest.mark.parametrize(
    "source",
    [
        # the fields are a plain model's, the prefix is joined to options that several classes share
        """
from pydantic import BaseModel
from pydantic_settings import BaseSettings, SettingsConfigDict
SHARED = SettingsConfigDict(env_file=".env")
class Mail(BaseModel):
    HOST: str
    PORT: int = 25
class MailSettings(BaseSettings, Mail):
    model_config = SHARED | SettingsConfigDict(env_prefix="MAIL_")
""",
        # the prefix is that of the class above
        """
from pydantic_settings import BaseSettings, SettingsConfigDict
class Prefixed(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="MAIL_")
class MailSettings(Prefixed):
    host: str
""",
        """
from pydantic_settings import BaseSettings, SettingsConfigDict
class MailSettings(BaseSettings):
    model_config = SettingsConfigDict(**{"env_prefix": "MAIL_"})
    host: str
""",
    ],
)
def test_the_prefix_of_settings_wherever_it_is_stated(look: Any, source: str) -> None:
    found = look({"pyproject.toml": PYDANTIC, "main.py": FASTAPI, "settings.py": source})
    assert missing(found) == {"MAIL_HOST"}


def test_settings_in_a_later_pythons_syntax_are_read(look: Any) -> None:
    source = (
        "from pydantic_settings import BaseSettings\n"
        "type Names = list[str]\n"
        "def load[E: BaseSettings](of: type[E]) -> E:\n    return of()\n"
        "class Settings(BaseSettings):\n    mail_host: str\n"
        "@decorated\ndef named(of):\n    return f'{of['name']!r:{of['width']}}' t'{of}'\n"
        "class Others(BaseSettings):\n    mail_user: str\n"
    )
    found = look({"pyproject.toml": PYDANTIC, "main.py": FASTAPI, "settings.py": source})
    assert missing(found) == {"MAIL_HOST", "MAIL_USER"}
    assert {claim.evidence for claim in found.claims if "MAIL" in claim.says} <= {"settings.py:6", "settings.py:11"}
    assert {p.where for p in found.problems} == {"settings.py:6", "settings.py:11"}, "lines stay where they are"


@pytest.mark.parametrize("text", ["def f(:\n" * 50, "x = [\n" * 3000, "\0", "@" * 500, "(" * 400, "if x:\n"])
def test_what_is_no_python_is_given_up_soon(text: str) -> None:
    tree = syntax_tree(text)
    assert tree is None or not tree.body


def test_a_script_that_starts_the_server_names_the_app(look: Any) -> None:
    files = {
        "src/requirements.txt": "sanic==19.12.2\ngunicorn==19.9.0\n",
        "src/app/__init__.py": "from sanic import Sanic\napp = Sanic('shop')\n",
        "src/app/server.py": "from app import app\napp.blueprint(None)\n",
        "src/run_server.sh": "#!/bin/bash\npython manage.py sync\n"
        "gunicorn -c conf.py --worker-class sanic.worker.GunicornWorker app.server:app\n",
    }
    found = look(files)
    assert found.manifest is not None
    web = found.manifest.processes["web"]
    assert "app.server:app" in web.command
    assert web.cwd == "src"
    assert "uvicorn<0.14" in found.manifest.build.python.extra, "what old Sanic holds websockets back to"
    declared = look({**files, "Procfile": "web: uvicorn app:app --port $PORT\n", "src/Procfile": ""})
    assert "app.server" not in str(declared.manifest), "a Procfile wins"


def test_a_foreign_database_in_parts_is_asked_for_whole(look: Any) -> None:
    found = look(
        {
            "requirements.txt": "flask\npymysql\n",
            "app.py": "import os\nfrom flask import Flask\n"
            "user = os.getenv('SHOP_DB_USER', 'root')\npasswd = os.getenv('SHOP_DB_PASSWD', '123456')\n"
            "host = os.getenv('SHOP_DB_HOST', '127.0.0.1')\nport = os.getenv('SHOP_DB_PORT', 3306)\n"
            "name = os.getenv('SHOP_DB_NAME', 'shop')\n"
            "URL = f'mysql+pymysql://{user}:{passwd}@{host}:{port}/{name}'\napp = Flask(__name__)\n",
        }
    )
    asked = {p.remedy.rpartition(": ")[2] for p in found.problems}
    assert asked == {
        'SHOP_DB_HOST = "host"',
        'SHOP_DB_USER = "…"',
        'SHOP_DB_PASSWD = "…"',
        'SHOP_DB_NAME = "…"',
    }
    assert not any("generated" in claim.says for claim in found.claims), "a password of another's is not made up"


def test_cassandra_is_told_early(look: Any) -> None:
    found = look(
        {
            "requirements.txt": "sanic\ncassandra-driver\n",
            "app.py": "from sanic import Sanic\nfrom cassandra.cluster import Cluster\napp = Sanic('shop')\n",
        }
    )
    assert any("connects to Cassandra" in p.why and p.where == "app.py:2" for p in found.problems)


def test_a_gradio_page_that_another_module_makes(look: Any) -> None:
    found = look(
        {
            "requirements.txt": "gradio\n",
            "src/__init__.py": "",
            "src/ui.py": "import gradio as gr\ndef make():\n    return gr.Blocks()\n",
            "src/main.py": "from src.ui import make\ndef main():\n    interface = make()\n"
            "    interface.launch(server_name='0.0.0.0', server_port=7860)\nif __name__ == '__main__':\n    main()\n",
        }
    )
    assert found.manifest is not None
    assert found.manifest.processes["web"].command == "python .underway/listen.py -m src.main"


def test_a_template_of_projects_says_so(look: Any) -> None:
    found = look({"copier.yml": "name: x\n", "src/{{ slug }}/app.py.jinja": "x\n", "pyproject.toml.jinja": "x\n"})
    assert ["template for new projects (copier.yml)" in p.why for p in found.problems] == [True]


@pytest.mark.parametrize(
    ("volume", "is_kept"),
    [
        ("/app/.data", True),
        ("/app/.venv", False),
        ("/app/.next", False),
        ("/app/.cache/x", False),
        ("/app/store", True),
    ],
)
def test_a_hidden_volume_that_holds_data_is_kept(look: Any, volume: str, is_kept: bool) -> None:
    found = look(
        {
            "requirements.txt": "fastapi\nuvicorn\n",
            "main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
            "Dockerfile": "FROM python:3.12\nWORKDIR /app\nCOPY . .\nCMD uvicorn main:app --host 0.0.0.0 --port 80\n",
            "docker-compose.yml": f"services:\n  web:\n    build: .\n    volumes:\n      - kept:{volume}\n",
        }
    )
    assert found.manifest is not None
    assert bool(found.manifest.shared) is is_kept


def test_the_scheme_that_sqlalchemy_no_longer_takes_is_not_handed_on(look: Any) -> None:
    found = look(
        {
            "requirements.txt": "fastapi\nuvicorn\nalembic\npsycopg2-binary\nsqlalchemy\n",
            "main.py": "import os\nfrom fastapi import FastAPI\nURL = os.environ['DATABASE_URL']\napp = FastAPI()\n",
            "alembic.ini": "[alembic]\nscript_location = alembic\nsqlalchemy.url = postgres://a:b@localhost/shop\n",
            "alembic/env.py": "connectable = engine_from_config(config)\n",
            "alembic/versions/1.py": "revision = '1'\ndown_revision = None\n",
            "docker-compose.yml": "services:\n  db:\n    image: postgres:16\n",
        }
    )
    assert found.manifest is not None
    assert found.manifest.migrate is not None
    assert "'postgresql://'" in found.manifest.migrate.command.replace("'\"'\"'", "'")


def test_a_python_that_the_project_does_not_take_is_not_called_absent(look: Any) -> None:
    found = look(
        {
            "Pipfile": "[packages]\nflask = '*'\n[requires]\npython_version = '3.12'\n",
            "app.py": "from flask import Flask\napp = Flask(__name__)\n",
            "Dockerfile": "FROM python:3.11\nCMD flask run\n",
        }
    )
    says = next(claim.says for claim in found.claims if claim.about == "python")
    assert "3.11 is named here, and the project asks for" in says


def web(found: Any) -> str:
    assert found.manifest is not None, found.problems
    command: str = found.manifest.processes["web"].command
    return command


def test_a_class_made_of_the_frameworks_and_a_plain_create(look: Any) -> None:
    app = "from sanic import Sanic\nclass Shop(Sanic):\n    pass\ndef create(names=None):\n    return Shop('shop')\n"
    found = look({"setup.py": "setup(install_requires=['sanic'])\n", "shop/__init__.py": "", "shop/app.py": app})
    assert web(found).startswith("uvicorn shop.app:create ")
    assert "--factory" in web(found)


def test_a_page_that_is_opened_in_a_try(look: Any) -> None:
    script = "from nicegui import ui\ntry:\n    ui.run(port=8000)\nexcept KeyboardInterrupt:\n    pass\n"
    other = "from nicegui import ui\ndef late():\n    ui.run(port=8000)\n"
    assert web(look({"requirements.txt": "nicegui\n", "web/app.py": script})) == "python .underway/listen.py web/app.py"
    assert look({"requirements.txt": "nicegui\n", "web/late.py": other}).manifest is None


@pytest.mark.parametrize("line", ["python -u -m shop.api.app", "python shop/api/app.py"])
def test_the_module_that_a_container_runs_is_the_app(look: Any, line: str) -> None:
    files = {
        "requirements.txt": "flask\n",
        "app.py": "from flask import Flask\napp = Flask(__name__)\n",
        "shop/__init__.py": "",
        "shop/api/__init__.py": "",
        "shop/api/app.py": "from flask import Flask\nserver = Flask(__name__)\n",
        "Dockerfile": f"FROM python:3.12\nWORKDIR /app\nCOPY . .\nCMD {line}\n",
    }
    assert "shop.api.app:server" in web(look(files))
    assert "app:app" in web(look({**files, "Dockerfile": "FROM python:3.12\n"}))


@pytest.mark.parametrize(
    ("files", "taken"),
    [
        ({"requirements/development.txt": "flask\n"}, ("requirements/development.txt",)),
        (
            {"requirements_20250824.txt": "flask\n", "requirements_20250913.txt": "flask\n"},
            ("requirements_20250913.txt",),
        ),
        ({"requirements-test.txt": "pytest\n", "requirements-server.txt": "flask\n"}, ("requirements-server.txt",)),
        (
            {
                "deps/web.txt": "flask\n",
                "Dockerfile": "FROM python:3.12\nWORKDIR /app\nCOPY ./deps/web.txt ./requirements.txt\n"
                "RUN pip install -r ./requirements.txt\n",
                "requirements/development.txt": "pytest\n",
            },
            ("deps/web.txt",),
        ),
    ],
)
def test_requirements_under_another_name(look: Any, files: dict[str, str], taken: tuple[str, ...]) -> None:
    found = look({"app.py": "from flask import Flask\napp = Flask(__name__)\n", **files})
    assert found.manifest is not None, found.problems
    assert found.manifest.build.python.requirements == taken


def test_what_a_compose_file_for_development_runs_is_needed_and_how_it_runs_is_not_said(look: Any) -> None:
    found = look(
        {
            "requirements.txt": "fastapi\nuvicorn\nredis\n",
            "main.py": "import os\nfrom fastapi import FastAPI\nat = os.getenv('REDISTOGO_URL', 'redis://localhost')\n"
            "app = FastAPI()\n",
            "docker-compose.dev.yml": "services:\n  redis:\n    image: redis:7\n  web:\n    build: .\n"
            "    command: uvicorn main:app --reload\n",
        }
    )
    assert found.manifest is not None
    assert found.manifest.services.redis is not None
    assert any("redis:7" in claim.says for claim in found.claims)
    assert not any("as the repository starts" in claim.says for claim in found.claims)


def test_a_port_that_the_settings_cannot_do_without_is_given_to_the_migration(look: Any) -> None:
    files = {
        "pyproject.toml": PYDANTIC.replace("'fastapi'", "'fastapi', 'alembic'"),
        "main.py": FASTAPI,
        "settings.py": "from pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n    port: int\n",
        "alembic.ini": "[alembic]\nscript_location = migrations\n",
        "migrations/env.py": "import settings\n",
        "migrations/versions/1.py": "revision = '1'\ndown_revision = None\n",
    }
    found = look(files)
    assert found.manifest is not None
    assert found.manifest.migrate is not None
    assert found.manifest.migrate.command.startswith("PORT=8000 ")
    plain = look({**files, "settings.py": files["settings.py"].replace("int", "int = 80")})
    assert plain.manifest is not None
    assert plain.manifest.migrate is not None
    assert "PORT" not in plain.manifest.migrate.command


def test_flask_sqlalchemy_without_an_address_takes_the_examples_file(look: Any) -> None:
    found = look(
        {
            "requirements.txt": "flask\nflask-sqlalchemy\n",
            "config.py": "import os\nclass Config:\n"
            "    SQLALCHEMY_DATABASE_URI = os.getenv('SQLALCHEMY_DATABASE_URI')\n"
            "    PREFIX = os.getenv('API_PREFIX')\n    HOOK = os.getenv('HOOK_PREFIX')\n",
            "app.py": "from flask import Flask\nfrom flask_sqlalchemy import SQLAlchemy\nimport config\n"
            "app = Flask(__name__)\napp.config.from_object(config.Config)\ndb = SQLAlchemy(app)\n",
            ".env.example": "SQLALCHEMY_DATABASE_URI=sqlite:///market.db\nAPI_PREFIX=/api/v1\nHOOK_PREFIX=your own\n",
        }
    )
    assert found.manifest is not None
    assert found.manifest.env["SQLALCHEMY_DATABASE_URI"].value == "sqlite:///market.db"
    assert "instance/market.db" in found.manifest.shared
    assert found.manifest.env["API_PREFIX"].value == "/api/v1", "the front end asks for what begins with it"
    assert "HOOK_PREFIX" not in found.manifest.env


def test_a_script_that_makes_everything_anew_does_not_count_as_making_the_tables(look: Any) -> None:
    files = {
        "requirements.txt": "flask\nflask-sqlalchemy\npsycopg2-binary\n",
        "app.py": "import os\nfrom flask import Flask\nfrom flask_sqlalchemy import SQLAlchemy\napp = Flask(__name__)\n"
        "app.config['SQLALCHEMY_DATABASE_URI'] = os.environ['DATABASE_URL']\ndb = SQLAlchemy(app)\n",
        "fill.py": "from app import app, db\nwith app.app_context():\n    db.drop_all()\n    db.create_all()\n",
    }
    found = look(files)
    assert found.manifest is not None
    assert found.manifest.migrate is not None
    assert "create_all()" in found.manifest.migrate.command
    assert "drop" not in found.manifest.migrate.command


def test_sources_that_are_imported_from_within_and_by_their_folders_name(look: Any) -> None:
    files = {
        "requirements.txt": "fastapi\nuvicorn\n",
        "src/main.py": "from fastapi import FastAPI\nimport container\nfrom parts import x\napp = FastAPI()\n",
        "src/container.py": "from src.config import Config\n",
        "src/config.py": "class Config: pass\n",
        "src/parts.py": "x = 1\n",
    }
    assert web(look(files)).startswith("PYTHONPATH=. uvicorn main:app")
    assert "PYTHONPATH" not in web(look({**files, "src/container.py": "from config import Config\n"}))
    page = {
        "requirements.txt": "nicegui\n",
        "web/app.py": "from nicegui import ui\nimport pages\nui.run(port=8000)\n",
        "web/pages.py": "from web.header import top\n",
        "web/header.py": "top = 1\n",
    }
    assert web(look(page)) == "PYTHONPATH=. python .underway/listen.py web/app.py"


def test_secrets_of_litestars_sessions_have_a_length_that_it_takes(look: Any) -> None:
    found = look(
        {
            "requirements.txt": "litestar\nuvicorn\n",
            "app.py": "import os\nfrom litestar import Litestar\n"
            "from litestar.middleware.session.client_side import CookieBackendConfig\n"
            "session = CookieBackendConfig(secret=os.environ['SESSION_SECRET'].encode())\napp = Litestar([])\n",
        }
    )
    assert found.manifest is not None
    assert found.manifest.env["SESSION_SECRET"].generate == "password", "which has 24 characters"


def test_a_database_file_that_is_put_together_first_and_then_named(look: Any) -> None:
    found = look(
        {
            "backend/requirements.txt": "quart\nsqlmodel\n",
            "backend/app.py": "from quart import Quart\nimport tasks\napp = Quart(__name__)\n",
            "backend/tasks.py": "from pathlib import Path\nfrom sqlmodel import create_engine\n"
            "DB_PATH = Path(__file__).parent / 'data' / 'tasks.db'\nURL = f'sqlite:///{DB_PATH}'\n"
            "engine = create_engine(URL)\n",
        }
    )
    assert found.manifest is not None
    assert found.manifest.shared == ("backend/data/tasks.db",)


def test_what_the_root_runs_goes_before_an_example_below_it(look: Any) -> None:
    flask = "from flask import Flask\napp = Flask(__name__)\n"
    image = "FROM python:3.12\nWORKDIR /app\nCOPY . .\n"
    found = look(
        {
            "requirements.txt": "flask\n",
            "shop/__init__.py": "",
            "shop/server.py": flask,
            "Dockerfile": f"{image}CMD python -m shop.server\n",
            "courses/hello/app.py": flask,
            "courses/hello/Dockerfile": f"{image}CMD python app.py\n",
            "courses/hello/docker-compose.yml": "services:\n  web:\n    build: .\n",
        }
    )
    assert "shop.server:app" in web(found)
