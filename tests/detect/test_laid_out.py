"""What Dockerfiles and compose files lay out and keep, and programs that they start."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from underway.detect import Detection
from underway.manifest.build import NodeBuild
from underway.manifest.model import Manifest

Look = Callable[[Mapping[str, str]], Detection]


def drafted(detection: Detection) -> Manifest:
    assert detection.manifest is not None, detection.problems
    return detection.manifest


def node(files: Mapping[str, str]) -> dict[str, str]:
    package = {"scripts": {"start": "node server.js"}, "dependencies": {"express": "4"}}
    server = {"package-lock.json": "", "server.js": "app.listen(process.env.PORT)"}
    return {"package.json": json.dumps(package), **server, **files}


DOCKERFILE = """FROM node:20
WORKDIR /app
COPY . .
RUN mkdir -p ./public ./data \\
  && cd ./client && npm run build && cd .. \\
  && mv ./client/build/* ./public
VOLUME ["/app/data", "/app/static", "/etc/elsewhere"]
CMD ["node", "server.js"]
"""
CLIENT = json.dumps({"scripts": {"build": "react-scripts build"}, "dependencies": {"react-scripts": "4"}})


def test_a_front_end_is_put_where_the_dockerfile_puts_it(look: Look) -> None:
    files = node({"Dockerfile": DOCKERFILE, "client/package.json": CLIENT, "client/public/index.html": ""})
    manifest = drafted(look(files))
    assert manifest.build.front_end == NodeBuild("npm", dir="client", script="build")
    assert manifest.build.commands == ("mkdir -p public data", "mkdir -p public && cp -r client/build/. public/")
    assert manifest.static is None


def test_a_volume_inside_the_tree_outlives_releases(look: Look) -> None:
    detection = look(node({"Dockerfile": DOCKERFILE, "data/.gitkeep": ""}))
    assert drafted(detection).shared == ("data",)
    assert [c.evidence for c in detection.claims if c.about == "shared"] == ["Dockerfile:7"]


@pytest.mark.parametrize(
    ("volume", "shared"),
    [
        ("./storage:/app/storage", ("storage",)),
        ("files:/app/var/files:rw", ("var/files",)),
        ("./words:/app/words:ro", ()),
        (".:/app", ()),
        ("./lib:/app/lib", ()),
        ("static:/app/staticfiles", ()),
        ("modules:/app/node_modules", ()),
        ("pg:/var/lib/postgresql/data", ()),
        ("up:/app/../etc", ()),
    ],
)
def test_volumes_of_compose(look: Look, volume: str, shared: tuple[str, ...]) -> None:
    dockerfile = "FROM node:20\nWORKDIR /app\nCOPY . .\nCMD node server.js\n"
    compose = f"services:\n  web:\n    build: .\n    volumes:\n      - {volume}\n"
    files = node({"Dockerfile": dockerfile, "compose.yaml": compose, "lib/a.js": "module.exports = 1"})
    assert drafted(look(files)).shared == shared


@pytest.mark.parametrize(
    ("source", "shared"),
    [
        ("new Sequelize({ dialect: 'sqlite', storage: './data/db.sqlite' })", ("data/db.sqlite",)),
        ("const db = new Database('letters.db')", ("letters.db",)),
        ("multer({ dest: 'uploads/' })", ("uploads",)),
        ("new Sequelize({ storage: ':memory:' }); multer({ dest: '/tmp/uploads' })", ()),
    ],
)
def test_files_that_a_node_server_keeps(look: Look, source: str, shared: tuple[str, ...]) -> None:
    assert drafted(look(node({"db.js": source}))).shared == shared


PYPROJECT = """[project]
name = "shop"
dependencies = ["fastapi", "uvicorn"]

[project.scripts]
shop = "shop.server:main"
"""


@pytest.mark.parametrize(
    ("start", "command"),
    [
        (
            """ENV HOST=0.0.0.0\nCMD ["sh", "-c", "uv run shop --port $P --host $HOST --proxies='*'"]""",
            "shop --port $PORT --host 127.0.0.1 '--proxies=*'",
        ),
        ("CMD python -m shop --port=8000", "python -m shop --port=$PORT"),
        ("CMD shop serve", "uvicorn shop.app:create_app --host 127.0.0.1 --port $PORT --factory"),
        ("CMD other --port 8000", "uvicorn shop.app:create_app --host 127.0.0.1 --port $PORT --factory"),
    ],
)
def test_a_program_of_the_project_is_started_as_its_container_does(look: Look, start: str, command: str) -> None:
    files = {
        "pyproject.toml": PYPROJECT,
        "uv.lock": "",
        "shop/__init__.py": "",
        "shop/app.py": "from fastapi import FastAPI\ndef create_app() -> FastAPI:\n    return FastAPI()\n",
        "Dockerfile": f"FROM python:3.12\nWORKDIR /app\nCOPY . .\n{start}\n",
    }
    assert drafted(look(files)).processes["web"].command == command


ENTRY = """#!/bin/sh
if [ -n "$EXTRA" ]; then pip install $EXTRA; fi
exec "$@"
"""


def test_a_script_that_makes_its_app_by_itself_is_run_with_its_arguments(look: Look) -> None:
    """A bare `app = Flask()` elsewhere has no routes until the script has made it."""
    files = {
        "requirements.txt": "flask\n",
        "watcher.py": "import shop\nshop.main()\n",
        "shop/__init__.py": "import os\nport = int(os.environ.get('PORT', 5000))\n",
        "shop/web.py": "from flask import Flask\napp = Flask(__name__)\n",
        "entry.sh": ENTRY,
        "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nENTRYPOINT ["/entry.sh"]\n'
        'CMD ["python", "./watcher.py", "-d", "/datastore", "-c", "/etc/x"]\n',
    }
    manifest = drafted(look(files))
    assert manifest.processes["web"].command == "python watcher.py -d datastore -c /etc/x"
    assert manifest.shared == ("datastore",)
    served = {**files, "watcher.py": "from shop.web import app\napp.run()\n"}
    assert drafted(look(served)).processes["web"].command.startswith("gunicorn shop.web:app ")
