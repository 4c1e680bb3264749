"""Names and values of a repository in the lines that a shell runs: words that mean themselves, whatever is in them."""

from __future__ import annotations

import ast
import json
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.detect.conftest import MACHINE, Look

from underway.detect import detect
from underway.manifest.model import Manifest
from underway.terms.tree import Tree

Files = dict[str, str]

PROGRAMS = (
    "python", "node", "npm", "npx", "gunicorn", "uvicorn", "granian", "streamlit", "panel", "alembic", "flask", "bash",
    "arq", "celery", "sphinx-build", "cp", "mkdir", "touch", "cd",
)  # fmt: skip
RECORD = (
    """record() { printf '%s\\0' "$@" "$VITE_API_URL" "$PYTHONPATH" "$FLASK_APP"; }\n"""
    + "\n".join(f'alias {name}="record {name}"' for name in PROGRAMS)
    + "\nPATH=/nowhere PORT=8000\n"
)
"""Programs that tell their words, and what they are given in the environment. Aliases, since no function may be called
`sphinx-build`; nothing else is found."""


def words_of(lines: list[str], above: Path, folder: str = "a") -> list[str]:
    """What the programs of lines are given and the files that they write, when `sh` has read them beside `folder`."""
    at = Path(tempfile.mkdtemp(dir=above))
    bin_of_node = at / "node_modules/.bin"
    for needed in (at / folder, bin_of_node):
        needed.mkdir(parents=True)
    for name in ("typeorm", "tsx"):
        program = bin_of_node / name
        program.write_text('#!/bin/sh\nprintf "%s\\0" "$@"\n')
        program.chmod(0o755)
    script = "\n".join([RECORD, *lines, ""])
    ran = subprocess.run(["/bin/sh"], input=script, cwd=at, capture_output=True, text=True, timeout=60)
    assert "yntax" not in ran.stderr, (lines, ran.stderr)
    return [*ran.stdout.split("\0"), *(str(path.relative_to(at)) for path in at.rglob("*") if path.is_file())]


def lines_of(manifest: Manifest) -> list[str]:
    lines = [*manifest.build.commands, *(process.command for process in manifest.processes.values())]
    return [*lines, manifest.migrate.command] if manifest.migrate is not None else lines


def package(*needs: str, dev: tuple[str, ...] = (), **more: object) -> str:
    return json.dumps({"dependencies": dict.fromkeys(needs, "1"), "devDependencies": dict.fromkeys(dev, "1"), **more})


API = {"main.py": "from fastapi import FastAPI\napp = FastAPI()\n", "requirements.txt": "fastapi\nuvicorn\n"}
FLASK = "from flask import Flask\nfrom flask_sqlalchemy import SQLAlchemy\napp = Flask(__name__)\n"
TORNADO = "import tornado\nif __name__ == '__main__':\n    app.listen(8000)\n"
BUILT = package(dev=("vite",), scripts={"build": "vite build"})
TREES: dict[str, Callable[[str], Files]] = {
    "a front end beside an API": lambda name: {
        **API, f"{name}/package.json": BUILT, f"{name}/index.html": "",
        f"{name}/src/a.ts": "fetch('http://localhost:8000/x' + import.meta.env.VITE_API_URL)",
    },
    "a build laid out by a Dockerfile": lambda name: {
        **API, f"{name}/package.json": BUILT, f"{name}/index.html": "",
        "Dockerfile": f"FROM python\nWORKDIR /app\nRUN mkdir data\nRUN cp -r {name}/dist static\n",
    },
    "a server of Node": lambda name: {
        f"{name}/package.json": package("express", scripts={"start": "node a.js", "build": "tsc"}),
        f"{name}/a.js": "app.listen(process.env.PORT)",
        "Dockerfile": "FROM node\nWORKDIR /app\nRUN mkdir data\n",
    },
    "the main file of a package": lambda name: {
        "package.json": package("express", main=f"{name}.js", scripts={"start": "nodemon"}),
        f"{name}.js": "app.listen(process.env.PORT)",
    },
    "what nodemon runs": lambda name: {
        "package.json": package("express", scripts={"start": f"nodemon --exec tsx {shlex.quote(name)} src/a.ts"}),
        "src/a.ts": "app.listen(process.env.PORT)",
    },
    "Next.js in one folder of several": lambda name: {
        "package-lock.json": "{}",
        f"apps/{name}/package.json": package("next", scripts={"build": "next build"}),
        f"apps/{name}/next.config.js": "module.exports = { output: 'standalone' }",
    },
    "a data source": lambda name: {
        "package.json": package("express", "typeorm", "pg", scripts={"start": "node dist/a.js", "build": "tsc"}),
        f"src/{name}.ts": "export default new DataSource({ migrations: [], url: process.env.DATABASE_URL })",
        "src/migrations/1700000000000-a.ts": "",
        "src/a.ts": "app.listen(process.env.PORT)",
    },
    "Django": lambda name: {
        f"{name}/manage.py": 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "conf.settings")',
        f"{name}/conf/settings.py": "ALLOWED_HOSTS = []\nSTATIC_ROOT = BASE_DIR / 's'\n",
        f"{name}/conf/wsgi.py": "application = get_wsgi_application()\n",
        "requirements.txt": "django\ngunicorn\n",
    },
    "Streamlit": lambda name: {f"{name}.py": "import streamlit\nstreamlit.title('')", "requirements.txt": "streamlit"},
    "Panel": lambda name: {f"{name}.py": "import panel\npanel.Row().servable()\n", "requirements.txt": "panel"},
    "Gradio": lambda name: {f"{name}.py": "import gradio\ngradio.Blocks().launch()\n", "requirements.txt": "gradio"},
    "Dash": lambda name: {f"{name}.py": "from dash import Dash\napp = Dash()\n", "requirements.txt": "dash"},
    "FastHTML": lambda name: {
        f"{name}.py": "from fasthtml import FastHTML\napp = FastHTML()\n", "requirements.txt": "python-fasthtml",
    },
    "a script that listens": lambda name: {f"{name}.py": TORNADO, "requirements.txt": "tornado"},
    "a package that listens": lambda name: {f"{name}/__main__.py": TORNADO, "requirements.txt": "tornado"},
    "fastapi run": lambda name: {
        f"{name}.py": API["main.py"], "requirements.txt": "fastapi",
        "Dockerfile": f'FROM python\nCMD {json.dumps(["fastapi", "run", f"{name}.py"])}\n',
    },
    "Alembic": lambda name: {
        **API, "requirements.txt": "fastapi\nalembic\nasyncpg\n",
        f"{name}/alembic.ini": "[alembic]\nscript_location = migrations\n",
        "migrations/versions/1.py": "revision = 'a'\ndown_revision = None\n",
    },
    "arq": lambda name: {
        **API, "requirements.txt": "fastapi\narq\nredis\n",
        f"{name}.py": "import os\nclass WorkerSettings:\n    redis_settings = os.environ['REDIS_URL']\n",
    },
    "Celery": lambda name: {
        **API, "requirements.txt": "fastapi\ncelery\nredis\n",
        f"{name}.py": "import os\nfrom celery import Celery\napp = Celery(broker=os.environ['REDIS_URL'])\n",
    },
    "tables made by a script": lambda name: {
        "requirements.txt": "flask\nflask-sqlalchemy\npsycopg2\ngunicorn\n",
        "shop.py": f"{FLASK}import os\napp.config['SQLALCHEMY_DATABASE_URI'] = os.environ['DATABASE_URL']\n",
        f"{name}.py": "from shop import app, db\nif __name__ == '__main__':\n    db.create_all()\n    app.run()\n",
    },
    "Sphinx": lambda name: {f"{name}/conf.py": "extensions = []\n"},
}  # fmt: skip
DECLARED: dict[str, Callable[[str], Files]] = {
    "a file that a Procfile starts": lambda name: {
        "package.json": package("express"), f"{name}.js": "", "Procfile": f"web: node {shlex.quote(name + '.js')}\n",
    },
    "a file that a Dockerfile starts": lambda name: {
        "package.json": package("express"), f"{name}.js": "",
        "Dockerfile": f'FROM node\nCMD {json.dumps(["node", f"{name}.js"])}\n',
    },
    "a worker's words": lambda name: {
        **API, "Procfile": f"web: uvicorn main:app\nworker: celery -A app worker -n {shlex.quote(name)}\n",
    },
    "arguments of a factory": lambda name: {
        "requirements.txt": "flask\n", "main.py": "from flask import Flask\ndef create_app(x):\n    return Flask(x)\n",
        "Dockerfile": f'FROM python\nCMD {json.dumps(["gunicorn", f"main:create_app({name})"])}\n',
    },
}  # fmt: skip
"""Names that stand in a command already, where `$A` is a variable to the shell that runs it."""

NAMES = st.text(st.sampled_from(" '\"`$(){}[];&|<>*?~#!=-+@%^,:äA1"), min_size=1, max_size=10).map("qa{}zq".format)
WORST = ("qa zq", "qa$(touch x)`touch x`zq", "qa'$HOME\"*;touch x;zq")
SOME = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))


def manifest_of(files: Mapping[str, str]) -> Manifest | None:
    return detect(Tree(name="shop", paths=tuple(sorted(files)), texts=files), machine=MACHINE).manifest


def meant(words: list[str]) -> list[str]:
    """The words; in place of a program of Python's own, the texts that it holds."""
    out = []
    for word in words:
        if word.startswith(("import ", "from ")):
            constants = (each.value for each in ast.walk(ast.parse(word)) if isinstance(each, ast.Constant))
            out += [text for text in constants if isinstance(text, str)]
        else:
            out.append(word)
    return out


def check(files: Files, name: str, at: Path) -> None:
    manifest = manifest_of(files)
    lines = [line for line in lines_of(manifest) if "qa" in line] if manifest is not None else []
    words = [word for word in meant(words_of(lines, at, name)) if "qa" in word or "zq" in word]
    assert len(words) >= len(lines), (lines, words)
    for word in words:
        assert word.count("qa") == word.count("zq") == word.count(name), (lines, word)


@pytest.mark.parametrize("where", [*TREES, *DECLARED])
def test_a_plain_name_is_in_a_line_at_all(where: str) -> None:
    manifest = manifest_of({**TREES, **DECLARED}[where]("qaxzq"))
    assert manifest is not None
    assert any("qaxzq" in line for line in lines_of(manifest)), lines_of(manifest)


@pytest.mark.parametrize("where", TREES)
def test_what_stands_in_a_path_means_itself(where: str, tmp_path: Path) -> None:
    for name in WORST:
        check(TREES[where](name), name, tmp_path)

    @SOME
    @given(NAMES)
    def any_name(name: str) -> None:
        check(TREES[where](name), name, tmp_path)

    any_name()


@pytest.mark.parametrize("where", DECLARED)
def test_what_a_declared_command_quotes_stays_quoted(where: str, tmp_path: Path) -> None:
    for worst in WORST:
        name = worst.replace("$", "")
        check(DECLARED[where](name), name, tmp_path)

    @SOME
    @given(NAMES.map(lambda name: name.replace("$", "")))
    def any_name(name: str) -> None:
        check(DECLARED[where](name), name, tmp_path)

    any_name()


@pytest.mark.parametrize("value", ["/api$(touch x)", "/api`touch${IFS}x`", "/api;touch", "/api&touch", "/$HOME/api"])
def test_an_address_of_the_api_is_baked_in_as_it_is_written(value: str, look: Look, tmp_path: Path) -> None:
    front = {"web/.env.example": f"VITE_API_URL={value}\n", "web/src/a.ts": "fetch(import.meta.env.VITE_API_URL)"}
    found = look({**TREES["a front end beside an API"]("web"), **front})
    assert found.manifest is not None
    line = next(line for line in lines_of(found.manifest) if "VITE_API_URL" in line)
    words = words_of([line], tmp_path)
    assert value.partition(" ")[0] in words
    assert "x" not in words
